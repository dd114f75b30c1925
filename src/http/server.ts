import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { AppError, toAppError } from "../errors.ts";
import type { Announce } from "../mcp/announce.ts";
import { errorEnvelope } from "../mcp/answer.ts";
import type { McpParts } from "../mcp/parts.ts";
import { serverFactory } from "../mcp/server.ts";
import type { Extension } from "../mcp/server.ts";
import { type HttpAuth, METADATA_PATH, resourceMetadata } from "./challenge.ts";
import { downloadRoutes } from "./downloads.ts";
import { createDrain, type Drain, refuseStopping } from "./drain.ts";
import { hostAndOriginGuard, originCheck } from "./guards.ts";
import type { SessionOptions } from "./legacy-sessions.ts";
import { mcpEndpoint } from "./mcp-endpoint.ts";
import type { McpEndpoint } from "./mcp-endpoint.ts";
import { healthRoutes, metricsRoute } from "./operator-routes.ts";
import type { OperatorRoutes } from "./operator-routes.ts";
import { jsonDepthLimit } from "./json-depth.ts";
import { QUEUE_PAGE_PATH, type QueuePageParts, queuePageRoutes } from "./queue-page.ts";
import { rateLimitHeaders } from "./rate-limit-headers.ts";
import type { CallsLeft, RateLimitHeaders } from "./rate-limit-headers.ts";
import { httpStatusOf } from "./status.ts";
import type { Principal } from "../tenant.ts";

export interface HttpOptions extends OperatorRoutes, Pick<QueuePageParts, "queuePage"> {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** See GuardOptions. */
  readonly allowedOrigins: readonly string[];
  /** See GuardOptions. */
  readonly publicUrl?: string;
  readonly mcp: McpParts;
  /** Default: no credential is required, and no issuer known. What is shown is checked by `mcp.identify`. */
  readonly auth?: HttpAuth;
  readonly extend?: Extension;
  readonly sessionStream?: SessionOptions["stream"];
  /** How many calls a caller has left; without it no answer says so. */
  readonly callsLeft?: (principal: Principal) => Promise<CallsLeft>;
}

