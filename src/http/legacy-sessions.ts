import { randomUUID } from "node:crypto";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import type { McpServer, WebStandardStreamableHTTPServerTransportOptions } from "@modelcontextprotocol/server";
import { authInfoOf } from "../mcp/callers.ts";
import type { Connections } from "../mcp/announce.ts";
import type { ServerFactory } from "../mcp/server.ts";
import { extentOf, type Principal } from "../tenant.ts";

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: McpServer;
  readonly principal: Principal;
  usedAtMs: number;
}

export interface SessionOptions {
  readonly maxSessions: number;
  readonly idleMs: number;
  /** For resumable streams; without it a broken stream is simply reopened. */
  readonly stream?: Pick<WebStandardStreamableHTTPServerTransportOptions, "eventStore" | "retryInterval">;
}

/**
 * Sessions of the protocol versions before 2026-07-28. They carry what a lone request cannot: change notices, log
 * level, cancellation by message. Losing one is harmless, since a request with an unknown session is answered alone.
 */
export interface LegacySessions {
  /** The session's answer, or null when this caller has no such session. */
  handle(request: Request, body: unknown, principal: Principal): Promise<Response> | null;
  /** Opens a session with an `initialize` request. */
  open(request: Request, body: unknown, principal: Principal): Promise<Response>;
  readonly size: number;
  close(): Promise<void>;
}

export function legacySessions(factory: ServerFactory, connections: Connections, options: SessionOptions): LegacySessions {
  const kept = keptSessions(connections, options);
  return {
    get size() {
      return kept.sessions.size;
    },
    handle: (request, body, principal) => {
      const id = request.headers.get("mcp-session-id") ?? "";
      if (kept.ended.has(id)) return Promise.resolve(sessionEnded());
      const session = kept.sessions.get(id);
      if (session === undefined || !samePrincipal(session.principal, principal)) return null;
      kept.touch(id, session);
      return inSession(session, request, body);
    },
    open: async (request, body, principal) => {
      const server = factory({ era: "legacy", authInfo: authInfoOf(principal) });
      const transport = new WebStandardStreamableHTTPServerTransport({
        ...options.stream,
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => kept.add(id, { transport, server, principal, usedAtMs: Date.now() }),
        onsessionclosed: (id) => kept.endedByClient(id),
      });
      await server.connect(transport);
      const response = await transport.handleRequest(request, { parsedBody: body, authInfo: authInfoOf(principal) });
      if (transport.sessionId === undefined) await server.close();
      return response;
    },
    close: kept.close,
  };
}

async function inSession({ transport, principal }: Session, request: Request, body: unknown): Promise<Response> {
  const response = await transport.handleRequest(request, {
    ...(body === undefined ? {} : { parsedBody: body }),
    authInfo: authInfoOf(principal),
  });
  // A cancelled call gets no answer, so that the library would keep its stream open for as long as the session.
  for (const id of cancelledBy(body)) transport.closeSSEStream(id);
  return response;
}

/** Requests that a body, one message or several, says are wanted no more. */
function cancelledBy(body: unknown): readonly (string | number)[] {
  return (Array.isArray(body) ? body : [body]).flatMap((message: unknown) => {
    const { method, params } = (message ?? {}) as { readonly method?: unknown; readonly params?: { readonly requestId?: unknown } };
    const id = params?.requestId;
    return method === "notifications/cancelled" && (typeof id === "string" || typeof id === "number") ? [id] : [];
  });
}

/** The sessions there are, in the order of their last use. */
interface KeptSessions {
  readonly sessions: ReadonlyMap<string, Session>;
  /** Sessions that their clients ended: asking on is a client's mistake, and it is told so. */
  readonly ended: ReadonlySet<string>;
  /** Makes room by ending those that were not used for longest. */
  add(id: string, session: Session): void;
  touch(id: string, session: Session): void;
  endedByClient(id: string): void;
  close(): Promise<void>;
}

function keptSessions(connections: Connections, options: SessionOptions): KeptSessions {
  const sessions = new Map<string, Session>();
  const ended = new Set<string>();
  const end = async (id: string): Promise<void> => {
    const session = sessions.get(id);
    sessions.delete(id);
    if (session === undefined) return;
    connections.forget(session.server);
    await session.server.close();
  };
  const sweep = setInterval(
    () => {
      const oldest = Date.now() - options.idleMs;
      for (const [id, session] of sessions) if (session.usedAtMs < oldest) void end(id);
    },
    Math.min(options.idleMs, 60_000),
  );
  sweep.unref();
  return {
    sessions,
    ended,
    add: (id, session) => {
      for (const [leastRecent] of sessions) {
        if (sessions.size < options.maxSessions) break;
        void end(leastRecent);
      }
      sessions.set(id, session);
      connections.add(session.server);
    },
    touch: (id, session) => {
      session.usedAtMs = Date.now();
      sessions.delete(id);
      sessions.set(id, session);
    },
    endedByClient: (id) => {
      const session = sessions.get(id);
      sessions.delete(id);
      if (session !== undefined) connections.forget(session.server);
      rememberEnded(ended, id);
    },
    close: async () => {
      clearInterval(sweep);
      await Promise.allSettled([...sessions.keys()].map(end));
    },
  };
}

const MAX_ENDED = 1000;

function rememberEnded(ended: Set<string>, id: string): void {
  ended.add(id);
  for (const oldest of ended) {
    if (ended.size <= MAX_ENDED) break;
    ended.delete(oldest);
  }
}

function sessionEnded(): Response {
  return Response.json({ jsonrpc: "2.0", error: { code: -32_001, message: "This session has ended." }, id: null }, { status: 404 });
}

/** A session is one caller's with one extent of rights: a wider one's streams are not a narrower one's. */
function samePrincipal(a: Principal, b: Principal): boolean {
  return a.user === b.user && extentOf(a) === extentOf(b);
}
