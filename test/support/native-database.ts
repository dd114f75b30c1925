import { randomBytes } from "node:crypto";
import pg from "pg";
import { bootstrapRoles, migrateNative } from "../../src/db/migrate.ts";
import { schemaFingerprint } from "../../src/db/migration-files.ts";

/** Where the scratch databases live; a superuser's URL. Undefined: no native server here. */
export function nativeTestUrl(): string | undefined {
  const url = process.env["TEST_DATABASE_URL"];
  if (url === undefined && process.env["CI"] === "true") throw new Error("TEST_DATABASE_URL is required where CI=true");
  return url;
}

/** The same server, another database. */
export function urlOfDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/** One superuser connection for as long as `work` takes. */
export async function asSuperuser<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const TEMPLATE_LOCK = 7_260_711;

/** Makes the migrated template once per schema; older ones go. Runs under a lock of the `postgres` database. */
async function ensureTemplate(admin: pg.Client, url: string): Promise<string> {
  const template = `metricgate_template_${schemaFingerprint().slice(0, 16)}`;
  const { rows } = await admin.query<{ datname: string }>("select datname from pg_database where datname like 'metricgate\\_template\\_%'");
  const names = rows.map((row) => row.datname);
  for (const old of names.filter((name) => name !== template)) await admin.query(`drop database "${old}" with (force)`);
  if (names.includes(template)) return template;
  const building = `${template.replace("template", "building")}`;
  await admin.query(`drop database if exists "${building}" with (force)`);
  await admin.query(`create database "${building}"`);
  await migrateNative(urlOfDatabase(url, building));
  await admin.query(`alter database "${building}" rename to "${template}"`);
  return template;
}

export interface ScratchDatabase {
  readonly url: string;
  readonly drop: () => Promise<void>;
}

/** A fresh database; migrated unless asked otherwise. */
export async function createScratch(url: string, migrated = true): Promise<ScratchDatabase> {
  const name = `metricgate_test_${process.pid}_${randomBytes(4).toString("hex")}`;
  const scratch = urlOfDatabase(url, name);
  await asSuperuser(url, async (admin) => {
    await admin.query("select pg_advisory_lock($1)", [TEMPLATE_LOCK]);
    const template = migrated ? await ensureTemplate(admin, url) : "template1";
    await admin.query(`create database "${name}" template "${template}"`);
  });
  // Rights on a database are not copied from its template.
  if (migrated) await asSuperuser(scratch, (client) => bootstrapRoles(client));
  return {
    url: scratch,
    drop: () => asSuperuser(url, async (admin) => void (await admin.query(`drop database if exists "${name}" with (force)`))),
  };
}
