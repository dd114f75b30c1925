import { join } from "node:path";
import { databaseAudit } from "./audit/database-audit.ts";
import { audited } from "./audited.ts";
import { openBackground } from "./background.ts";
import { memoryResultStore } from "./cache/result-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { loadCatalog } from "./catalog/load.ts";
import { type Capacity, openCapacity } from "./capacity.ts";
import { createRenderer } from "./chart/render/pool.ts";
import { type Config, PACKAGE_ROOT, packageVersion } from "./config.ts";
import type { Database } from "./db/database.ts";
import { refusePowerfulLogins } from "./db/login-power.ts";
import { assertSchema } from "./db/migrate.ts";
import { openNative } from "./db/native.ts";
import { createIdentity, type Identity, openKeyRing } from "./identity.ts";
import { writtenBehind } from "./kept-results.ts";
import type { JobHandle } from "./jobs/job.ts";
import type { TaskParts, TenantTask } from "./jobs/tasks.ts";
import { limited } from "./limited.ts";
import type { McpParts } from "./mcp/parts.ts";
import { loadPrompts } from "./mcp/prompt-files.ts";
import type { Observe } from "./observe/observation.ts";
import { createObservers, type Observers } from "./observe/observers.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import type { StoredResult } from "./result/page.ts";
import { httpEmbeddings } from "./search/http-embeddings.ts";
import type { KeyRing } from "./secrets/key-ring.ts";
import type { Principal } from "./tenant.ts";

/** Room in this process for answers that can be paged: 256 MB in all, a quarter of it for one tenant. */
const RESULTS_MAX_BYTES = 256 * 2 ** 20;

/** The product, put together. */
export interface App {
  readonly version: string;
  readonly config: Config;
  readonly catalog: Catalog;
  readonly pipeline: Pipeline;
  readonly observers: Observers;
  /** Opens the database at the first call; rejects with AppError UNAVAILABLE while it cannot be had, and tries anew at the next. */
  readonly database: () => Promise<Database>;
  /** Who acts where nobody logs in. */
  readonly identify: () => Promise<Principal>;
  /** Who acts over HTTP. */
  readonly identityOverHttp: Identity["overHttp"];
  /** Opened when first used. */
  readonly keyRing: () => KeyRing;
  /** What the protocol edge needs. */
  readonly mcp: McpParts;
  readonly limiter: Capacity["limiter"];
  /** Begins to run background jobs in this process. */
  work(): Promise<void>;
  /** Jobs in line. Throws UNAVAILABLE where that cannot be reached. */
  jobsWaiting(): Promise<number>;
  /** See Background.page. */
  queuePage(path: string, base: string): Promise<Response>;
  /** Tells of each job that moved in this process. */
  onJobMoved(listener: (job: JobHandle) => void): void;
  close(): Promise<void>;
}

export interface AppOptions {
  /** Whether numbers for a collector are kept. */
  readonly metrics?: boolean;
  readonly now?: () => Date;
  /** Runs once on a database that was just opened, before its first question. */
  readonly prepare?: (database: Database, observe: Observe) => Promise<void>;
}

/** Builds everything from the settings; the only place that chooses adapters. Throws CatalogInvalid. */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const version = packageVersion();
  const { metrics = false, now = () => new Date(), prepare } = options;
  const [observers, catalog, prompts] = await Promise.all([
    createObservers({ version, logLevel: config.logLevel, metrics, environment: process.env }),
    loadCatalog(config.catalogDir),
    loadPrompts(join(PACKAGE_ROOT, "prompts")),
  ]);
  const { observe } = observers;
  observe({ kind: "catalog_loaded", version: catalog.version, metrics: catalog.metrics.size, dimensions: catalog.dimensions.size });
  const opened = onceOpen(() => openDatabase(config, observers, prepare));
  const capacity = await openCapacity({ config, version, database: opened.get, observe });
  const { cache, closed, limiter } = capacity;
  const tenantTasks = tenantTasksOf(config, opened.get, observe);
  const background = openBackground({ config, database: opened.get, observe, tenantTasks });
  const own = memoryResultStore<StoredResult>({ maxBytes: RESULTS_MAX_BYTES, maxTenantBytes: RESULTS_MAX_BYTES / 4 });
  const results = writtenBehind(own, background.answers);
  const renderer = createRenderer({ fontFiles: config.chartFonts });
  const embeddings = config.embeddings && httpEmbeddings(config.embeddings);
  const parts = { catalog, database: opened.get, results, observe, now, cache, closed, renderer, jobs: background.desk };
  const plain = createPipeline({ ...parts, ...(embeddings === undefined ? {} : { embeddings }) });
  const recorded = audited(plain, databaseAudit(opened.get), observe);
  const pipeline = limited(recorded, limiter, observe);
  const keyRing = openKeyRing(config);
  const identity = createIdentity({ config, database: opened.get, ring: keyRing, observe });
  const close = async (): Promise<void> => {
    await renderer.close();
    await capacity.close();
    await background.close();
    await opened.close();
    await observers.close();
  };
  return {
    version,
    config,
    catalog,
    pipeline,
    observers,
    database: opened.get,
    identify: identity.local,
    identityOverHttp: identity.overHttp,
    keyRing,
    mcp: { version, prompts, pipeline, identify: identity.local, narrowsLocal: config.apiKey !== undefined, observe },
    limiter,
    work: () => background.work(recorded.answerJob),
    jobsWaiting: () => background.waiting(),
    queuePage: (path, base) => background.page(path, base),
    onJobMoved: (listener) => void background.events.listen(listener),
    close,
  };
}

/** What the clock asks for tenant by tenant. Loaded when first done. */
function tenantTasksOf({ embeddings }: Config, database: () => Promise<Database>, observe: Observe): TaskParts["tenantTasks"] {
  if (embeddings === undefined) return {};
  let loading: Promise<TenantTask> | undefined;
  const load = (): Promise<TenantTask> =>
    (loading ??= import("./search-operator.ts").then(({ embeddingTask }) => embeddingTask(database, embeddings, observe)));
  return { embed: async (tenantId, options) => (await load())(tenantId, options) };
}

/** Opens at the first use; a failed opening is tried again at the next. */
function onceOpen(open: () => Promise<Database>): { get: () => Promise<Database>; close: () => Promise<void> } {
  let opening: Promise<Database> | undefined;
  const get = (): Promise<Database> =>
    (opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    }));
  return {
    get,
    close: async () =>
      void (await opening?.then(
        (database) => database.close(),
        () => undefined,
      )),
  };
}

async function openDatabase(config: Config, { observe }: Observers, prepare: AppOptions["prepare"]): Promise<Database> {
  const database = await openAdapter(config, observe);
  try {
    await prepare?.(database, observe);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function openAdapter(config: Config, observe: Observers["observe"]): Promise<Database> {
  if (config.databaseUrl === undefined) {
    // Loaded only where used: the embedded engine is 27 MB that a server deployment never touches.
    const { openEmbedded } = await import("./db/embedded/embedded.ts");
    return openEmbedded({ dataDir: config.dataDir, observe });
  }
  const startMs = performance.now();
  const database = openNative({ url: config.databaseUrl, passwords: config.databasePasswords, observe });
  try {
    await assertSchema(database);
    await refusePowerfulLogins(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  observe({ kind: "database_opened", mode: "native", openMs: performance.now() - startMs });
  return database;
}
