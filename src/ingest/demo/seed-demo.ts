import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "../../db/database.ts";
import { tenantDirectory } from "../../db/tenant-directory.ts";
import { toAppError } from "../../errors.ts";
import type { Observe } from "../../observe/observation.ts";
import { ACME_STORY, DEMO_STORY } from "./story.ts";

/** The tenants of the demo, each with what happened to it, no further back than a year's questions need. */
const FIRST = { slug: "demo", name: "Demo", story: DEMO_STORY, months: 13 } as const;
const SECOND = { slug: "acme", name: "Acme", story: ACME_STORY, months: 7 } as const;

/** By when a newcomer's first question has been answered. */
const SECOND_AFTER_MS = 1500;

export interface SeedOptions {
  readonly dataDir: string;
  readonly now: Date;
  readonly observe: Observe;
}

/**
 * Makes the two demo tenants where the embedded database has no tenant at all. Loading is most of a first start, so the
 * second tenant's data follows shortly after, also when the process ended in between: a file in the data directory says
 * that it is still to come. Resolves when the first tenant can be asked.
 */
export async function seedDemo(opening: Promise<Database>, options: SeedOptions): Promise<void> {
  // A directory that is just being made: what fills it is loaded while this thread waits for the database anyway.
  if (!existsSync(join(options.dataDir, "schema"))) void importer();
  const database = await opening;
  const directory = tenantDirectory(database);
  const pending = join(options.dataDir, "demo-pending");
  if ((await directory.list()).length === 0) {
    writeFileSync(pending, `${SECOND.slug}\n`, { mode: 0o600 });
    const { id } = await directory.create({ ...namesOf(FIRST), timezone: "UTC", weekStart: 1 });
    await directory.create({ ...namesOf(SECOND), timezone: "UTC", weekStart: 1 });
    await load(database, id, FIRST, options);
  }
  if (existsSync(pending)) setTimeout(() => void loadSecond(database, pending, options), SECOND_AFTER_MS).unref();
}

async function loadSecond(database: Database, pending: string, options: SeedOptions): Promise<void> {
  try {
    const tenant = await tenantDirectory(database).find(SECOND.slug);
    // Another process on the same directory may have been faster.
    if (tenant && existsSync(pending)) await load(database, tenant.id, SECOND, options);
    rmSync(pending, { force: true });
  } catch (error) {
    // All or nothing, and tried again at the next start: a database that was closed meanwhile (UNAVAILABLE) is no news.
    if (toAppError(error).code === "INTERNAL") options.observe({ kind: "unexpected_error", where: "demo", error });
  }
}

/** Loaded only where there is something to load: a later start waits for none of it. */
const importer = () => Promise.all([import("../import.ts"), import("./demo-source.ts")]);

async function load(database: Database, id: number, { story, months }: typeof FIRST | typeof SECOND, options: SeedOptions): Promise<void> {
  const { now, observe } = options;
  const [{ importInto }, { demoSource }] = await importer();
  await importInto(database, { id }, { instanceId: "inst1", source: demoSource({ story, now, months }), observe });
}

function namesOf({ slug, name }: typeof FIRST | typeof SECOND): { readonly slug: string; readonly name: string } {
  return { slug, name };
}
