import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import { AppError, toAppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { connections } from "../mcp/announce.ts";
import type { Announce } from "../mcp/announce.ts";
import { errorText } from "../mcp/answer.ts";
import { authInfoOf } from "../mcp/callers.ts";
import type { McpParts } from "../mcp/parts.ts";
import type { ServerFactory } from "../mcp/server.ts";
import type { Principal } from "../tenant.ts";
import { legacySessions } from "./legacy-sessions.ts";
import type { SessionOptions } from "./legacy-sessions.ts";
import { httpStatusOf } from "./status.ts";

/** The protocol over HTTP: one function from a request to its response, and what is told to those who listen. */
export interface McpEndpoint extends Announce {
  respond(request: Request): Promise<Response>;
  close(): Promise<void>;
}

export interface EndpointOptions {
  readonly maxBodyBytes: number;
  readonly sessions: SessionOptions;
  /** Told who makes a request, when that is known. */
  readonly onCaller?: (request: Request, principal: Principal) => void;
}

export function mcpEndpoint(parts: McpParts, factory: ServerFactory, options: EndpointOptions): McpEndpoint {
  const report = (error: unknown): void => parts.observe({ kind: "unexpected_error", where: "http", error });
  const open = connections(report);
  const sessions = legacySessions(factory, open, options.sessions);
  const handler = createMcpHandler(factory, {
    legacy: "stateless",
    maxRequestBodySize: options.maxBodyBytes,
    // The library reports what it refuses here, mostly callers' mistakes; their text is not ours to log as an error.
    onerror: () => parts.observe({ kind: "request_refused", reason: "protocol", status: 400 }),
  });

  const both = (tell: (to: Announce) => void): void => {
    tell(open);
    tell(handler.notify);
  };
  return {
    respond: async (request) => {
      const caller = await callerOf(request, parts);
      if (caller instanceof AppError && !PASSING.has(caller.code)) return refusal(caller, parts);
      if (!(caller instanceof AppError)) options.onCaller?.(request, caller);
      const body = request.method === "POST" ? await readBody(request) : { request, parsed: undefined };
      // Nobody can be identified while the database is away: what needs no data is answered, a call says why it cannot be.
      if (caller instanceof AppError) return handler.fetch(body.request, body.parsed === undefined ? {} : { parsedBody: body.parsed });
      const inSession = sessions.handle(body.request, body.parsed, caller);
      if (inSession !== null) return inSession;
      if (isInitializeRequest(body.parsed) && (await isLegacyRequest(body.request, body.parsed)))
        return sessions.open(body.request, body.parsed, caller);
      return handler.fetch(body.request, {
        authInfo: authInfoOf(caller),
        ...(body.parsed === undefined ? {} : { parsedBody: body.parsed }),
      });
    },
    toolsChanged: () => both((to) => to.toolsChanged()),
    promptsChanged: () => both((to) => to.promptsChanged()),
    resourcesChanged: () => both((to) => to.resourcesChanged()),
    resourceUpdated: (uri) => both((to) => to.resourceUpdated(uri)),
    close: async () => {
      await Promise.allSettled([sessions.close(), handler.close()]);
    },
  };
}

/** Failures that leave the question who calls open, rather than answer it. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "TIMEOUT", "BUSY"]);

async function callerOf(request: Request, parts: McpParts): Promise<Principal | AppError> {
  try {
    return await parts.identify(request);
  } catch (thrown) {
    return toAppError(thrown);
  }
}

interface Body {
  readonly request: Request;
  /** Undefined when the body is not JSON; the library then reads and refuses the request itself. */
  readonly parsed: unknown;
}

async function readBody(request: Request): Promise<Body> {
  const text = await request.text();
  try {
    return { request, parsed: JSON.parse(text) };
  } catch {
    return { request: new Request(request.url, { method: "POST", headers: request.headers, body: text }), parsed: undefined };
  }
}

/** Why the caller may not speak to us, as the protocol says it. */
function refusal(error: AppError, parts: McpParts): Response {
  const status = httpStatusOf(error.code);
  if (error.code === "INTERNAL") parts.observe({ kind: "unexpected_error", where: "identify", error: error.details.cause ?? error });
  parts.observe({ kind: "request_refused", reason: "identity", status });
  const headers: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : {};
  if (error.details.retryAfterSeconds !== undefined) headers["retry-after"] = String(Math.ceil(error.details.retryAfterSeconds));
  return Response.json({ jsonrpc: "2.0", error: { code: -32_000, message: errorText(error) }, id: null }, { status, headers });
}
