import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dumpSchema } from "../../src/db/schema-dump.ts";
import { describeOnEachDatabase } from "../support/databases.ts";

const kept = readFileSync(new URL("../../migrations/schema.snapshot.sql", import.meta.url), "utf8");

describeOnEachDatabase("the schema kept in git", (get) => {
  test("is what the migrations make (if not: npm run schema:dump)", async () => {
    expect(await get().asSuperuser(dumpSchema)).toBe(kept);
  });

  test("shows a change", async () => {
    const changed = await get().asSuperuser(async (client) => {
      await client.query("alter policy tenant_wall on warehouse.issue using (true)");
      return dumpSchema(client);
    });
    expect(changed).not.toBe(kept);
  });
});
