import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import type { ReadRequest } from "../../src/db/database.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { readAsTenant, streamAsTenant, tenantPrologue } from "../../src/execute/tenant-transaction.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testTenant } from "../support/tenants.ts";

const A = testTenant({ id: 7 });
const SLOW = "select count(*) from generate_series(1, 2000000000)";

describeOnEachDatabase("reading", (get) => {
  const run = (text: string, values: unknown[] = [], more: Partial<ReadRequest> = {}) => {
    const timeoutMs = more.timeoutMs ?? 10_000;
    const prologue = tenantPrologue(A, { timeoutMs });
    return get().database.read({ prologue, statement: { text, values }, timeoutMs, ...more });
  };
  /** What the next borrowers of the api pool find: no tenant, no role, no transaction left. */
  const expectClean = async (): Promise<void> => {
    const look = () =>
      get().database.read({
        prologue: "BEGIN READ ONLY",
        statement: {
          text: "select coalesce(current_setting('app.tenant_id', true), ''), current_user::text, current_setting('statement_timeout')",
          values: [],
        },
        timeoutMs: 10_000,
      });
    for (const { rows } of await Promise.all([look(), look(), look()])) expect(rows).toEqual([["", "metricgate_api", "1min"]]);
  };

  beforeAll(async () => {
    await withTenantWrite(get().database, 7, (client) => client.query("insert into warehouse.tenant_state (tenant_id) values (7)"));
  });

  test("values arrive as the port promises", async () => {
    const { columns, rows } = await run(
      `select 9007199254740991::int8 as safe, 9007199254740993::int8, 1.25::numeric, 0.5::float8, date '2026-03-01',
        timestamptz '2026-03-01 12:00:00.1234+02', timestamptz '2026-03-01 00:00Z', null::int8, array['a','b'], true, $1::text`,
      ["it's"],
    );
    expect(columns[0]).toBe("safe");
    expect(rows).toEqual([
      [
        9007199254740991,
        "9007199254740993",
        1.25,
        0.5,
        "2026-03-01",
        "2026-03-01T10:00:00.123Z",
        "2026-03-01T00:00:00.000Z",
        null,
        ["a", "b"],
        true,
        "it's",
      ],
    ]);
  });

  test("sessions are in UTC and read-only by default", async () => {
    const { rows } = await run(
      "select current_setting('TimeZone'), current_setting('transaction_read_only'), current_setting('statement_timeout')",
    );
    expect(rows).toEqual([["UTC", "on", "10s"]]);
    await expect(run("create table t (n int)")).rejects.toMatchObject({ code: "INTERNAL" });
  });

  test("an error is INTERNAL, hides the database's words, and leaves nothing behind", async () => {
    const failed = run("select 1 / (select 0)");
    await expect(failed).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.not.stringContaining("zero"),
      cause: { code: "22012" },
    });
    await expect(run("selec 1")).rejects.toMatchObject({ code: "INTERNAL" });
    await expectClean();
  });

  test("a failed prologue keeps the statement from running", async () => {
    const wrong = {
      prologue: "BEGIN READ ONLY; SET LOCAL ROLE metricgate_owner",
      statement: { text: "select 1", values: [] },
      timeoutMs: 5_000,
    };
    await expect(get().database.read(wrong)).rejects.toMatchObject({ cause: { code: "42501" } });
    await expectClean();
  });

  test("the deadline ends the statement", async () => {
    const startMs = performance.now();
    await expect(run(SLOW, [], { timeoutMs: 300 })).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(performance.now() - startMs).toBeLessThan(2_500);
    await expectClean();
  });

  test("the caller's wish ends the statement", async () => {
    const controller = new AbortController();
    const reading = run(SLOW, [], { signal: controller.signal });
    const settled = expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    await sleep(200);
    const startMs = performance.now();
    controller.abort();
    await settled;
    expect(performance.now() - startMs).toBeLessThan(2_000);
    await expect(run("select 1", [], { signal: controller.signal })).rejects.toMatchObject({ code: "CANCELLED" });
    await expectClean();
  });

  test("a late wish does nothing", async () => {
    const controller = new AbortController();
    expect((await run("select 1", [], { signal: controller.signal })).rows).toEqual([[1]]);
    controller.abort();
    await expectClean();
  });

  test("250 concurrent tenant transactions never mix", async () => {
    const wrong: unknown[] = [];
    await Promise.all(
      Array.from({ length: 250 }, async (_, i) => {
        const id = (i % 40) + 1;
        const statement = { text: "select ctx.tenant_id(), current_user::text, $1::int", values: [i] };
        const { rows } = await readAsTenant(get().database, testTenant({ id }), statement, { timeoutMs: 20_000 });
        if (JSON.stringify(rows) !== JSON.stringify([[id, "metricgate_reader", i]])) wrong.push(rows);
      }),
    );
    expect(wrong).toEqual([]);
    await expectClean();
  });

  test("a stream yields batches in order and ends clean", async () => {
    const statement = { text: "select n, ctx.tenant_id() from generate_series(1, $1::int) n", values: [2_500] };
    const sizes: number[] = [];
    let last: readonly unknown[] = [];
    for await (const batch of streamAsTenant(get().database, A, statement, { timeoutMs: 10_000, batchRows: 1_000 })) {
      sizes.push(batch.length);
      last = batch.at(-1) ?? [];
    }
    expect(sizes).toEqual([1_000, 1_000, 500]);
    expect(last).toEqual([2_500, 7]);
  });

  test("a stream can be left early, fails as a read does, and is cancelled as one", async () => {
    const { database } = get();
    const options = { timeoutMs: 10_000, batchRows: 10 };
    const many = { text: "select n from generate_series(1, 100000) n", values: [] };
    for (let i = 0; i < 5; i += 1) for await (const batch of streamAsTenant(database, A, many, options)) if (batch.length > 0) break;
    const drain = async (text: string, more: object = {}) => {
      for await (const _ of streamAsTenant(database, A, { text, values: [] }, { ...options, ...more }));
    };
    await expect(drain("select 1 / (5 - n) from generate_series(1, 10) n")).rejects.toMatchObject({
      code: "INTERNAL",
      cause: { code: "22012" },
    });
    await expect(drain(SLOW, { timeoutMs: 300 })).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(drain(SLOW, { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(drain("select 1", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "CANCELLED" });
    await drain("select 1");
    await expectClean();
  });

  test("a session that throws leaves neither rows nor a transaction", async () => {
    const { database } = get();
    const own = new Error("the importer's own");
    const failing = withTenantWrite(database, 9, async (client) => {
      await client.query("insert into warehouse.tenant_state (tenant_id) values (9)");
      throw own;
    });
    await expect(failing).rejects.toBe(own);
    await expect(withTenantWrite(database, 9, (client) => client.query("select 1 / 0"))).rejects.toMatchObject({ code: "INTERNAL" });
    const left = await withTenantWrite(database, 9, async (client) => (await client.query("select from warehouse.tenant_state")).rowCount);
    expect(left).toBe(0);
  });

  test("a session left inside a transaction is an error, and the next one is clean", async () => {
    const { database } = get();
    await expect(database.session("ingest", (client) => client.query("BEGIN; SET LOCAL app.tenant_id = '7'"))).rejects.toMatchObject({
      code: "INTERNAL",
    });
    const tenant = await database.session("ingest", async (client) => (await client.query("select ctx.tenant_id() as id")).rows);
    expect(tenant).toEqual([{ id: null }]);
  });

  test("each read is observed with its tenant, rows and outcome", async () => {
    const seen: Observation[] = [];
    const options = { timeoutMs: 5_000, observe: (one: Observation) => void seen.push(one) };
    await readAsTenant(get().database, A, { text: "select 1", values: [] }, options);
    await expect(readAsTenant(get().database, A, { text: "select 1 / 0", values: [] }, options)).rejects.toThrow();
    expect(seen).toMatchObject([
      { kind: "query_finished", tenantId: 7, rows: 1, outcome: "ok" },
      { kind: "query_finished", tenantId: 7, rows: 0, outcome: "INTERNAL", sqlState: "22012" },
    ]);
  });

  test("only whole milliseconds and positive tenants make a prologue", () => {
    for (const timeoutMs of [0, -1, 1.5, Number.NaN, 600_001]) expect(() => tenantPrologue(A, { timeoutMs })).toThrow(RangeError);
    for (const id of [0, -1, 1.5, Number.NaN, 2 ** 31, "7" as unknown as number]) {
      expect(() => tenantPrologue(testTenant({ id }), { timeoutMs: 1 })).toThrow(RangeError);
    }
  });
});
