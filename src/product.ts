import { type App, createApp } from "./app.ts";
import type { Product, Serving } from "./cli/host.ts";
import type { Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import type { Observe } from "./observe/observation.ts";
import { settledWithin } from "./settled-within.ts";
import type { Principal } from "./tenant.ts";

/** How long the database and what works in the background get to end, once the last call is answered. */
const CLOSE_MS = 8_000;

/** How long a server leaves its database to the first questions, which the opening of the line would hold up by 0.3 s. */
const WORK_AFTER_MS = 2_000;

/** A running protocol server, for as long as the product is open. */
interface Edge {
  close(): Promise<void>;
}

/** What the commands run on: the app with an operator's tools and the protocol edges. */
export async function openProduct(
  config: Config,
  { demo = false, metrics = false }: { readonly demo?: boolean; readonly metrics?: boolean } = {},
): Promise<Product> {
  const isEmbedded = config.databaseUrl === undefined;
  // Importers and the demo load only when an operator's command needs them: a client that starts a server waits for it.
  const operator = () => import("./operator.ts");
  const oversight = () => import("./oversight.ts");
  const prepare = async (opening: Promise<Database>, observe: Observe): Promise<void> => {
    const { seedDemo } = await import("./ingest/demo/seed-demo.ts");
    await seedDemo(opening, { dataDir: config.dataDir, now: new Date(), observe });
  };
  const seed = demo && isEmbedded ? { prepare } : {};
  const app = await createApp(config, { metrics, ...seed });
  const { observe } = app.observers;
  const edges: Edge[] = [];
  return {
    ...app,
    tenants: async () => tenantDirectory(await app.database()),
    access: async () => (await import("./access.ts")).access(await app.database(), app.keyRing, config),
    migrate: async () => (isEmbedded ? (await app.database(), []) : ((await (await operator()).migrate(config))?.applied ?? [])),
    importData: async (order) => (await operator()).importData(await app.database(), order, observe),
    rebuildSearch: async (order) => (await import("./search-operator.ts")).rebuildSearch(await app.database(), order),
    embedIssues: async (order) => (await import("./search-operator.ts")).embedTenants(await app.database(), config, order),
    proveIsolation: async () => (await oversight()).proveIsolation(await app.database(), app.pipeline),
    verifyTrails: async (wanted) => (await oversight()).verifyTrails(await app.database(), wanted),
    exportHeads: async () => (await oversight()).exportHeads(await app.database(), new Date()),
    pruneTrails: async (before) => (await oversight()).pruneTrails(await app.database(), before, config.user),
    check: async () => {
      const checks = await (await operator()).checkDatabase(app.database, config);
      if (checks.some(({ what, ok }) => what === "database" && !ok)) return checks;
      const [{ checkAccess }, { checkSearch }] = await Promise.all([import("./access.ts"), import("./search-operator.ts")]);
      const database = await app.database();
      const queue = await (await operator()).checkQueue(app.jobsWaiting, config);
      return [...checks, queue, ...(await checkSearch(database, config)), ...(await checkAccess(database, app.keyRing, config))];
    },
    serveStdio: () => serveStdio(app, edges),
    serveHttp: (host, port) => serveHttp(app, edges, { host, port }),
    work: async () => {
      await app.database();
      await app.work();
    },
    close: async () => {
      await Promise.allSettled(edges.map((edge) => edge.close()));
      const closed = app.close();
      // A database or a Redis that does not answer would hold us for as long as it likes.
      if (await settledWithin(closed, CLOSE_MS)) await closed;
    },
  };
}

async function serveStdio(app: App, edges: Edge[]): Promise<Serving> {
  const { serveOverStdio } = await import("./mcp/stdio.ts");
  const { observe } = app.observers;
  const edge = serveOverStdio(app.mcp);
  edges.push(edge);
  const failed = (where: string) => (error: unknown) => observe({ kind: "unexpected_error", where, error });
  // One caller, whose library does not ask us what they may hear.
  app.onJobMoved(({ tenantId, jobId }) => {
    const tell = ({ tenant }: Principal): void => void (tenant.id === tenantId && edge.resourceUpdated(`metricgate://jobs/${jobId}`));
    app.identify().then(tell, failed("jobs"));
  });
  announce(app, { transport: "stdio" });
  void app.database().then(() => app.work(WORK_AFTER_MS).catch(failed("jobs")), failed("database"));
  return { closed: edge.closed };
}

async function serveHttp(app: App, edges: Edge[], { host, port }: { readonly host: string; readonly port: number }): Promise<Serving> {
  const { config, observers, limiter } = app;
  const { identify, auth } = await app.identityOverHttp(host);
  const { serveOverHttp } = await import("./http/server.ts");
  // Not ready also when the database went away, or moved on to a schema this release cannot serve.
  const ready = async (): Promise<boolean> => {
    const [{ assertSchema }, database] = await Promise.all([import("./db/migrate.ts"), app.database()]);
    await assertSchema(database);
    return true;
  };
  const edge = await serveOverHttp({
    host,
    port,
    allowedOrigins: config.allowedOrigins,
    mcp: { ...app.mcp, identify },
    auth,
    ready,
    callsLeft: limiter.state,
    queuePage: app.queuePage,
    ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    ...(observers.metricsText === undefined ? {} : { metricsText: observers.metricsText }),
  });
  edges.push(edge);
  app.onJobMoved(({ jobId }) => edge.resourceUpdated(`metricgate://jobs/${jobId}`));
  void app.work(WORK_AFTER_MS).catch((error: unknown) => observers.observe({ kind: "unexpected_error", where: "jobs", error }));
  announce(app, { transport: "http", address: edge.url });
  return { url: edge.url };
}

function announce(
  { config, observers: { observe } }: App,
  where: { readonly transport: "stdio" } | { readonly transport: "http"; readonly address: string },
): void {
  observe({ kind: "server_started", ...where, startMs: performance.now() });
  if (config.databaseUrl === undefined) observe({ kind: "one_operator_mode" });
}
