import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../../src/db/database.ts";
import { openEmbedded } from "../../src/db/embedded/embedded.ts";
import { openNative } from "../../src/db/native.ts";
import type { SourceRecord } from "../../src/ingest/source.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { largestWorld, type World } from "../oracle/world.ts";
import { MARK, marked } from "../support/marked-world.ts";
import { HOSTILE_VALUES } from "../support/mcp-pipeline.ts";
import { createScratch, nativeTestUrl } from "../support/native-database.ts";
import { createTenant } from "../support/tenants.ts";

/** Two tenants with the same keys: A's own text is hostile, every text of B carries a mark. */
export interface Stage {
  /** The settings with which a server finds the database. */
  readonly environment: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** Hundreds of calls in a few seconds are the point here. */
const UNLIMITED = { METRICGATE_RATE_LIMIT_TENANT: "1000000", METRICGATE_RATE_LIMIT_PRINCIPAL: "1000000" };

export const DATABASES = ["native", "embedded"] as const;

/** Builds the stage; undefined where this database is not to be had. */
export async function openStage(kind: (typeof DATABASES)[number]): Promise<Stage | undefined> {
  if (kind === "embedded") {
    const dataDir = mkdtempSync(join(tmpdir(), "metricgate-attacks-"));
    await furnish(await openEmbedded({ dataDir, observe: () => undefined }));
    return {
      environment: { METRICGATE_DATA_DIR: dataDir, METRICGATE_TENANT: "a", ...UNLIMITED },
      close: async () => rmSync(dataDir, { recursive: true, force: true }),
    };
  }
  const url = nativeTestUrl();
  if (url === undefined) return undefined;
  const scratch = await createScratch(url);
  await furnish(openNative({ url: scratch.url, observe: () => undefined }));
  return { environment: { METRICGATE_DATABASE_URL: scratch.url, METRICGATE_TENANT: "a", ...UNLIMITED }, close: scratch.drop };
}

async function furnish(database: Database): Promise<void> {
  await importIntoTenant(database, await createTenant(database, { id: 1, slug: "a" }), hostile(largestWorld(3)));
  await importIntoTenant(database, await createTenant(database, { id: 2, slug: "b" }), marked(largestWorld(4), MARK));
  await database.close();
}

/** The same world with texts that try to be instructions, formulas, or the end of their block. */
function hostile(world: World): World {
  const textOf = (at: number): string => HOSTILE_VALUES[at % HOSTILE_VALUES.length] ?? "";
  const spoil = (record: SourceRecord, at: number): SourceRecord =>
    record.kind === "issue"
      ? {
          ...record,
          labels: [...record.labels, textOf(at)],
          assignee: textOf(at),
          summary: textOf(at),
          ...(at % 3 === 0 ? { type: textOf(at) } : {}),
        }
      : record;
  return { ...world, instances: world.instances.map((one) => ({ ...one, records: one.records.map(spoil) })) };
}
