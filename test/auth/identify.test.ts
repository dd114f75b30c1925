import { expect, test } from "vitest";
import { identifyLocal, type TenantRecord } from "../../src/auth/identify.ts";

const RECORD: TenantRecord = { id: 3, slug: "acme", name: "Acme", timezone: "Europe/Prague", weekStart: 7 };
const find = (slug: string) => Promise.resolve(slug === "acme" ? RECORD : undefined);

test("the settings' tenant and user act; the tenant cannot be changed afterwards", async () => {
  const { tenant, user } = await identifyLocal({ tenant: "acme", user: "ada" }, find);
  expect({ ...tenant }).toEqual({ id: 3, slug: "acme", timezone: "Europe/Prague", weekStart: 7 });
  expect(user).toBe("ada");
  expect(Object.isFrozen(tenant)).toBe(true);
  expect(() => Object.assign(tenant, { id: 4 })).toThrow(TypeError);
});

test("nobody is known without a tenant, or with one that does not exist; each says what to do", async () => {
  await expect(identifyLocal({ user: "ada" }, find)).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
    details: { next: expect.stringContaining("METRICGATE_TENANT") },
  });
  await expect(identifyLocal({ tenant: "acne", user: "ada" }, find)).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
    message: 'There is no tenant "acne".',
    details: { next: expect.stringContaining("metricgate tenant create") },
  });
});

test.each([0, -1, 1.5, Number.NaN])("a tenant's id is a positive whole number: %d is none", async (id) => {
  await expect(identifyLocal({ tenant: "acme", user: "ada" }, () => Promise.resolve({ ...RECORD, id }))).rejects.toThrow(
    "positive whole number",
  );
});
