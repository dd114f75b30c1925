import pg from "pg";
import type { ClientBase } from "pg";
import { AppError } from "../errors.ts";
import type { Database, Login } from "./database.ts";
import { databaseError, sqlStateOf } from "./failures.ts";
import { loadFoundations, loadMigrations, type Migration } from "./migration-files.ts";
import { roleOf } from "./login-pools.ts";
import { passwordOf, type LoginPasswords } from "./native.ts";
import { scramVerifier } from "./scram.ts";

/** What `migrate` did. */
export interface MigrateReport {
  /** Whether the connecting user could create roles, so that roles and rights were brought up to date. */
  readonly bootstrapped: boolean;
  /** The migrations applied now, as 'number-name'. */
  readonly applied: readonly string[];
  readonly schemaVersion: number;
}

/** Where the schema of a database stands against this release. */
export interface SchemaState {
  readonly applied: number;
  readonly known: number;
  /** The name of a migration newer than this release that it must not run with; undefined where there is none. */
  readonly brokenBy?: string;
}

/** 'mgmigrat' as a number: one lock for every runner on the database. */
const MIGRATION_LOCK = "7883389972209885556";
const LOGINS: readonly Login[] = ["api", "ingest", "directory", "migrator", "auditor", "jobs", "queue"];
/** What bootstrap.sql makes; the migrations grant to these. */
const ROLES = [...LOGINS.map(roleOf), "metricgate_owner", "metricgate_reader", "metricgate_audit_reader"];
const ATTEMPTS = 5;

interface Applied {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
  readonly breaking: boolean;
}

/** Two runners that touch one role at once: the later one has only to try again. */
function isRace(thrown: unknown): boolean {
  const code = sqlStateOf(thrown);
  const tuple = code === "XX000" && thrown instanceof Error && /tuple concurrently/.test(thrown.message);
  return tuple || ["23505", "42710", "40001", "40P01"].includes(code ?? "");
}

async function inTransaction<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const done = await work();
    await client.query("COMMIT");
    return done;
  } catch (thrown) {
    await client.query("ROLLBACK").catch(() => undefined); // on a lost connection: the first failure is the one to tell
    throw thrown;
  }
}

async function setPasswords(client: ClientBase, passwords: LoginPasswords): Promise<void> {
  for (const login of LOGINS) {
    const password = passwords[login];
    if (password === undefined) continue;
    await client.query(`ALTER ROLE ${roleOf(login)} PASSWORD '${scramVerifier(password)}'`);
  }
}

/** Brings roles and rights up to date where the user may create roles; says whether it did. */
export async function bootstrapRoles(client: ClientBase, passwords: LoginPasswords = {}): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    "select rolsuper or rolcreaterole as may from pg_roles where rolname = current_user",
  );
  if (rows[0]?.may !== true) return false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await inTransaction(client, async () => {
        await client.query(loadFoundations().bootstrap);
        await setPasswords(client, passwords);
      });
      return true;
    } catch (thrown) {
      if (!isRace(thrown) || attempt === ATTEMPTS) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
    }
  }
}

function refuse(message: string, next: string): never {
  throw new AppError("UNAVAILABLE", message, { next });
}

/** Refuses a schema that this release did not make: newer than it knows, or made from files since edited. */
function checkApplied(applied: readonly Applied[], known: readonly Migration[]): void {
  for (const row of applied) {
    const own = known[row.number - 1];
    if (own === undefined) {
      refuse(
        `The database has migration ${row.number} (${row.name}), this release knows ${known.length}.`,
        "Run the release that made the schema, or a newer one.",
      );
    }
    if (own.sha256 !== row.sha256) {
      refuse(
        `Migration ${row.number} (${own.name}) was changed after it had been applied.`,
        "Restore the file and write a new migration for the change.",
      );
    }
  }
}

async function applyPending(client: ClientBase, known: readonly Migration[]): Promise<readonly string[]> {
  await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  await client.query("SET LOCAL ROLE metricgate_owner");
  await client.query(loadFoundations().ledger);
  const { rows } = await client.query<Applied>("select number, name, sha256, breaking from ops.migration order by number");
  checkApplied(rows, known);
  const done: string[] = [];
  for (const migration of known.slice(rows.length)) {
    await client.query(migration.sql);
    await client.query("insert into ops.migration (number, name, sha256, breaking) values ($1, $2, $3, $4)", [
      migration.number,
      migration.name,
      migration.sha256,
      migration.breaking,
    ]);
    done.push(`${migration.number}-${migration.name}`);
  }
  return done;
}

/**
 * Brings the database of `client` to this release's schema: all pending migrations in one transaction, behind one
 * lock, so that it may be repeated and run twice at once. Throws AppError UNAVAILABLE where the schema is newer than
 * this release or an applied file was edited.
 */
export async function migrateWith(
  client: ClientBase,
  passwords: LoginPasswords = {},
  known: readonly Migration[] = loadMigrations(),
): Promise<MigrateReport> {
  try {
    const bootstrapped = await bootstrapRoles(client, passwords);
    const { rows } = await client.query<{ name: string }>("select name from unnest($1::text[]) name where to_regrole(name) is null", [
      ROLES,
    ]);
    if (rows.length > 0) {
      const names = rows.map((row) => row.name).join(", ");
      refuse(`The database lacks roles of this release: ${names}.`, "Run migrate once as a user that may create roles.");
    }
    const applied = await inTransaction(client, () => applyPending(client, known));
    return { bootstrapped, applied, schemaVersion: known.length };
  } catch (thrown) {
    throw databaseError(thrown);
  }
}

/** Migrates the server behind a URL, as the URL's own user; gives the logins their passwords where it may. */
export async function migrateNative(url: string, passwords: LoginPasswords = {}): Promise<MigrateReport> {
  const shared = passwordOf(url);
  const all = Object.fromEntries(LOGINS.map((login) => [login, passwords[login] ?? shared]));
  const client = new pg.Client({ connectionString: url, application_name: "metricgate migrate" });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await migrateWith(client, all as LoginPasswords);
  } catch (thrown) {
    throw databaseError(thrown);
  } finally {
    await client.end();
  }
}

/** Reads where the schema stands, by the directory login. A database without schema stands at 0. */
export async function readSchemaState(database: Database, known: readonly Migration[] = loadMigrations()): Promise<SchemaState> {
  const rows = await database.session("directory", async (client) => {
    const there = await client.query<{ there: boolean }>("select to_regclass('ops.migration') is not null as there");
    if (there.rows[0]?.there !== true) return [];
    return (await client.query<Applied>("select number, name, sha256, breaking from ops.migration order by number")).rows;
  });
  const broken = rows.find((row) => row.number > known.length && row.breaking);
  const state = { applied: rows.at(-1)?.number ?? 0, known: known.length };
  return broken === undefined ? state : { ...state, brokenBy: `${broken.number}-${broken.name}` };
}

/**
 * Throws AppError UNAVAILABLE unless this release can run on the database's schema: all its own migrations are there
 * and none newer is breaking. Servers ask at start and every now and then while they run.
 */
export async function assertSchema(database: Database): Promise<void> {
  const { applied, known, brokenBy } = await readSchemaState(database);
  if (brokenBy !== undefined) {
    refuse(`The database has moved on to a schema that this release cannot serve (${brokenBy}).`, "Start the newer release.");
  }
  if (applied < known) {
    refuse(`The database's schema is at ${applied}, this release needs ${known}.`, "Run `metricgate migrate`.");
  }
}
