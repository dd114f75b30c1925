import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, describe, expect, test } from "vitest";
import { assertSchema, bootstrapRoles, migrateNative, migrateWith, readSchemaState } from "../../src/db/migrate.ts";
import { loadMigrations, migrationOf, schemaFingerprint } from "../../src/db/migration-files.ts";
import { openNative } from "../../src/db/native.ts";
import { must } from "../../src/must.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { asSuperuser, createScratch, nativeTestUrl, urlOfDatabase, type ScratchDatabase } from "../support/native-database.ts";

const KNOWN = loadMigrations();
const next = KNOWN.length + 1;
const file = (name: string): string => `${String(next).padStart(4, "0")}-${name}.sql`;

test("a migration's number, name and first line come from its file", () => {
  expect(migrationOf("0012-a-b.sql", "-- breaking: x\nselect 1")).toMatchObject({ number: 12, name: "a-b", breaking: true });
  expect(migrationOf("0012-a.sql", "select 1 -- breaking")).toMatchObject({ breaking: false });
  expect(() => migrationOf("12-a.sql", "")).toThrow();
  expect(KNOWN.map(({ number }) => number)).toEqual(KNOWN.map((_, index) => index + 1));
  expect(schemaFingerprint()).toMatch(/^[0-9a-f]{64}$/);
});

test("two runners that touch one role at once try again, but not for ever, and not after another failure", async () => {
  const failing = (error: Error, times: number) => {
    let left = times;
    const asked: string[] = [];
    const query = async (sql: string) => {
      asked.push(sql);
      if (sql.startsWith("select rolsuper")) return { rows: [{ may: true }] };
      if (/create role/.test(sql) && left-- > 0) throw error;
      return { rows: [] };
    };
    return { client: { query } as unknown as pg.Client, attempts: () => asked.filter((sql) => /create role/.test(sql)).length };
  };
  const race = Object.assign(new Error("tuple concurrently updated"), { code: "XX000" });
  const once = failing(race, 1);
  await expect(bootstrapRoles(once.client)).resolves.toBe(true);
  expect(once.attempts()).toBe(2);
  const always = failing(race, 99);
  await expect(bootstrapRoles(always.client)).rejects.toBe(race);
  expect(always.attempts()).toBe(5);
  const other = failing(Object.assign(new Error("no"), { code: "42501" }), 99);
  await expect(bootstrapRoles(other.client)).rejects.toThrow("no");
  expect(other.attempts()).toBe(1);
});

describeOnEachDatabase("a migrated database", (get) => {
  test("is left alone by a second run", async () => {
    expect(await get().asSuperuser((client) => migrateWith(client))).toEqual({
      bootstrapped: true,
      applied: [],
      schemaVersion: KNOWN.length,
    });
    await expect(assertSchema(get().database)).resolves.toBeUndefined();
  });

  test("refuses a failing migration as a whole", async () => {
    const broken = migrationOf(file("broken"), "create table warehouse.half (tenant_id int); select 1 / 0;");
    await expect(get().asSuperuser((client) => migrateWith(client, {}, [...KNOWN, broken]))).rejects.toMatchObject({ code: "INTERNAL" });
    const left = await get().asSuperuser((client) => client.query("select to_regclass('warehouse.half') as t"));
    expect(left.rows).toEqual([{ t: null }]);
  });

  test("refuses an applied migration that was edited", async () => {
    const edited = KNOWN.map((one, index) => (index === 0 ? { ...one, sha256: "0".repeat(64) } : one));
    await expect(get().asSuperuser((client) => migrateWith(client, {}, edited))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: /was changed/,
    });
  });

  test("goes on with new ones, raises their walls, and is then too new for this release only where breaking", async () => {
    const add = migrationOf(
      file("add"),
      "create table warehouse.added (tenant_id int not null primary key); select ctx.raise_wall('warehouse.added');",
    );
    const report = await get().asSuperuser((client) => migrateWith(client, {}, [...KNOWN, add]));
    expect(report).toMatchObject({ applied: [`${next}-add`], schemaVersion: next });
    const walls = await get().asSuperuser((client) =>
      client.query("select polname from pg_policy where polrelid = 'warehouse.added'::regclass order by 1"),
    );
    expect(walls.rows.map((row: { polname: string }) => row.polname)).toEqual(["ingest_all", "reader_select", "tenant_wall"]);
    expect(await readSchemaState(get().database)).toEqual({ applied: next, known: KNOWN.length });
    await expect(assertSchema(get().database)).resolves.toBeUndefined();
    await expect(get().asSuperuser((client) => migrateWith(client))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: /this release knows/,
    });
    await get().asSuperuser((client) => client.query("update ops.migration set breaking = true where number = $1", [next]));
    await expect(assertSchema(get().database)).rejects.toMatchObject({ code: "UNAVAILABLE", message: /moved on/ });
  });
});

