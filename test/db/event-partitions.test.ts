import { expect, test } from "vitest";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { describeOnNative } from "../support/databases.ts";

const YEAR = "select warehouse.ensure_event_partitions('1999-05-01Z', '1999-06-01Z')";

describeOnNative("partitions of events", (get) => {
  test("two imports that need the same new year take turns, and both get it", async () => {
    const bothBegan = Promise.withResolvers<void>();
    let began = 0;
    const importing = (tenantId: number) =>
      withTenantWrite(get().database, tenantId, async (client) => {
        // Each has read the catalogue, and with it that there is no such year, before either makes it.
        await client.query("select to_regclass('warehouse.issue_event_1999')");
        began += 1;
        if (began === 2) bothBegan.resolve();
        await bothBegan.promise;
        await client.query(YEAR);
      });
    await Promise.all([importing(1), importing(2)]);
    await get().asSuperuser(async (client) => {
      const { rows } = await client.query("select 1 from pg_policy where polrelid = 'warehouse.issue_event_1999'::regclass");
      expect(rows).toHaveLength(1);
    });
  });
});
