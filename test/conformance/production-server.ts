// Until the command line serves: the product's HTTP entry with nothing added.
import { serveOverHttp } from "../../src/http/server.ts";
import { testParts } from "../support/mcp-parts.ts";

const edge = await serveOverHttp({ host: "127.0.0.1", port: Number(process.env["PORT"] ?? "0"), allowedOrigins: [], ready: async () => true, mcp: await testParts() });
process.stderr.write(`${edge.url}\n`);
