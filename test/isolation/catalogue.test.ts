import { readFileSync } from "node:fs";
import type { ClientBase } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { type Ask, checkCatalogue, RULES } from "../../src/db/isolation/catalogue.ts";
import { DANGEROUS_BUILT_INS } from "../../src/db/isolation/expected.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { MUTATIONS } from "./mutations.ts";

const askBy =
  (client: ClientBase): Ask =>
  async (sql) => {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: "array" });
    return rows;
  };

describeOnEachDatabase("the catalogue proof", (get) => {
  /** Ids of the rules that object after `sql`; the database is as before. */
  const objectionsAfter = (sql: string): Promise<readonly string[]> =>
    get().asSuperuser(async (client) => {
      await client.query("begin");
      try {
        await client.query(sql);
        // As the product asks: by the login that may least.
        await client.query("set local search_path = pg_catalog; set local role metricgate_api");
        const outcomes = await checkCatalogue(askBy(client));
        return outcomes.filter((one) => one.findings.length > 0).map((one) => one.id);
      } finally {
        await client.query("rollback");
      }
    });

  beforeAll(() =>
    get().database.session("ingest", (client) => client.query("select warehouse.ensure_event_partitions('2020-01-01', '2020-06-01')")),
  );

  test("has nothing against a migrated database with partitions and a trail", async () => {
    await get().asSuperuser((client) =>
      client.query(
        `begin; set local app.tenant_id = '1'; select audit.append('{"principal": "p", "operation": "run", "duration_ms": 1, "outcome": "ok"}'); commit`,
      ),
    );
    expect(await objectionsAfter("select")).toEqual([]);
  });

  describe.each(MUTATIONS)("$name", ({ sql, caughtBy }) => {
    test("is noticed", async () => {
      expect(await objectionsAfter(sql)).toEqual(expect.arrayContaining([caughtBy].flat()));
    });
  });

  test("the mutations left nothing behind", async () => {
    expect(await objectionsAfter("select")).toEqual([]);
  });
});

test("every rule has a mutation that it catches", () => {
  const caught = new Set(MUTATIONS.flatMap(({ caughtBy }) => caughtBy));
  expect(RULES.map(({ id }) => id).filter((id) => !caught.has(id))).toEqual([]);
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
  expect(MUTATIONS.length).toBeGreaterThan(25);
});

test("what bootstrap.sql revokes is what the rule looks for", () => {
  const bootstrap = readFileSync(new URL("../../migrations/bootstrap.sql", import.meta.url), "utf8");
  const list = /p\.proname in \(\s*'set_config',[^)]*\)/.exec(bootstrap)?.[0] ?? "";
  const names = [...list.matchAll(/'(\w+)'/g)].map((found) => found[1] ?? "");
  expect(names.length).toBeGreaterThan(30);
  const patterns = DANGEROUS_BUILT_INS.map((one) => new RegExp(`^${one.replaceAll("\\_", "_").replaceAll("%", ".*")}$`));
  for (const name of names)
    expect(
      patterns.some((pattern) => pattern.test(name)),
      name,
    ).toBe(true);
});