export interface HttpEdge extends Announce {
  /** Where clients connect: `http://127.0.0.1:8765/mcp`. */
  readonly url: string;
  /** Says at once that it is not ready and begins nothing new; answers what runs, for 25 s at most; then closes. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUT_CHECK_MS = 2000;
const KEEP_ALIVE_MS = 30_000;
const MAX_CONNECTIONS = 1024;
/** How long calls that run get to be answered; orchestrators kill after 30 s. */
const DRAIN_MS = 25_000;
const CLOSE_GRACE_MS = 2000;
const CLOSE_CHECK_MS = 20;
const RATE_LIMIT_HEADERS = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"];
const MCP_HEADERS = ["mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"];
const FILE_HEADERS = ["accept-ranges", "content-disposition", "content-range", "etag"];
const SESSIONS = { maxSessions: 1000, idleMs: 30 * 60_000 };

/** Listens. Rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
export async function serveOverHttp(options: HttpOptions): Promise<HttpEdge> {
  const { host, port } = options;
  const address = (): string => `http://${shownHost(host)}:${(server.address() as AddressInfo).port}/mcp`;
  const mcp: McpParts = { ...options.mcp, resultsUrl: () => new URL("results/", options.publicUrl ?? address()).href };
  const sessions = { ...SESSIONS, ...(options.sessionStream === undefined ? {} : { stream: options.sessionStream }) };
  const auth: HttpAuth = options.auth ?? { required: false };
  const limits = options.callsLeft === undefined ? undefined : rateLimitHeaders(options.callsLeft);
  const told = limits === undefined ? {} : { onCaller: limits.onCaller };
  const endpoint = mcpEndpoint(mcp, serverFactory(mcp, options.extend), { maxBodyBytes: MAX_BODY_BYTES, sessions, auth, ...told });
  const drain = createDrain();
  const app = routes({ ...options, mcp, auth, isStopping: () => drain.isStopping }, { endpoint, limits, drain });
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    serverOptions: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
  }) as Server;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, host, port);
  const { toolsChanged, promptsChanged, resourcesChanged, resourceUpdated } = endpoint;
  return {
    url: address(),
    toolsChanged,
    promptsChanged,
    resourcesChanged,
    resourceUpdated,
    close: async () => {
      await drain.stop(DRAIN_MS);
      await close(server, endpoint);
    },
  };
}

interface Served {
  readonly endpoint: McpEndpoint;
  readonly limits: RateLimitHeaders | undefined;
  readonly drain: Drain;
}

function routes(options: HttpOptions & { readonly auth: HttpAuth }, { endpoint, limits, drain }: Served): Hono<{ Bindings: HttpBindings }> {
  const { mcp, allowedOrigins, publicUrl } = options;
  const app = new Hono<{ Bindings: HttpBindings }>();
  const originAllowed = originCheck(allowedOrigins);
  // Before the guard: an orchestrator asks by address.
  app.route("/health", healthRoutes(options));
  app.use(
    hostAndOriginGuard({
      host: options.host,
      allowedOrigins,
      observe: mcp.observe,
      ...(publicUrl === undefined ? {} : { publicUrl }),
    }),
  );
  app.use(
    cors({
      origin: (origin) => (originAllowed(origin) ? origin : null),
      allowMethods: ["GET", "POST", "DELETE"],
      allowHeaders: [...MCP_HEADERS, "content-type", "authorization", "last-event-id", "range", "if-range", "if-none-match"],
      exposeHeaders: ["mcp-session-id", "mcp-protocol-version", "www-authenticate", ...FILE_HEADERS, ...RATE_LIMIT_HEADERS],
      maxAge: 600,
    }),
  );
  // Before anyone is identified: this is where clients learn how to be.
  for (const path of metadataPaths(options.auth)) app.get(path, (context) => context.json(resourceMetadata(options.auth)));
  app.all(
    "/mcp",
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (context) => {
        mcp.observe({ kind: "request_refused", reason: "size", status: 413 });
        return context.json(
          { jsonrpc: "2.0", error: { code: -32_000, message: `A request may have at most ${MAX_BODY_BYTES} bytes.` }, id: null },
          413,
        );
      },
    }),
    jsonDepthLimit(mcp.observe),
    async (context) => {
      const request = context.req.raw;
      if (!drain.admit(request, context.env.outgoing)) return refuseStopping();
      const response = await endpoint.respond(request);
      return limits === undefined ? response : limits.decorate(request, response);
    },
  );
  app.route("/results", downloadRoutes({ mcp, auth: options.auth, limits, drain }));
  app.route(QUEUE_PAGE_PATH, queuePageRoutes({ ...options, drain }));
  app.get("/metrics", metricsRoute(options));
  app.notFound((context) =>
    context.json(errorEnvelope(new AppError("NOT_FOUND", "There is nothing here.", { next: "MCP clients connect to /mcp." })), 404),
  );
  app.onError((thrown, context) => {
    const error = toAppError(thrown);
    // A caller who hung up in the middle of a body is no mistake of ours, and nobody is left to answer.
    if (error.code === "INTERNAL" && !context.req.raw.signal.aborted)
      mcp.observe({ kind: "unexpected_error", where: "http", error: thrown });
    return Response.json(errorEnvelope(error), { status: httpStatusOf(error.code) });
  });
  return app;
}

/** At the root, for our own path, and for the path that a proxy shows us under. */
function metadataPaths({ oauth }: HttpAuth): readonly string[] {
  if (oauth === undefined) return [];
  const { pathname } = new URL(oauth.resource);
  return [...new Set([METADATA_PATH, `${METADATA_PATH}/mcp`, `${METADATA_PATH}${pathname === "/" ? "" : pathname}`])];
}

function listen(server: Server, host: string, port: number): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(port, host, () => {
    server.off("error", listening.reject);
    listening.resolve();
  });
  return listening.promise;
}

async function close(server: Server, endpoint: McpEndpoint): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that is busy now is idle in a moment, and would be kept alive.
  const idle = setInterval(() => server.closeIdleConnections(), CLOSE_CHECK_MS);
  const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await endpoint.close();
  await closed;
  clearInterval(idle);
  clearTimeout(grace);
}

function shownHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
