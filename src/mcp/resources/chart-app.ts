import { readFile } from "node:fs/promises";
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { CacheHint, McpServer, ReadResourceResult } from "@modelcontextprotocol/server";

/** Where a client that shows pages finds the one for charts. */
export const CHART_APP_URI = "ui://metricgate/chart";
const MIME_TYPE = "text/html;profile=mcp-app";
// Beside `src` in a checkout, beside `dist` in a package; made by scripts/build-app.ts.
const FILE = new URL("../../../assets/app/chart.html", import.meta.url);
const CACHE: CacheHint = { ttlMs: 3_600_000, cacheScope: "public" };
/** The page holds all it needs; it asks nobody but its host. */
const UI = { csp: { connectDomains: [], resourceDomains: [] }, prefersBorder: true };

/** One page for all charts, without any data: what it shows it asks for as whoever looks at it. */
export function registerChartApp(server: McpServer): void {
  server.registerResource(
    "chart-app",
    CHART_APP_URI,
    { title: "Chart page", description: "Shows a chart to point at, change and open up", mimeType: MIME_TYPE, cacheHint: CACHE },
    async (): Promise<ReadResourceResult> => {
      const text = await readFile(FILE, "utf8").catch(() => undefined);
      if (text === undefined)
        throw new ProtocolError(ProtocolErrorCode.InternalError, "UNAVAILABLE: the page was not built; run npm run build:app");
      return { contents: [{ uri: CHART_APP_URI, mimeType: MIME_TYPE, text, _meta: { ui: UI } }] };
    },
  );
}
