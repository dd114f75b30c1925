import { beforeAll, expect, test } from "vitest";
import { access } from "../../src/access.ts";
import { readConfig } from "../../src/config.ts";
import { instanceCredentials } from "../../src/db/instance-credentials.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { writeFernet } from "../../src/secrets/fernet.ts";
import { type KeyRing, parseKeyRing } from "../../src/secrets/key-ring.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { createTenant } from "../support/tenants.ts";

const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");
const OLD = parseKeyRing(`old:${key(1)}`);
const BOTH = parseKeyRing(`new:${key(2)},old:${key(1)}`);
const NEW = parseKeyRing(`new:${key(2)}`);
const SECRET = "canary-91ab-šíp";
const JIRA = { instanceId: "jira", name: "token" };

describeOnEachDatabase("credentials of instances", (get) => {
  const held = (ring: KeyRing = OLD) => instanceCredentials(get().database, () => ring);

  beforeAll(async () => {
    for (const id of [7, 8]) {
      await createTenant(get().database, { id });
      await withTenantWrite(get().database, id, (client) =>
        client.query("insert into warehouse.instance (tenant_id, instance_id, kind) values ($1, 'jira', 'jira')", [id]),
      );
    }
  });

  test("are stored sealed, replaced, listed without their value, and removed", async () => {
    const credentials = held();
    await credentials.set(7, JIRA, "first");
    await credentials.set(7, JIRA, SECRET);
    expect(await credentials.reveal(7, JIRA)).toBe(SECRET);
    const listed = await credentials.list(7, "jira");
    expect(listed).toEqual([{ ...JIRA, kid: "old", updatedAt: expect.stringMatching(/^\d{4}-.*Z$/) }]);
    expect(await credentials.list(7)).toEqual(listed);
    const rows = await get().asSuperuser((client) => client.query("select * from warehouse.instance_credential"));
    expect(rows.rows).toHaveLength(1);
    expect(JSON.stringify(rows.rows)).not.toContain("canary");
    expect(await credentials.remove(7, JIRA)).toBe(true);
    expect(await credentials.remove(7, JIRA)).toBe(false);
    expect(await credentials.reveal(7, JIRA)).toBeUndefined();
  });

  test("belong to one tenant, and to an instance that it has", async () => {
    const credentials = held();
    await credentials.set(7, JIRA, SECRET);
    expect(await credentials.reveal(8, JIRA)).toBeUndefined();
    expect(await credentials.list(8)).toEqual([]);
    expect(await credentials.remove(8, JIRA)).toBe(false);
    await expect(credentials.set(7, { instanceId: "absent", name: "token" }, SECRET)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("do not open in another row, even for whoever can write the table", async () => {
    const credentials = held();
    await credentials.set(7, JIRA, SECRET);
    await credentials.set(8, JIRA, "other");
    await credentials.set(7, { instanceId: "jira", name: "second" }, "third");
    await get().asSuperuser((client) =>
      client.query(`update warehouse.instance_credential t set envelope = s.envelope from warehouse.instance_credential s
                    where s.tenant_id = 7 and s.name = 'token' and (t.tenant_id = 8 or t.name = 'second')`),
    );
    await expect(credentials.reveal(8, JIRA)).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(credentials.reveal(7, { instanceId: "jira", name: "second" })).rejects.toMatchObject({ code: "INTERNAL" });
    expect(await credentials.reveal(7, JIRA)).toBe(SECRET);
    await credentials.remove(8, JIRA);
    await credentials.remove(7, { instanceId: "jira", name: "second" });
  });

  test("go with their instance", async () => {
    await withTenantWrite(get().database, 8, async (client) => {
      await client.query("insert into warehouse.instance (tenant_id, instance_id, kind) values (8, 'gone', 'jira')");
    });
    await held().set(8, { instanceId: "gone", name: "token" }, SECRET);
    await withTenantWrite(get().database, 8, (client) => client.query("delete from warehouse.instance where instance_id = 'gone'"));
    expect(await held().list(8)).toEqual([]);
  });

  test("rotate in batches over all tenants, name what cannot be opened, and may be repeated", async () => {
    const credentials = held();
    const names = Array.from({ length: 120 }, (_, index) => `n${index}`);
    for (const name of names) await credentials.set(7, { instanceId: "jira", name }, `value of ${name}`);
    await credentials.set(8, JIRA, SECRET);
    await credentials.set(8, { instanceId: "jira", name: "damaged" }, SECRET);
    await get().asSuperuser((client) =>
      client.query("update warehouse.instance_credential set envelope = overlay(envelope placing 'AAAA' from 30) where name = 'damaged'"),
    );
    const before = await credentials.list(7);
    const report = await held(BOTH).rotate();
    expect(report).toEqual({
      rotated: 122,
      current: 0,
      failed: [{ tenant: "tenant-8", instanceId: "jira", name: "damaged", reason: expect.stringContaining("cannot be opened") }],
    });
    expect(await held(BOTH).rotate()).toMatchObject({ rotated: 0, current: 122, failed: [{ name: "damaged" }] });
    expect(await held(NEW).reveal(7, { instanceId: "jira", name: "n119" })).toBe("value of n119");
    expect(await held(NEW).reveal(8, JIRA)).toBe(SECRET);
    expect((await held(NEW).list(7)).map(({ name, updatedAt }) => [name, updatedAt])).toEqual(
      before.map(({ name, updatedAt }) => [name, updatedAt]),
    );
    expect(await held(NEW).rotate()).toMatchObject({ failed: [{ reason: expect.stringContaining("the key old") }] });
    await expect(held().reveal(8, JIRA)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  }, 60_000);

  test("come over from Fernet and are sealed anew; no part of them is in a refusal", async () => {
    const fernetKey = Buffer.alloc(32, 9).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
    const place = { tenant: "tenant-7", instance: "jira", name: "migrated" };
    const desk = (environment: Record<string, string>) => access(get().database, () => NEW, readConfig(environment, "/nowhere"));
    await desk({ METRICGATE_FERNET_KEY: fernetKey }).setCredential(place, writeFernet(fernetKey, SECRET), true);
    expect(await held(NEW).reveal(7, { instanceId: "jira", name: "migrated" })).toBe(SECRET);
    await expect(desk({}).setCredential(place, writeFernet(fernetKey, SECRET), true)).rejects.toThrow("METRICGATE_FERNET_KEY: is needed");
    const other = Buffer.alloc(32, 8).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
    const token = writeFernet(other, SECRET);
    const error: unknown = await desk({ METRICGATE_FERNET_KEY: fernetKey })
      .setCredential(place, token, true)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SPEC_INVALID" });
    expect(String(error)).not.toContain(token.slice(0, 12));
    expect((await desk({}).listCredentials("tenant-7", "jira")).map(({ name }) => name)).toContain("migrated");
    await desk({}).removeCredential(place);
    await expect(desk({}).removeCredential(place)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
