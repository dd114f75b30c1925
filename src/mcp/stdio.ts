import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Transport } from "@modelcontextprotocol/server";
import { connections } from "./announce.ts";
import type { Announce } from "./announce.ts";
import { authInfoOf } from "./callers.ts";
import type { McpParts } from "./parts.ts";
import { serverFactory } from "./server.ts";

/** How long calls that run get to be answered once the process is asked to stop. */
const DRAIN_MS = 25_000;

export interface StdioEdge extends Announce {
  /** Settles when the client has gone. */
  readonly closed: Promise<void>;
  /** Answers the calls that run, for 25 s at most, then closes. */
  close(): Promise<void>;
}

/**
 * Serves one client over standard input and output, which from here on belong to the protocol. Lists are answered
 * at once, unless the caller has first to be looked up to know what to list; a call waits for the pipeline.
 */
export function serveOverStdio(parts: McpParts, wire: Transport = new StdioServerTransport()): StdioEdge {
  const report = (error: unknown): void => parts.observe({ kind: "unexpected_error", where: "stdio", error });
  const open = connections(report);
  const factory = serverFactory(parts);
  const gone = Promise.withResolvers<void>();
  const asked = openRequests(wire);
  const handle = serveStdio(
    async ({ era }) => {
      const caller = parts.narrowsLocal === true ? { authInfo: authInfoOf(await parts.identify(null)) } : {};
      const server = factory({ era, ...caller });
      open.add(server);
      server.server.onclose = () => open.forget(server);
      return server;
    },
    { legacy: "serve", onerror: report, transport: wire },
  );
  asked.watch();
  const onClose = wire.onclose;
  wire.onclose = () => {
    onClose?.();
    gone.resolve();
    asked.forget();
  };
  return {
    toolsChanged: open.toolsChanged,
    promptsChanged: open.promptsChanged,
    resourcesChanged: open.resourcesChanged,
    resourceUpdated: open.resourceUpdated,
    closed: gone.promise,
    close: async () => {
      await asked.answered(DRAIN_MS);
      await handle.close();
    },
  };
}

/** Requests of a wire that wait for their answers. */
interface OpenRequests {
  /** Begins to look at what comes in; once the wire's reader is in place. */
  watch(): void;
  /** The client has gone: nobody waits any more. */
  forget(): void;
  /** Settles when every request has its answer, at the latest after `withinMs`. */
  answered(withinMs: number): Promise<void>;
}

function openRequests(wire: Transport): OpenRequests {
  const ids = new Set<unknown>();
  const none = Promise.withResolvers<void>();
  let isStopping = false;
  const check = (): void => {
    if (isStopping && ids.size === 0) none.resolve();
  };
  const settle = (id: unknown): void => {
    ids.delete(id);
    check();
  };
  const send = wire.send.bind(wire);
  wire.send = async (message, options) => {
    await send(message, options);
    if ("id" in message && !("method" in message)) settle(message.id);
  };
  return {
    watch: () => {
      const onMessage = wire.onmessage;
      wire.onmessage = (message, extra) => {
        // A stream of notices stays open until somebody ends it.
        if ("method" in message && "id" in message && message.method !== "subscriptions/listen") ids.add(message.id);
        // A request that its client cancelled gets no answer.
        if ("method" in message && message.method === "notifications/cancelled") settle(message.params?.["requestId"]);
        onMessage?.(message, extra);
      };
    },
    forget: () => {
      ids.clear();
      check();
    },
    answered: async (withinMs) => {
      isStopping = true;
      check();
      const timer = setTimeout(none.resolve, withinMs);
      await none.promise;
      clearTimeout(timer);
    },
  };
}
