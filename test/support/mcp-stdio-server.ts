// A stdio server over the pipeline in memory, run as a process of its own by the tests.
import { serveOverStdio } from "../../src/mcp/stdio.ts";
import { testParts } from "./mcp-parts.ts";

const rows = Number(process.env["TEST_ROWS"] ?? "3");
const delayMs = Number(process.env["TEST_DELAY_MS"] ?? "0");
const parts = await testParts({ rows, gate: () => new Promise((resolve) => setTimeout(resolve, delayMs)) });
const edge = serveOverStdio(parts);
await edge.closed;
process.exit(0);
