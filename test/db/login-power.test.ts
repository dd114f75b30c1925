import type { ClientBase } from "pg";
import { describe, expect, test } from "vitest";
import { POWERFUL_LOGINS, refusePowerfulLogins } from "../../src/db/login-power.ts";
import { openNative } from "../../src/db/native.ts";
import { must } from "../../src/must.ts";
import { describeOnNative } from "../support/databases.ts";
import { asSuperuser, createScratch, nativeTestUrl } from "../support/native-database.ts";

describeOnNative("logins that no wall holds", (get) => {
  /** What is found after `sql`, whose changes to the cluster's roles are rolled back. */
  const foundAfter = (sql: string): Promise<unknown> =>
    get().asSuperuser(async (client: ClientBase) => {
      await client.query("begin");
      try {
        await client.query(sql);
        await client.query("set local session authorization metricgate_api");
        return (await client.query(POWERFUL_LOGINS)).rows[0];
      } finally {
        await client.query("rollback");
      }
    });

  test("the logins of a migrated database pass", async () => {
    expect(await foundAfter("select")).toBeUndefined();
    await refusePowerfulLogins(get().database);
  });

  test.each([
    ["alter role metricgate_api superuser", "metricgate_api", "is a superuser"],
    ["alter role metricgate_ingest bypassrls", "metricgate_ingest", "passes row-level security"],
    ["alter table warehouse.issue owner to metricgate_auditor", "metricgate_auditor", "owns tables"],
    ["grant metricgate_owner to metricgate_api", "metricgate_api", "may become metricgate_owner, which owns tables"],
    ["alter role metricgate_reader bypassrls", "metricgate_api", "may become metricgate_reader, which passes row-level security"],
    ["grant metricgate_migrator to metricgate_directory", "metricgate_directory", "may become metricgate_owner, which owns tables"],
  ])("%s", async (sql, login, reason) => {
    expect(await foundAfter(sql)).toEqual({ login, reason });
  });
});

const url = nativeTestUrl();
describe.skipIf(url === undefined)("a database opened with such a login", () => {
  test("is refused with what to do", async () => {
    const scratch = await createScratch(must(url, "TEST_DATABASE_URL"));
    const database = openNative({ url: scratch.url, observe: () => undefined });
    try {
      await asSuperuser(scratch.url, (client) => client.query("alter table warehouse.issue owner to metricgate_api"));
      await expect(refusePowerfulLogins(database)).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: "The database login metricgate_api owns tables: no wall between tenants would hold it.",
        details: { next: expect.stringContaining("alter table … owner to metricgate_owner") },
      });
    } finally {
      await database.close();
      await scratch.drop();
    }
  });
});
