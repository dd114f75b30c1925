import { readFile } from "node:fs/promises";
import type { ImportCommand } from "./cli/host.ts";
import type { Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import { migrateNative, type MigrateReport, readSchemaState } from "./db/migrate.ts";
import { withTenantWrite } from "./db/tenant-session.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import { AppError, toAppError } from "./errors.ts";
import { importInto, type ImportReport } from "./ingest/import.ts";
import { type Mapping, parseMapping } from "./ingest/mapping.ts";
import { openSource } from "./ingest/open-source.ts";
import type { Observe } from "./observe/observation.ts";

/** Brings the schema up to this release. The embedded database does so whenever it opens. */
export async function migrate(config: Config): Promise<MigrateReport | undefined> {
  return config.databaseUrl === undefined ? undefined : migrateNative(config.databaseUrl, config.databasePasswords);
}

/** Loads or updates one instance: all of it or nothing. Throws AppError NOT_FOUND for an unknown tenant. */
export async function importData(database: Database, order: ImportCommand, observe: Observe): Promise<ImportReport> {
  const tenant = await tenantDirectory(database).find(order.tenant);
  if (!tenant) {
    throw new AppError("NOT_FOUND", `There is no tenant "${order.tenant}".`, {
      next: "`metricgate tenant list` names the tenants, `metricgate tenant create` makes one.",
    });
  }
  const mapping: Mapping | null = order.mappingFile === undefined ? null : parseMapping(await readFile(order.mappingFile, "utf8"));
  const source = openSource(order.format, order.path, mapping);
  const progress = order.onProgress === undefined ? {} : { onProgress: order.onProgress };
  try {
    return await importInto(database, tenant, { instanceId: order.instance, source, mapping, observe, ...progress });
  } catch (error) {
    throw unreadable(error) ?? error;
  }
}

/** What a source throws by itself (a missing file, a file of another format) is the operator's to mend, not ours. */
function unreadable(error: unknown): AppError | undefined {
  const isPlain = error instanceof Error && (error.constructor === Error || error.constructor === RangeError || "syscall" in error);
  return isPlain
    ? new AppError("SPEC_INVALID", `${error.message}; nothing was loaded.`, { next: "Check the path, the format and the instance's name." })
    : undefined;
}

/** One thing that was looked at, and how to mend it when it is not well. */
export interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly found: string;
  readonly fix?: string;
}

/** Looks at the database, its schema, rights and data. Never throws: what cannot be looked at is a finding. */
export async function checkDatabase(open: () => Promise<Database>, config: Config): Promise<readonly Check[]> {
  let database: Database;
  try {
    database = await open();
  } catch (error) {
    const { message, details } = error instanceof AppError ? error : new AppError("UNAVAILABLE", String(error));
    return [{ what: "database", ok: false, found: message, fix: details.next ?? "Check METRICGATE_DATABASE_URL." }];
  }
  const found =
    config.databaseUrl === undefined
      ? `embedded, in ${config.dataDir}: for one operator's machine, not a wall between people`
      : "native PostgreSQL";
  return [
    { what: "database", ok: true, found },
    await checkSchema(database),
    await checkSetConfig(database),
    ...(await checkTenants(database)),
  ];
}

/** Looks whether jobs can be put in line. Never throws. */
export async function checkQueue(waiting: () => Promise<number>, { redisUrl }: Pick<Config, "redisUrl">): Promise<Check> {
  const where = redisUrl === undefined ? "in the database" : "in Redis";
  try {
    return { what: "job queue", ok: true, found: `${where}, ${await waiting()} jobs wait` };
  } catch (error) {
    const fix =
      redisUrl === undefined
        ? "Run `metricgate migrate`; the login metricgate_queue must be able to connect."
        : "Check METRICGATE_REDIS_URL and that Redis runs.";
    return { what: "job queue", ok: false, found: `${where}: ${toAppError(error).message}`, fix };
  }
}

async function checkSchema(database: Database): Promise<Check> {
  const { applied, known } = await readSchemaState(database);
  const ok = applied >= known;
  return { what: "schema", ok, found: `migration ${applied} of ${known}`, ...(ok ? {} : { fix: "Run `metricgate migrate`." }) };
}

/** The reader must not be able to change the tenant from inside a statement (the second lock). */
async function checkSetConfig(database: Database): Promise<Check> {
  const open = await database.session("directory", async (client) => {
    const { rows } = await client.query<{ open: boolean }>(
      "select has_function_privilege('metricgate_reader', 'pg_catalog.set_config(text, text, boolean)', 'execute') as open",
    );
    return rows[0]?.open ?? true;
  });
  const found = open ? "set_config can be executed by the reader" : "set_config is revoked from the reader";
  return {
    what: "second lock",
    ok: !open,
    found,
    ...(open ? { fix: "Run `metricgate migrate` once as a superuser; managed PostgreSQL may not allow it." } : {}),
  };
}

async function checkTenants(database: Database): Promise<Check[]> {
  const tenants = await tenantDirectory(database).list();
  if (tenants.length === 0) {
    return [{ what: "tenants", ok: false, found: "none", fix: "`metricgate tenant create <name>`, then `metricgate import`." }];
  }
  const checks: Check[] = [{ what: "tenants", ok: true, found: tenants.map((tenant) => tenant.slug).join(", ") }];
  for (const { id, slug } of tenants) checks.push(await checkStatuses(database, id, slug));
  return checks;
}

async function checkStatuses(database: Database, tenantId: number, slug: string): Promise<Check> {
  const unmapped = await withTenantWrite(database, tenantId, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      "select distinct name from warehouse.status where tenant_id = $1 and category is null order by 1",
      [tenantId],
    );
    return rows.map((row) => row.name);
  });
  const ok = unmapped.length === 0;
  const found = ok ? "every status has a category" : `statuses without a category: ${unmapped.join(", ")}`;
  return { what: `statuses of ${slug}`, ok, found, ...(ok ? {} : { fix: "Give them one with `metricgate import … --mapping <file>`." }) };
}
