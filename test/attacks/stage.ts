import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { access } from "../../src/access.ts";
import { readConfig } from "../../src/config.ts";
import type { Database } from "../../src/db/database.ts";
import { openEmbedded } from "../../src/db/embedded/embedded.ts";
import { openNative } from "../../src/db/native.ts";
import type { SourceRecord } from "../../src/ingest/source.ts";
import { parseKeyRing } from "../../src/secrets/key-ring.ts";
import { DEFAULT_SCOPES } from "../../src/tenant.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { largestWorld, type World } from "../oracle/world.ts";
import { MARK, marked } from "../support/marked-world.ts";
import { HOSTILE_VALUES } from "../support/mcp-pipeline.ts";
import { createScratch, nativeTestUrl } from "../support/native-database.ts";
import { createTenant } from "../support/tenants.ts";

/** Two tenants with the same keys: A's own text is hostile, every text of B carries a mark. */
export interface Stage {
  /** The settings with which a server finds the database; whoever shows no credential acts for A. */
  readonly environment: Readonly<Record<string, string>>;
  /** Credentials by what cases call them: `$A.key`, `$A.revoked`, … */
  readonly keys: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** Hundreds of calls in a few seconds are the point here. */
const RING = `k1:${Buffer.alloc(32, 9).toString("base64")}`;
const UNLIMITED = {
  METRICGATE_RATE_LIMIT_TENANT: "1000000",
  METRICGATE_RATE_LIMIT_PRINCIPAL: "1000000",
  METRICGATE_SECRET_KEYS: RING,
};

export const DATABASES = ["native", "embedded"] as const;

/** Builds the stage; undefined where this database is not to be had. */
export async function openStage(kind: (typeof DATABASES)[number]): Promise<Stage | undefined> {
  if (kind === "embedded") {
    const dataDir = mkdtempSync(join(tmpdir(), "metricgate-attacks-"));
    const keys = await furnish(await openEmbedded({ dataDir, observe: () => undefined }));
    return {
      keys,
      environment: { METRICGATE_DATA_DIR: dataDir, METRICGATE_TENANT: "a", ...UNLIMITED },
      close: async () => rmSync(dataDir, { recursive: true, force: true }),
    };
  }
  const url = nativeTestUrl();
  if (url === undefined) return undefined;
  const scratch = await createScratch(url);
  const keys = await furnish(openNative({ url: scratch.url, observe: () => undefined }));
  return { keys, environment: { METRICGATE_DATABASE_URL: scratch.url, METRICGATE_TENANT: "a", ...UNLIMITED }, close: scratch.drop };
}

async function furnish(database: Database): Promise<Stage["keys"]> {
  await importIntoTenant(database, await createTenant(database, { id: 1, slug: "a" }), hostile(largestWorld(3)));
  await importIntoTenant(database, await createTenant(database, { id: 2, slug: "b" }), marked(largestWorld(4), MARK));
  const keys = await mintKeys(database);
  await database.close();
  return keys;
}

async function mintKeys(database: Database): Promise<Stage["keys"]> {
  const { createKey, revokeKey } = access(database, () => parseKeyRing(RING), readConfig({}, "/nowhere"));
  const order = { name: "attack", user: "ada", scopes: DEFAULT_SCOPES, allowed: {} };
  const a = (await createKey({ ...order, tenant: "a" })).key;
  const b = (await createKey({ ...order, tenant: "b" })).key;
  const revoked = await createKey({ ...order, tenant: "a" });
  await revokeKey(revoked.keyId);
  const secretOf = (key: string): string => key.slice(key.indexOf("_", 4) + 1);
  return {
    "$A.key_but_last": a.slice(0, -1),
    "$A.KEY": a.toUpperCase(),
    "$A.id_with_secret_of_b": a.replace(secretOf(a), secretOf(b)),
    "$A.revoked": revoked.key,
    "$A.expired": (await createKey({ ...order, tenant: "a", expiresAt: new Date(0) })).key,
    "$A.no_scope": (await createKey({ ...order, tenant: "a", scopes: ["search:read"] })).key,
    "$A.operate": (await createKey({ ...order, tenant: "a", scopes: ["jobs:operate"] })).key,
    "$A.key": a,
    "$B.key": b,
  };
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
