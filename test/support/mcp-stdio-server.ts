// A stdio server over the pipeline in memory, run as a process of its own by the tests.
import { serveOverStdio } from "../../src/mcp/stdio.ts";
import { testParts } from "./mcp-parts.ts";

const rows = Number(process.env["TEST_ROWS"] ?? "3");
const gate = process.env["TEST_HANG"] === "1" ? { gate: new Promise<never>(() => undefined) } : {};
const parts = await testParts({ rows, ...gate });
const edge = serveOverStdio(parts);
process.on("SIGUSR2", () => {
  edge.toolsChanged();
  edge.resourceUpdated("metricgate://catalog/metrics");
});
await edge.closed;
process.stderr.write(`${JSON.stringify({ cancelled: parts.pipeline.cancelled, calls: parts.observed.filter(({ kind }) => kind === "tool_called").length })}\n`);
process.exit(0);
