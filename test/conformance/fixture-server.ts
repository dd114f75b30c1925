// The product's own HTTP stack and server factory, with the tools added that the conformance suite calls by name.
import { serveOverHttp } from "../../src/http/server.ts";
import type { Announce } from "../../src/mcp/announce.ts";
import { must } from "../../src/must.ts";
import { testParts } from "../support/mcp-parts.ts";
import { registerContent } from "./fixtures-content.ts";
import { memoryEventStore, registerDialogue, requestState } from "./fixtures-dialogue.ts";

let announce: Announce | null = null;
const edge = await serveOverHttp({
  host: "127.0.0.1",
  port: Number(process.env["PORT"] ?? "0"),
  allowedOrigins: [],
  ready: async () => true,
  mcp: await testParts(),
  extend: {
    options: { requestState: { verify: requestState.verify } },
    register: (server) => {
      registerContent(server, () => must(announce, "the running server"));
      registerDialogue(server);
    },
  },
  sessionStream: { eventStore: memoryEventStore(), retryInterval: 500 },
});
announce = edge;
process.stderr.write(`${edge.url}\n`);
