import { expect, test } from "vitest";
import { type Reading, showBehaviour } from "../../src/db/isolation/behaviour.ts";
import type { Outcome } from "../../src/db/isolation/rule.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { tenantPrologue } from "../../src/execute/tenant-transaction.ts";
import { proveIsolation } from "../../src/oversight.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { Result } from "../../src/result/result.ts";
import { testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { createTenant, testTenant } from "../support/tenants.ts";

const [one, two] = [testTenant({ id: 1 }), testTenant({ id: 2 })];

/** What weakens the walls, what puts them back, and the trials that must see it with their own eyes. */
const MUTATIONS: readonly { readonly name: string; readonly does: string; readonly undoes: string; readonly seenBy: readonly string[] }[] =
  [
    {
      name: "reader policy dropped",
      does: "drop policy reader_select on warehouse.issue",
      undoes: "create policy reader_select on warehouse.issue for select to metricgate_reader using (tenant_id = (select ctx.tenant_id()))",
      seenBy: ["sees-own-rows-only"],
    },
    {
      name: "wall and reader policy always true",
      does: "alter policy reader_select on warehouse.issue using (true); alter policy tenant_wall on warehouse.issue using (true)",
      undoes:
        "alter policy reader_select on warehouse.issue using (tenant_id = (select ctx.tenant_id())); alter policy tenant_wall on warehouse.issue using (tenant_id = (select ctx.tenant_id()))",
      seenBy: ["sees-nothing-without-context", "sees-own-rows-only", "context-against-predicate"],
    },
    {
      name: "the context always tenant 1",
      does: "create or replace function ctx.tenant_id() returns int language sql stable parallel safe as 'select 1'",
      undoes:
        "create or replace function ctx.tenant_id() returns int language sql stable parallel safe as $$ select nullif(current_setting('app.tenant_id', true), '')::int $$",
      seenBy: ["sees-nothing-without-context", "sees-own-rows-only"],
    },
    {
      name: "row-level security switched off",
      does: "alter table warehouse.issue disable row level security",
      undoes: "alter table warehouse.issue enable row level security",
      seenBy: ["sees-nothing-without-context", "sees-own-rows-only", "context-against-predicate"],
    },
    {
      name: "set_config given to everybody",
      does: "grant execute on function pg_catalog.set_config(text, text, boolean) to public",
      undoes: "revoke execute on function pg_catalog.set_config(text, text, boolean) from public",
      seenBy: ["context-cannot-be-switched"],
    },
    {
      name: "writing given to the reader",
      does: "grant insert, update, delete on warehouse.issue to metricgate_reader",
      undoes: "revoke insert, update, delete on warehouse.issue from metricgate_reader",
      seenBy: ["writes-refused"],
    },
  ];

/** An extra permissive policy behind an intact wall: the catalogue objects, and nothing more is seen. */
const HARMLESS = {
  does: "create policy more on warehouse.issue for select to metricgate_reader using (true)",
  undoes: "drop policy more on warehouse.issue",
};

const objections = (outcomes: readonly Outcome[]): string[] => outcomes.filter((one) => one.findings.length > 0).map(({ id }) => id);
const unshown = (outcomes: readonly Outcome[]): string[] => outcomes.filter((one) => one.notShown !== undefined).map(({ id }) => id);

describeOnEachDatabase("the behaviour proof", (get) => {
  const reading = (tenants = [one, two]): Reading => ({
    database: get().database,
    tenants,
    prologue: (tenant) => tenantPrologue(tenant, { timeoutMs: 5_000 }),
  });
  const superuser = (sql: string) => get().asSuperuser((client) => client.query(sql));

  test("makes nothing up where there is nothing to show", async () => {
    const none = await showBehaviour(reading([]));
    expect(objections(none)).toEqual([]);
    expect(unshown(none)).toEqual(none.map(({ id }) => id).filter((id) => id !== "writes-refused"));
    const outcomes = await proveIsolation(get().database, await testPipeline(get().database));
    expect(objections(outcomes)).toEqual([]);
    expect(unshown(outcomes)).toContain("foreign-handles");
  });

  test("with one tenant it says that no wall between two was shown", async () => {
    await createTenant(get().database, one);
    await fill(1, 3);
    const outcomes = await showBehaviour(reading([one]));
    expect(objections(outcomes)).toEqual([]);
    expect(unshown(outcomes)).toEqual(["context-against-predicate", "context-cannot-be-switched"]);
  });

  async function fill(tenantId: number, issues: number): Promise<void> {
    await withTenantWrite(get().database, tenantId, async (client) => {
      await client.query("insert into warehouse.instance (tenant_id, instance_id, kind) values ($1, 'i', 'neutral')", [tenantId]);
      await client.query("insert into warehouse.project (tenant_id, instance_id, project_key) values ($1, 'i', 'P')", [tenantId]);
      await client.query(
        `insert into warehouse.issue (tenant_id, issue_no, instance_id, issue_key, project_key, created_at)
         select $1, n, 'i', 'P-' || n, 'P', '2026-01-01' from generate_series(1, $2) n`,
        [tenantId, issues],
      );
    });
  }

  test("with two tenants everything is shown and nothing found", async () => {
    await createTenant(get().database, two);
    await fill(2, 5);
    const outcomes = await proveIsolation(get().database, await testPipeline(get().database));
    expect(outcomes.length).toBeGreaterThan(40);
    expect(objections(outcomes)).toEqual([]);
    expect(unshown(outcomes)).toEqual([]);
  });

  test.each(MUTATIONS)("$name: is seen", async ({ does, undoes, seenBy }) => {
    await superuser(does);
    try {
      expect(objections(await showBehaviour(reading()))).toEqual(expect.arrayContaining([...seenBy]));
    } finally {
      await superuser(undoes);
    }
  });

  test("a second permissive policy behind the wall shows nothing more", async () => {
    await superuser(HARMLESS.does);
    try {
      expect(objections(await showBehaviour(reading()))).toEqual([]);
      expect(objections(await proveIsolation(get().database, await testPipeline(get().database)))).toEqual(["policy-known"]);
    } finally {
      await superuser(HARMLESS.undoes);
    }
  });

  test("the mutations left nothing behind, and the proof wrote nothing", async () => {
    expect(objections(await proveIsolation(get().database, await testPipeline(get().database)))).toEqual([]);
    const { rows } = await superuser("select tenant_id, count(*) from warehouse.issue group by 1 order by 1");
    expect(rows.map((row: Record<string, unknown>) => Number(row["count"]))).toEqual([3, 5]);
  });

  test("a store of results that answers another tenant is found", async () => {
    const pipeline = await testPipeline(get().database);
    let stored: Result | undefined;
    const leaky: Pipeline = {
      ...pipeline,
      run: async (principal, input) => (stored = await pipeline.run(principal, input)),
      page: async (principal, request) =>
        stored !== undefined && request.result_id === stored.meta.result_id ? stored : pipeline.page(principal, request),
    };
    expect(objections(await proveIsolation(get().database, leaky))).toEqual(["foreign-handles"]);
  });
});
