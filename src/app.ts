import { join } from "node:path";
import { identifyLocal } from "./auth/identify.ts";
import { memoryResultStore } from "./cache/result-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { loadCatalog } from "./catalog/load.ts";
import { type Capacity, openCapacity } from "./capacity.ts";
import { type Config, PACKAGE_ROOT, packageVersion } from "./config.ts";
import type { Database } from "./db/database.ts";
import { assertSchema } from "./db/migrate.ts";
import { openNative } from "./db/native.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import { limited } from "./limited.ts";
import type { McpParts } from "./mcp/parts.ts";
import { loadPrompts } from "./mcp/prompt-files.ts";
import type { Product } from "./cli/host.ts";
import type { Observe } from "./observe/observation.ts";
import { createObservers, type Observers } from "./observe/observers.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import type { StoredResult } from "./result/page.ts";
import type { Principal } from "./tenant.ts";

/** Room for answers that can be paged: 256 MB in all, a quarter of it for one tenant. */
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
  /** What the protocol edge needs. */
  readonly mcp: McpParts;
  readonly limiter: Capacity["limiter"];
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
  const results = memoryResultStore<StoredResult>({ maxBytes: RESULTS_MAX_BYTES, maxTenantBytes: RESULTS_MAX_BYTES / 4 });
  const capacity = await openCapacity(config, version, observe);
  const { cache, closed, limiter } = capacity;
  const unlimited = createPipeline({ catalog, database: opened.get, results, observe, now, cache, closed });
  const pipeline = limited(unlimited, limiter, observe);
  let principal: Promise<Principal> | undefined;
  const identify = (): Promise<Principal> =>
    (principal ??= opened
      .get()
      .then((database) => identifyLocal(config, (slug) => tenantDirectory(database).find(slug)))
      .catch((error: unknown) => {
        principal = undefined;
        throw error;
      }));
  const close = async (): Promise<void> => {
    await capacity.close();
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
    identify,
    mcp: { version, prompts, pipeline, identify, observe },
    limiter,
    close,
  };
}

/** What the commands run on: the app with an operator's tools and the protocol edges. */
export async function openProduct(
  config: Config,
  { demo = false, metrics = false }: { readonly demo?: boolean; readonly metrics?: boolean } = {},
): Promise<Product> {
  const isEmbedded = config.databaseUrl === undefined;
  // Importers and the demo load only when an operator's command needs them: a client that starts a server waits for it.
  const operator = () => import("./operator.ts");
  const seed =
    demo && isEmbedded
      ? { prepare: async (database: Database, observe: Observe) => void (await (await operator()).seedDemo(database, new Date(), observe)) }
      : {};
  const app = await createApp(config, { metrics, ...seed });
  const { observe, metricsText } = app.observers;
  const edges: { close(): Promise<void> }[] = [];
  return {
    ...app,
    tenants: async () => tenantDirectory(await app.database()),
    migrate: async () => (isEmbedded ? (await app.database(), []) : ((await (await operator()).migrate(config))?.applied ?? [])),
    importData: async (order) => (await operator()).importData(await app.database(), order, observe),
    check: async () => (await operator()).checkDatabase(app.database, config),
    serveStdio: async () => {
      const { serveOverStdio } = await import("./mcp/stdio.ts");
      const edge = serveOverStdio(app.mcp);
      edges.push(edge);
      observe({ kind: "server_started", transport: "stdio", startMs: performance.now() });
      void app.database().catch((error: unknown) => observe({ kind: "unexpected_error", where: "database", error }));
      return { closed: edge.closed };
    },
    serveHttp: async (host, port) => {
      const { serveOverHttp } = await import("./http/server.ts");
      // Not ready also when the database went away, or moved on to a schema this release cannot serve.
      const ready = async (): Promise<boolean> => (await assertSchema(await app.database()), true);
      const edge = await serveOverHttp({
        host,
        port,
        allowedOrigins: config.allowedOrigins,
        mcp: app.mcp,
        ready,
        callsLeft: app.limiter.state,
        ...(metricsText === undefined ? {} : { metricsText }),
      });
      edges.push(edge);
      observe({ kind: "server_started", transport: "http", address: edge.url, startMs: performance.now() });
      return { url: edge.url };
    },
    close: async () => {
      await Promise.allSettled(edges.map((edge) => edge.close()));
      await app.close();
    },
  };
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
  } catch (error) {
    await database.close();
    throw error;
  }
  observe({ kind: "database_opened", mode: "native", openMs: performance.now() - startMs });
  return database;
}