const url = nativeTestUrl();
describe.skipIf(url === undefined)("migrating a native server", () => {
  const scratches: ScratchDatabase[] = [];
  const fresh = async (): Promise<string> => {
    const scratch = await createScratch(must(url, "TEST_DATABASE_URL"), false);
    scratches.push(scratch);
    return scratch.url;
  };
  afterEach(() => Promise.all(scratches.splice(0).map((scratch) => scratch.drop())));

  test("four runners at once on two databases apply each migration once", async () => {
    const [a, b] = [await fresh(), await fresh()];
    const reports = await Promise.all([a, a, b, b].map((one) => migrateNative(one)));
    expect(reports.map(({ applied }) => applied.length).toSorted()).toEqual([0, 0, KNOWN.length, KNOWN.length]);
  });

  test("a runner that is ended midway leaves nothing", async () => {
    const one = await fresh();
    const slow = migrationOf(file("slow"), "select count(*) from generate_series(1, 2000000000)");
    const client = new pg.Client({ connectionString: one });
    client.on("error", () => undefined);
    await client.connect();
    const running = expect(migrateWith(client, {}, [...KNOWN, slow])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await sleep(500);
    (client as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
    await running;
    await asSuperuser(one, (admin) =>
      admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"),
    );
    expect(await migrateNative(one)).toMatchObject({ applied: KNOWN.map(({ number, name }) => `${number}-${name}`) });
  });

  test("an empty database is behind, one that is not there UNAVAILABLE", async () => {
    const one = await fresh();
    await asSuperuser(one, async (client) => {
      await client.query("grant connect on database " + new URL(one).pathname.slice(1) + " to metricgate_directory");
    });
    const database = openNative({ url: one, observe: () => undefined });
    await expect(assertSchema(database)).rejects.toMatchObject({ code: "UNAVAILABLE", message: /is at 0/ });
    await database.close();
    await expect(migrateNative(urlOfDatabase(one, "metricgate_absent"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("the migrator login migrates without being able to make roles, and gives no passwords", async () => {
    const one = await fresh();
    await migrateNative(one);
    const as = new URL(one);
    as.username = "metricgate_migrator";
    expect(await migrateNative(as.href)).toEqual({ bootstrapped: false, applied: [], schemaVersion: KNOWN.length });
  });

  test("logins get the passwords they are given, and the server keeps only verifiers", async () => {
    const one = await fresh();
    await migrateNative(one, { directory: "s3cret é" });
    const stored = await asSuperuser(one, async (client) => {
      const { rows } = await client.query<{ p: string }>("select rolpassword as p from pg_authid where rolname = 'metricgate_directory'");
      await client.query("alter role metricgate_directory password null");
      return rows[0]?.p;
    });
    expect(stored).toMatch(/^SCRAM-SHA-256\$4096:/);
  });

  test("the powers of each role are what the design says", async () => {
    const one = await fresh();
    await migrateNative(one);
    const { rows } = await asSuperuser(one, (client) =>
      client.query(`select rolname, rolcanlogin, rolinherit from pg_roles
        where rolname ~ '^metricgate_(owner|migrator|ingest|api|reader|directory|auditor|audit_reader)$'
          and not (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication) order by 1`),
    );
    expect(rows).toEqual([
      { rolname: "metricgate_api", rolcanlogin: true, rolinherit: false },
      { rolname: "metricgate_audit_reader", rolcanlogin: false, rolinherit: true },
      { rolname: "metricgate_auditor", rolcanlogin: true, rolinherit: false },
      { rolname: "metricgate_directory", rolcanlogin: true, rolinherit: false },
      { rolname: "metricgate_ingest", rolcanlogin: true, rolinherit: false },
      { rolname: "metricgate_migrator", rolcanlogin: true, rolinherit: true },
      { rolname: "metricgate_owner", rolcanlogin: false, rolinherit: true },
      { rolname: "metricgate_reader", rolcanlogin: false, rolinherit: true },
    ]);
    const members = await asSuperuser(one, (client) =>
      client.query(
        "select roleid::regrole::text as role, member::regrole::text as member from pg_auth_members where roleid::regrole::text like 'metricgate%' order by 1",
      ),
    );
    expect(members.rows).toEqual([
      { role: "metricgate_audit_reader", member: "metricgate_migrator" },
      { role: "metricgate_owner", member: "metricgate_migrator" },
      { role: "metricgate_reader", member: "metricgate_api" },
    ]);
    const owned = await asSuperuser(one, (client) =>
      client.query(
        "select count(*)::int as n from pg_class where relowner::regrole::text in ('metricgate_api', 'metricgate_ingest', 'metricgate_directory', 'metricgate_reader', 'metricgate_auditor', 'metricgate_audit_reader')",
      ),
    );
    expect(owned.rows).toEqual([{ n: 0 }]);
  });
});
