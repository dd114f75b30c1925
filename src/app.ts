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
import { createIdentity, type Identity, openKeyRing } from "./identity.ts";
import { writtenBehind } from "./kept-results.ts";
import type { JobHandle } from "./jobs/job.ts";
import type { TaskParts, TenantTask } from "./jobs/tasks.ts";
import { limited } from "./limited.ts";
import type { McpParts } from "./mcp/parts.ts";
import { loadPrompts } from "./mcp/prompt-files.ts";
import type { Observe } from "./observe/observation.ts";
import { createObservers, type Observers } from "./observe/observers.ts";
import { onceOpen } from "./once-open.ts";
import type { Prepare } from "./open-database.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import type { StoredResult } from "./result/page.ts";
import { embeddingProvider } from "./search/embedding-provider.ts";
import type { KeyRing } from "./secrets/key-ring.ts";
import type { Principal } from "./tenant.ts";

/** Room in this process for answers that can be paged: 256 MB in all, a quarter of it for one tenant. */
const RESULTS_MAX_BYTES = 256 * 2 ** 20;

/** How long a client that was just started for takes to have its lists; what answers is loaded then, while the database opens. */
const LISTS_FIRST_MS = 150;

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
  /** Begins to run background jobs in this process; see Background.work. */
  work(afterMs?: number): Promise<void>;
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
  readonly prepare?: Prepare;
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
  // The first lists need neither a driver nor what answers questions.
  const opened = onceOpen(async () => {
    const { openDatabase } = await import("./open-database.ts");
    setTimeout(() => void import("./answering.ts"), LISTS_FIRST_MS).unref();
    return openDatabase(config, observe, prepare);
  });
  const capacity = await openCapacity({ config, version, database: opened.get, observe });
  const { cache, closed, limiter } = capacity;
  const tenantTasks = tenantTasksOf(config, opened.get, observe);
  const background = openBackground({ config, database: opened.get, observe, tenantTasks, keepWarm: () => plain.keepWarm() });
  const own = memoryResultStore<StoredResult>({ maxBytes: RESULTS_MAX_BYTES, maxTenantBytes: RESULTS_MAX_BYTES / 4 });
  const results = writtenBehind(own, background.answers);
  const renderer = createRenderer({ fontFiles: config.chartFonts });
  const embeddings = config.embeddings && embeddingProvider(config.embeddings);
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
    work: (afterMs) => background.work(recorded.answerJob, afterMs),
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
