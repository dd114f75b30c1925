import { beforeAll, expect, test } from "vitest";
import type { Database } from "../../src/db/database.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { createTenant, testTenant } from "../support/tenants.ts";

const A = testTenant({ id: 7 });
const B = testTenant({ id: 8 });
/** Tables of the warehouse that the reader has no right to at all. */
const CLOSED = ["warehouse.instance_credential"];

async function seed(database: Database): Promise<void> {
  for (const tenant of [A, B]) {
    await createTenant(database, tenant);
    await withTenantWrite(database, tenant.id, async (client) => {
      await client.query("insert into warehouse.tenant_state (tenant_id) values ($1)", [tenant.id]);
      await client.query("insert into warehouse.instance (tenant_id, instance_id, kind) values ($1, 'i', 'neutral')", [tenant.id]);
      await client.query("insert into warehouse.project (tenant_id, instance_id, project_key) values ($1, 'i', 'P')", [tenant.id]);
      await client.query("select warehouse.ensure_event_partitions('2025-01-01', '2026-06-01')");
      await client.query(
        `insert into warehouse.issue (tenant_id, issue_no, instance_id, issue_key, project_key, created_at)
         select $1, n, 'i', 'P-' || n, 'P', '2026-01-01' from generate_series(1, $1) n`,
        [tenant.id],
      );
      await client.query(
        `insert into warehouse.issue_event (tenant_id, issue_no, at, seq, field) values ($1, 1, '2026-02-01', 1, 'status')`,
        [tenant.id],
      );
    });
  }
}

/** The database's own SQLSTATE behind the port's error. */
async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "accepted",
    (error: { code: string; cause?: { code?: string } }) => error.cause?.code ?? error.code,
  );
}

