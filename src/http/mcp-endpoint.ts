import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import { toAppError } from "../errors.ts";
import type { AppError } from "../errors.ts";
import { connections } from "../mcp/announce.ts";
import type { Announce } from "../mcp/announce.ts";
import { errorText } from "../mcp/answer.ts";
import { authInfoOf } from "../mcp/callers.ts";
import type { McpParts } from "../mcp/parts.ts";
import type { ServerFactory } from "../mcp/server.ts";
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
      let principal;
      try {
        principal = await parts.identify(request);
      } catch (thrown) {
        return refusal(toAppError(thrown), parts);
      }
      const body = request.method === "POST" ? await readBody(request) : { request, parsed: undefined };
      const inSession = sessions.handle(body.request, body.parsed, principal);
      if (inSession !== null) return inSession;
      if (isInitializeRequest(body.parsed) && (await isLegacyRequest(body.request, body.parsed))) return sessions.open(body.request, body.parsed, principal);
      return handler.fetch(body.request, { authInfo: authInfoOf(principal), ...(body.parsed === undefined ? {} : { parsedBody: body.parsed }) });
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
