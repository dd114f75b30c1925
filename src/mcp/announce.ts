import type { McpServer, ServerContext } from "@modelcontextprotocol/server";

/** Tells connected clients that something they have read has changed. */
export interface Announce {
  toolsChanged(): void;
  promptsChanged(): void;
  resourcesChanged(): void;
  resourceUpdated(uri: string): void;
}

const MAX_SUBSCRIPTIONS = 1000;

/** Long-lived connections: a stdio client, or an HTTP session of the older protocol era. */
export interface Connections extends Announce {
  /** Remembers a connection until `forget`. Its updates are those it subscribes to. */
  add(server: McpServer): void;
  forget(server: McpServer): void;
}

export function connections(onError: (error: unknown) => void): Connections {
  const open = new Set<McpServer>();
  const each = (tell: (server: McpServer) => void): void => {
    for (const server of open) {
      try {
        if (server.isConnected()) tell(server);
      } catch (error) {
        onError(error);
      }
    }
  };
  return {
    add: (server) => open.add(server),
    forget: (server) => open.delete(server),
    toolsChanged: () => each((server) => server.sendToolListChanged()),
    promptsChanged: () => each((server) => server.sendPromptListChanged()),
    resourcesChanged: () => each((server) => server.sendResourceListChanged()),
    resourceUpdated: (uri) =>
      each((server) => {
        if (wants(server, uri)) server.server.sendResourceUpdated({ uri }).catch(onError);
      }),
  };
}

const subscriptions = new WeakMap<McpServer, Set<string>>();
/** Connections of the newer era, where the library itself keeps what a client listens to. */
const filteredByLibrary = new WeakSet<McpServer>();

function wants(server: McpServer, uri: string): boolean {
  return filteredByLibrary.has(server) || (subscriptions.get(server)?.has(uri) ?? false);
}

/** Accepts `resources/subscribe` and `resources/unsubscribe`, which the library leaves to its user. */
export function registerSubscriptions(
  server: McpServer,
  era: "legacy" | "modern",
  mayHear: (uri: string, context: ServerContext) => Promise<boolean>,
): void {
  if (era === "modern") filteredByLibrary.add(server);
  const uris = new Set<string>();
  subscriptions.set(server, uris);
  server.server.setRequestHandler("resources/subscribe", async ({ params }, context) => {
    if (uris.size < MAX_SUBSCRIPTIONS && (await mayHear(params.uri, context))) uris.add(params.uri);
    return {};
  });
  server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    uris.delete(params.uri);
    return {};
  });
}
