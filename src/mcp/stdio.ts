import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Transport } from "@modelcontextprotocol/server";
import { connections } from "./announce.ts";
import type { Announce } from "./announce.ts";
import { authInfoOf } from "./callers.ts";
import type { McpParts } from "./parts.ts";
import { serverFactory } from "./server.ts";

export interface StdioEdge extends Announce {
  /** Settles when the client has gone. */
  readonly closed: Promise<void>;
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
  const onClose = wire.onclose;
  wire.onclose = () => {
    onClose?.();
    gone.resolve();
  };
  return {
    toolsChanged: open.toolsChanged,
    promptsChanged: open.promptsChanged,
    resourcesChanged: open.resourcesChanged,
    resourceUpdated: open.resourceUpdated,
    closed: gone.promise,
    close: () => handle.close(),
  };
}
