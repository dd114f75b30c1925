import fc from "fast-check";
import { expect, test } from "vitest";
import { restorePrincipal } from "../../src/auth/restore.ts";
import { extentOf, type Principal, SCOPES } from "../../src/tenant.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const RECORD = { id: 7, slug: "tenant-7", name: "Seven", timezone: "UTC", weekStart: 1 };
const names = fc.option(fc.array(fc.string(), { maxLength: 4 }), { nil: undefined });
const principals = fc
  .record({ user: fc.string(), scopes: fc.subarray([...SCOPES]), metrics: names, projects: names, instances: names })
  .map(({ user, scopes, ...lists }): Principal => {
    const allowed = Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined));
    return testPrincipal(testTenant(RECORD), user, { scopes, allowed });
  });

test("whoever asked is who it is done for: with the same rights, neither more nor fewer", () => {
  fc.assert(
    fc.property(principals, (principal) => {
      const restored = restorePrincipal(RECORD, principal.user, extentOf(principal));
      expect(extentOf(restored)).toBe(extentOf(principal));
      expect(restored.user).toBe(principal.user);
      expect(restored.tenant).toMatchObject({ id: 7, slug: "tenant-7", timezone: "UTC", weekStart: 1 });
      // An absent list narrows nothing, an empty one leaves nothing.
      for (const list of ["metrics", "projects", "instances"] as const)
        expect(restored.allowed[list] === undefined).toBe(principal.allowed[list] === undefined);
    }),
  );
});

const OWN = extentOf(testPrincipal(testTenant(RECORD), "ann", { scopes: ["metrics:read"], allowed: { projects: ["A"] } }));

test.each([
  ["of another tenant", OWN.replace("[7,", "[8,")],
  ["with a scope that there is not", OWN.replace("metrics:read", "everything")],
  ["in another order", extentOf(testPrincipal(testTenant(RECORD))).replace('"drill:read","jobs:write"', '"jobs:write","drill:read"')],
  ["with a list too many", `${OWN.slice(0, -1)},["x"]]`],
  ["that is no text of ours", '{"tenant":7}'],
  ["that is not JSON", "everything"],
])("what was kept %s makes nobody", (_, extent) => {
  expect(extent).not.toBe(OWN);
  expect(() => restorePrincipal(RECORD, "ann", extent)).toThrow();
});
