import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../src/db/database.ts";
import { openNative } from "../../src/db/native.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import { importInto } from "../../src/ingest/import.ts";
import { issue } from "../ingest/records.ts";
import { sourceOf } from "../ingest/support.ts";
import { describeOnEachDatabase, describeOnNative } from "../support/databases.ts";
import { testTenant } from "../support/tenants.ts";

const A = testTenant({ id: 1 });
const B = testTenant({ id: 2 });
const KEPT = { timeoutMs: 5_000, keepPlan: true };
const SLOW = "select count(*) from generate_series(1, 2000000000)";
const KEYS = "select issue_key from warehouse.issue order by 1";

async function load(database: Database): Promise<void> {
  await importInto(database, A, { instanceId: "inst1", source: sourceOf([issue("A-1"), issue("A-2")]) });
  await importInto(database, B, { instanceId: "inst1", source: sourceOf([issue("B-1")]) });
}

describeOnEachDatabase("statements whose plan may be kept", (get) => {
  beforeAll(() => load(get().database));

  test("answer each tenant with its own rows, whoever asked first", async () => {
    for (const _ of [1, 2, 3]) {
      for (const [tenant, keys] of [
        [A, ["A-1", "A-2"]],
        [B, ["B-1"]],
        [testTenant({ id: 3 }), []],
      ] as const) {
        const { rows } = await readAsTenant(get().database, tenant, { text: KEYS, values: [] }, KEPT);
        expect(rows.map(([key]) => key)).toEqual(keys);
      }
    }
  });

  test("answer by the values of each call", async () => {
    for (const key of ["A-2", "A-1", "A-9", "A-2"]) {
      const statement = { text: "select issue_key from warehouse.issue where issue_key = $1", values: [key] };
      const { rows } = await readAsTenant(get().database, A, statement, KEPT);
      expect(rows).toEqual(key === "A-9" ? [] : [[key]]);
    }
  });
});

describeOnNative("plans that a connection keeps", (get) => {
  let one: Database;
  beforeAll(async () => {
    await load(get().database);
    // One connection, so that it is known which one keeps what.
    const url = await get().database.session("directory", async (client) => {
      const { host, port, database } = client as unknown as { host: string; port: number; database: string };
      return `postgres://postgres@${host}:${port}/${database}`;
    });
    one = openNative({ url, observe: () => undefined, poolSizes: { api: 1 } });
  });
  afterAll(() => one.close());

  const query = async (text: string): Promise<readonly unknown[][]> => (await one.pool("api").query({ text, rowMode: "array" })).rows;
  const kept = () => query("select statement, generic_plans::int from pg_prepared_statements order by 1");
  const pid = async () => (await query("select pg_backend_pid()"))[0]?.[0];
  const read = async (text: string, keepPlan = true) =>
    (await readAsTenant(one, A, { text, values: [] }, { timeoutMs: 5_000, keepPlan })).rows;

  test("are made once and used for every later call; a statement not meant to be kept is not", async () => {
    await read("select 'not kept'", false);
    for (const _ of [1, 2, 3, 4]) await read(KEYS);
    expect(await kept()).toEqual([[KEYS, 4]]);
    expect(await query("show plan_cache_mode")).toEqual([["auto"]]);
  });

  test("are bounded: a connection that keeps too many is replaced", async () => {
    const before = await pid();
    const long = (n: number) => `select ${n}::int /* ${"x".repeat(10_000)} */`;
    for (let n = 0; n < 10; n += 1) expect(await read(long(n))).toEqual([[n]]);
    expect(await pid()).not.toBe(before);
    expect((await kept()).length).toBeLessThan(7);
    expect(await read(`select 1 /* ${"x".repeat(20_000)} */`)).toEqual([[1]]);
    expect((await kept()).filter(([text]) => String(text).length > 16_000)).toEqual([]);
  });

  test("are no part of an answer: where the server has lost one, or it no longer fits the tables, it is planned again", async () => {
    await read(KEYS);
    await query("deallocate all");
    expect(await read(KEYS)).toEqual([["A-1"], ["A-2"]]);
    await get().asSuperuser(async (client) => {
      await client.query(
        "create table warehouse.changing (n int); insert into warehouse.changing values (7); grant select on warehouse.changing to metricgate_reader",
      );
    });
    expect(await read("select * from warehouse.changing")).toEqual([[7]]);
    await get().asSuperuser(async (client) => void (await client.query("alter table warehouse.changing alter n type text")));
    expect(await read("select * from warehouse.changing")).toEqual([["7"]]);
    expect(await read("select * from warehouse.changing")).toEqual([["7"]]);
  });

  test("fail as statements do that are not kept", async () => {
    await expect(read("select 1 / 0")).rejects.toMatchObject({ code: "INTERNAL", cause: { code: "22012" } });
    await expect(readAsTenant(one, A, { text: SLOW, values: [] }, { timeoutMs: 200, keepPlan: true })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    expect(await read(KEYS)).toHaveLength(2);
  });
});