describeOnEachDatabase("tenant walls", (get) => {
  const read = (prologue: string, text: string, values: unknown[] = []) =>
    get().database.read({ prologue, statement: { text, values }, timeoutMs: 5_000 });
  const asA = (text: string, values: unknown[] = []) => readAsTenant(get().database, A, { text, values }, { timeoutMs: 5_000 });
  const relations = async (): Promise<string[]> =>
    get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `select format('%I.%I', n.nspname, c.relname) as name
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'warehouse' and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
      );
      return rows.map((row) => row.name);
    });

  beforeAll(() => seed(get().database));

  test("a tenant sees its own rows only", async () => {
    const mine = await asA("select count(*), min(tenant_id), max(tenant_id) from warehouse.issue");
    expect(mine.rows).toEqual([[7, 7, 7]]);
    const events = await asA("select tenant_id from warehouse.issue_event");
    expect(events.rows).toEqual([[7]]);
  });

  test("without a context every table is empty, or closed", async () => {
    const names = (await relations()).filter((name) => !CLOSED.includes(name));
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) {
      const { rows } = await read("BEGIN READ ONLY; SET LOCAL ROLE metricgate_reader", `select count(*) from ${name}`);
      expect(rows, name).toEqual([[0]]);
    }
  });

  test("what no question needs, no reader sees", async () => {
    for (const name of CLOSED) expect(await refusal(asA(`select 1 from ${name}`)), name).toBe("42501");
  });

  test("a context and a predicate that disagree return nothing", async () => {
    const { rows } = await asA("select count(*) from warehouse.issue where tenant_id = $1", [8]);
    expect(rows).toEqual([[0]]);
  });

  test("the context cannot be changed from inside a statement", async () => {
    const hostile = "select count(*) from warehouse.issue where set_config('app.tenant_id', '8', true) is not null";
    expect(await refusal(asA(hostile))).toBe("42501");
    expect(await refusal(asA("select set_config('role', 'metricgate_ingest', true)"))).toBe("42501");
    expect(await refusal(asA("select 1; set local app.tenant_id = '8'"))).toBe("42601");
    expect(await refusal(asA("select query_to_xml('select 1', true, true, '')"))).toBe("42501");
    expect(await refusal(asA("select pg_sleep(0)"))).toBe("42501");
    expect(await refusal(asA("select pg_advisory_lock(1)"))).toBe("42501");
    expect(await refusal(asA("select lo_create(0)"))).toMatch(/42501|25006/);
  });

  test("the api login itself reads nothing", async () => {
    for (const name of await relations()) {
      expect(await refusal(read("BEGIN READ ONLY; SET LOCAL app.tenant_id = '7'", `select 1 from ${name}`)), name).toBe("42501");
    }
    expect(await refusal(read("BEGIN READ ONLY", "select 1 from directory.tenant"))).toBe("42501");
    expect(await refusal(asA("select 1 from directory.tenant"))).toBe("42501");
    expect(await refusal(asA("select 1 from directory.api_key"))).toBe("42501");
    expect(await refusal(asA("select 1 from ops.migration"))).toBe("42501");
    expect(await refusal(read("BEGIN READ ONLY; SET LOCAL ROLE metricgate_ingest", "select 1"))).toBe("42501");
    expect(await refusal(read("BEGIN READ ONLY; SET LOCAL ROLE metricgate_owner", "select 1"))).toBe("42501");
  });

  test("a reader cannot write", async () => {
    expect(await refusal(asA("delete from warehouse.issue"))).toMatch(/42501|25006/);
    const writable = "BEGIN READ WRITE; SET LOCAL ROLE metricgate_reader; SET LOCAL app.tenant_id = '7'";
    for (const name of await relations()) {
      expect(await refusal(read(writable, `delete from ${name}`)), name).toBe("42501");
    }
    expect(await refusal(read(writable, "create temp table t (n int)"))).toBe("42501");
    expect(await refusal(read(writable, "create table public.t (n int)"))).toBe("42501");
    expect(await refusal(asA("select warehouse.ensure_event_partitions(now(), now())"))).toBe("42501");
  });

  test("partitions are closed to readers and writers", async () => {
    expect(await refusal(asA("select 1 from warehouse.issue_event_2026"))).toBe("42501");
    const direct = withTenantWrite(get().database, 7, (client) => client.query("select 1 from warehouse.issue_event_2026"));
    expect(await refusal(direct)).toBe("42501");
  });

  test("a writer touches its own tenant only", async () => {
    const { database } = get();
    const foreign = withTenantWrite(database, 7, (client) =>
      client.query("insert into warehouse.project (tenant_id, instance_id, project_key) values (8, 'i', 'X')"),
    );
    expect(await refusal(foreign)).toBe("42501");
    const moved = withTenantWrite(database, 7, (client) => client.query("update warehouse.tenant_state set tenant_id = 8"));
    expect(await refusal(moved)).toBe("42501");
    const deleted = await withTenantWrite(
      database,
      7,
      async (client) => (await client.query("delete from warehouse.issue where tenant_id = 8")).rowCount,
    );
    expect(deleted).toBe(0);
    const blind = await database.session("ingest", async (client) => (await client.query("select from warehouse.issue")).rowCount);
    expect(blind).toBe(0);
    expect(await refusal(database.session("ingest", (client) => client.query("select from directory.tenant")))).toBe("42501");
    expect(await refusal(database.session("ingest", (client) => client.query("select from directory.api_key")))).toBe("42501");
    expect(await refusal(database.session("ingest", (client) => client.query("create table warehouse.t (n int)")))).toBe("42501");
    await expect(withTenantWrite(database, 0, async () => 1)).rejects.toThrow(RangeError);
  });

  test("the directory login reads no warehouse table", async () => {
    const { database } = get();
    const seen = await database.session(
      "directory",
      async (client) => (await client.query("select slug from directory.tenant order by 1")).rows,
    );
    expect(seen).toEqual([{ slug: "tenant-7" }, { slug: "tenant-8" }]);
    for (const name of await relations()) {
      expect(await refusal(database.session("directory", (client) => client.query(`select 1 from ${name}`))), name).toBe("42501");
    }
  });

  test("the owner sees nothing either, with or without a context", async () => {
    await get().asSuperuser(async (client) => {
      for (const name of await relations()) {
        await client.query("begin; set local role metricgate_owner; set local app.tenant_id = '7'");
        expect((await client.query(`select from ${name}`)).rowCount, name).toBe(0);
        await client.query("rollback");
      }
    });
  });
});
