import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { connections } from "../mcp/announce.ts";
import type { Announce } from "../mcp/announce.ts";
import { authInfoOf } from "../mcp/callers.ts";
import { withOwnJobs } from "../mcp/job-watch.ts";
import type { McpParts } from "../mcp/parts.ts";
import { scopesLacking } from "../mcp/scopes.ts";
import type { ServerFactory } from "../mcp/server.ts";
import type { Principal } from "../tenant.ts";
import { callerOf, hasCredentialInAddress } from "./caller.ts";
import type { HttpAuth } from "./challenge.ts";
import { legacySessions } from "./legacy-sessions.ts";
import type { SessionOptions } from "./legacy-sessions.ts";
import { refusals } from "./refusals.ts";

/** The protocol over HTTP: one function from a request to its response, and what is told to those who listen. */
export interface McpEndpoint extends Announce {
  respond(request: Request): Promise<Response>;
  close(): Promise<void>;
}

export interface EndpointOptions {
  readonly maxBodyBytes: number;
  readonly sessions: SessionOptions;
  readonly auth: HttpAuth;
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

  const refuse = refusals(options.auth, parts);
  const both = (tell: (to: Announce) => void): void => {
    tell(open);
    tell(handler.notify);
  };
  const answerCaller = async (body: Body, caller: Principal): Promise<Response> => {
    const lacking = scopesLacking(body.parsed, caller);
    if (lacking.length > 0) return refuse.scope(caller, lacking);
    const inSession = sessions.handle(body.request, body.parsed, caller);
    if (inSession !== null) return inSession;
    if (isInitializeRequest(body.parsed) && (await isLegacyRequest(body.request, body.parsed)))
      return sessions.open(body.request, body.parsed, caller);
    return handler.fetch(body.request, {
      authInfo: authInfoOf(caller),
      ...(body.parsed === undefined ? {} : { parsedBody: await withOwnJobs(body.parsed, caller, parts.pipeline) }),
    });
  };
  return {
    respond: async (request) => {
      if (hasCredentialInAddress(request)) return refuse.query();
      const caller = await callerOf(request, parts);
      if (caller instanceof AppError && !mayPass(request, caller, options.auth)) return refuse.identity(request, caller);
      if (!(caller instanceof AppError)) options.onCaller?.(request, caller);
      const body = request.method === "POST" ? await readBody(request) : { request, parsed: undefined };
      // Nobody can be identified while the database is away: what needs no data is answered, a call says why it cannot be.
      if (caller instanceof AppError) return handler.fetch(body.request, body.parsed === undefined ? {} : { parsedBody: body.parsed });
      return answerCaller(body, caller);
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

/** Where nobody need say who they are, the operator's own client gets its lists also while the database is away. */
function mayPass(request: Request, { code }: AppError, { required }: HttpAuth): boolean {
  return !required && request.headers.get("authorization") === null && PASSING.has(code);
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
