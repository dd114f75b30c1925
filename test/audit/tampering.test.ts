import { expect, test } from "vitest";
import type { Link } from "../../src/audit/chain.ts";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import { pruneTrail } from "../../src/audit/prune.ts";
import { readHead, verifyTenant, withTrail } from "../../src/audit/verify.ts";
import { must } from "../../src/must.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { entryOf, tamper, trailOf } from "./trails.ts";

const ROWS = 6;

describeOnEachDatabase("what was done to a trail is found and named", (get) => {
  let next = 1;

  /** A fresh chain of a tenant of its own. */
  async function chain(rows = ROWS): Promise<number> {
    const tenantId = next++;
    const audit = databaseAudit(() => Promise.resolve(get().database));
    for (let i = 1; i <= rows; i += 1) await audit.append(entryOf(tenantId, { rowCount: i }));
    return tenantId;
  }

  const verify = (tenantId: number, exported: readonly Link[] = []) => verifyTenant(get().database, tenantId, exported);
  const head = async (tenantId: number) => must(await withTrail(get().database, tenantId, readHead), "a head");
  /** What a superuser does who knows how hashes are made: writes a row's hash, and all after it, anew. */
  const rehash = (tenantId: number) =>
    tamper(
      get,
      `do $$ declare e audit.entry; before bytea := decode(repeat('00', 32), 'hex'); begin
         for e in select * from audit.entry where tenant_id = ${tenantId} order by seq loop
           e.prev_hash := before;
           before := sha256(before || convert_to(audit.payload(e), 'UTF8'));
           update audit.entry set prev_hash = e.prev_hash, hash = before where tenant_id = ${tenantId} and seq = e.seq;
         end loop;
         update audit.head set seq = coalesce(e.seq, 0), hash = before where tenant_id = ${tenantId};
       end $$`,
    );

  test("the first entries of many tenants at once share one new partition, also under a reader's eyes", async () => {
    const tenants = Array.from({ length: 20 }, () => next++);
    const audit = databaseAudit(() => Promise.resolve(get().database));
    const appendAll = () => Promise.all([...tenants, ...tenants].map((tenantId) => audit.append(entryOf(tenantId))));
    // One database session serves all of the embedded one, so nobody can read there meanwhile.
    if (get().database.mode === "embedded") await appendAll();
    else await withTrail(get().database, 1, async (client) => void (await client.query("select from audit.entry"), await appendAll()));
    for (const tenantId of tenants) expect(await verify(tenantId)).toMatchObject({ rows: 2, last: { seq: 2 } });
    const { rows } = await get().asSuperuser((client) =>
      client.query(
        "select relrowsecurity, relforcerowsecurity from pg_class where relispartition and oid::regclass::text ~ '^audit.entry_[0-9_]+$'",
      ),
    );
    expect(rows).toEqual([{ relrowsecurity: true, relforcerowsecurity: true }]);
  });

  test("a chain that goes on in a new month makes the month's partition", async () => {
    const tenantId = await chain();
    // As it stands after a month's turn: the newest row is of an earlier month, and this month has no partition yet.
    await tamper(
      get,
      `set role metricgate_owner; select audit.ensure_partition(now() - interval '40 days'); reset role;
       update audit.entry set at = at - interval '40 days' where tenant_id = ${tenantId}`,
    );
    await rehash(tenantId);
    await tamper(
      get,
      `update audit.head set at = at - interval '40 days' where tenant_id = ${tenantId};
       do $$ begin execute 'drop table audit.entry_' || to_char(now() at time zone 'UTC', 'YYYY_MM'); end $$;
       delete from audit.head where tenant_id <> ${tenantId}`,
    );
    await databaseAudit(() => Promise.resolve(get().database)).append(entryOf(tenantId));
    expect(await verify(tenantId)).toMatchObject({ rows: ROWS + 1, last: { seq: ROWS + 1 } });
    await tamper(
      get,
      `do $$ begin execute 'drop table audit.entry_' || to_char((now() - interval '40 days') at time zone 'UTC', 'YYYY_MM'); end $$`,
    );
  });

  test("an untouched chain is whole; an empty one too", async () => {
    const tenantId = await chain();
    const report = await verify(tenantId);
    expect(report).toEqual({ rows: ROWS, last: await head(tenantId) });
    expect(await verify(999_999)).toEqual({ rows: 0, last: { seq: 0, hash: "00".repeat(32) } });
    const rows = await trailOf(get, tenantId);
    expect(rows.map((row) => Number(row["seq"]))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test.each([
    ["principal = 'somebody else'"],
    ["spec = '{}'"],
    ["row_count = 0"],
    ["outcome = 'FORBIDDEN'"],
    ["at = at + interval '1 microsecond'"],
    ["trace_id = repeat('a', 32)"],
    ["hash = sha256('')"],
    ["metric_versions = '{}'"],
    ["problems = '{BAD_VALUE}'"],
  ])("an edit: %s", async (change) => {
    const tenantId = await chain();
    await tamper(get, `update audit.entry set ${change} where tenant_id = ${tenantId} and seq = 3`);
    expect((await verify(tenantId)).broken).toMatchObject({ kind: "edited", seq: 3 });
  });

  test("every column of an entry is part of its hash", async () => {
    const columns = await get().asSuperuser(
      async (client) =>
        (
          await client.query<{ name: string }>(
            `select attname as name from pg_attribute where attrelid = 'audit.entry'::regclass and attnum > 0 and not attisdropped
               and attname not in ('hash', 'prev_hash')`,
          )
        ).rows,
    );
    const source = await get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ body: string }>(
        "select prosrc as body from pg_proc where oid = 'audit.payload(audit.entry)'::regprocedure",
      );
      return must(rows[0], "the function").body;
    });
    for (const { name } of columns) expect(source).toContain(`entry.${name}`);
  });

  test("an edit whose hash was made to fit shows at the row after it", async () => {
    const tenantId = await chain();
    await tamper(
      get,
      `update audit.entry e set principal = 'x' where tenant_id = ${tenantId} and seq = 3;
       update audit.entry e set hash = sha256(prev_hash || convert_to(audit.payload(e), 'UTF8')) where tenant_id = ${tenantId} and seq = 3`,
    );
    expect((await verify(tenantId)).broken).toMatchObject({ kind: "moved", seq: 4 });
  });

  test("a row taken out of the middle, and of the beginning", async () => {
    const middle = await chain();
    await tamper(get, `delete from audit.entry where tenant_id = ${middle} and seq = 3`);
    expect((await verify(middle)).broken).toEqual({ kind: "missing", seq: 3, detail: "row 3 is missing" });
    const beginning = await chain();
    await tamper(get, `delete from audit.entry where tenant_id = ${beginning} and seq < 3`);
    expect((await verify(beginning)).broken).toEqual({ kind: "missing", seq: 1, detail: "rows 1 to 2 are missing" });
  });

  test("a tail cut off, by the recorded head", async () => {
    const tenantId = await chain();
    await tamper(get, `delete from audit.entry where tenant_id = ${tenantId} and seq > 4`);
    expect((await verify(tenantId)).broken).toEqual({ kind: "truncated", seq: 5, detail: "rows 5 to 6 are missing at the end" });
  });

  test("rows that changed places", async () => {
    const tenantId = await chain();
    await tamper(
      get,
      `update audit.entry set seq = 100 where tenant_id = ${tenantId} and seq = 3;
       update audit.entry set seq = 3 where tenant_id = ${tenantId} and seq = 4;
       update audit.entry set seq = 4 where tenant_id = ${tenantId} and seq = 100`,
    );
    expect((await verify(tenantId)).broken).toMatchObject({ kind: "moved", seq: 3 });
  });

  test("a row doubled", async () => {
    const tenantId = await chain();
    await tamper(
      get,
      `insert into audit.entry select (jsonb_populate_record(e, jsonb_build_object('at', at + interval '1 ms'))).*
       from audit.entry e where tenant_id = ${tenantId} and seq = 2`,
    );
    expect((await verify(tenantId)).broken).toMatchObject({ kind: "moved", seq: 2 });
  });

  test("another tenant's chain under this one's name", async () => {
    const [theirs, mine] = [await chain(), next++];
    await tamper(get, `update audit.entry set tenant_id = ${mine} where tenant_id = ${theirs}`);
    expect((await verify(mine)).broken).toMatchObject({ kind: "edited", seq: 1 });
  });

  test.each([
    ["seq = 5", "head_changed"],
    ["seq = 7", "truncated"],
    ["hash = sha256('')", "head_changed"],
  ])("a head with %s", async (change, kind) => {
    const tenantId = await chain();
    await tamper(get, `update audit.head set ${change} where tenant_id = ${tenantId}`);
    expect((await verify(tenantId)).broken).toMatchObject({ kind });
  });

  test("a head taken away", async () => {
    const tenantId = await chain();
    await tamper(get, `delete from audit.head where tenant_id = ${tenantId}`);
    expect((await verify(tenantId)).broken).toMatchObject({ kind: "head_changed", seq: ROWS });
  });

  test("what a rewritten head hides, an exported one shows", async () => {
    const cut = await chain();
    const exported = [await head(cut)];
    await tamper(get, `delete from audit.entry where tenant_id = ${cut} and seq > 4`);
    await rehash(cut);
    expect((await verify(cut)).broken).toBeUndefined();
    expect((await verify(cut, exported)).broken).toMatchObject({ kind: "truncated", seq: 5 });

    const rewritten = await chain();
    const kept = [await head(rewritten)];
    await tamper(get, `update audit.entry set principal = 'x' where tenant_id = ${rewritten} and seq = 3`);
    await rehash(rewritten);
    expect((await verify(rewritten)).broken).toBeUndefined();
    expect((await verify(rewritten, kept)).broken).toMatchObject({ kind: "not_as_exported", seq: ROWS });

    const grown = await chain();
    const before = [await head(grown)];
    await databaseAudit(() => Promise.resolve(get().database)).append(entryOf(grown));
    expect((await verify(grown, before)).broken).toBeUndefined();
  });

  test("a long chain is read to its end", async () => {
    const tenantId = next++;
    await get().asSuperuser(async (client) => {
      await client.query(`begin; set local app.tenant_id = '${tenantId}'`);
      await client.query(
        `select audit.append('{"principal": "p", "operation": "run", "duration_ms": 1, "outcome": "ok"}') from generate_series(1, 4500)`,
      );
      await client.query("commit");
    });
    expect(await verify(tenantId)).toMatchObject({ rows: 4500, last: { seq: 4500 } });
    await tamper(get, `update audit.entry set outcome = 'no' where tenant_id = ${tenantId} and seq = 4321`);
    expect(await verify(tenantId)).toMatchObject({ rows: 4320, broken: { kind: "edited", seq: 4321 } });
  });

  test("months are dropped whole, what is left can be verified, and a made-up anchor is found", async () => {
    const [old, both, young] = [await chain(), await chain(), await chain()];
    const prune = (before: string) => pruneTrail(get().database, before, { who: "operator", now: new Date() });
    // As it stands a month later: rows of two months ago, hashed anew, in a partition of their own.
    await tamper(
      get,
      `set role metricgate_owner; select audit.ensure_partition(now() - interval '70 days'); reset role;
       update audit.entry set at = at - interval '70 days' where tenant_id = ${old} or (tenant_id = ${both} and seq <= 4)`,
    );
    await rehash(old);
    await rehash(both);
    const exported = await head(both);
    for (const tenantId of [old, both, young]) expect((await verify(tenantId)).broken).toBeUndefined();
    const running = new Date().toISOString().slice(0, 7);
    const dropped = await prune(running);
    expect(dropped).toEqual([{ month: expect.stringMatching(/^\d{4}_\d\d$/), tenants: 2 }]);
    expect(await prune(running)).toEqual([]);
    expect(await verify(old)).toMatchObject({ rows: 1, anchor: { seq: 6 }, last: { seq: 7 } });
    expect(await verify(both, [exported])).toMatchObject({ rows: 3, anchor: { seq: 4 }, last: { seq: 7 } });
    for (const tenantId of [old, both, young]) expect((await verify(tenantId)).broken).toBeUndefined();
    expect((await verify(both, [{ seq: 4, hash: "11".repeat(32) }])).broken).toMatchObject({ kind: "not_as_exported", seq: 4 });

    // Somebody deletes the beginning and claims that it was pruned.
    await tamper(
      get,
      `insert into audit.anchor (tenant_id, seq, hash, at) select tenant_id, seq, hash, at from audit.entry where tenant_id = ${young} and seq = 2;
       delete from audit.entry where tenant_id = ${young} and seq <= 2`,
    );
    expect((await verify(young)).broken).toMatchObject({ kind: "anchor_unknown", seq: 2 });
    await expect(prune("2999-01")).rejects.toMatchObject({ code: "SPEC_INVALID" });
    await expect(prune("2024-13")).rejects.toMatchObject({ code: "SPEC_INVALID" });
  });
});
