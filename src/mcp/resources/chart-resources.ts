import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server";
import type { CacheHint, McpServer, ReadResourceResult, ServerContext } from "@modelcontextprotocol/server";
import type { ChartContent } from "../../chart/chart.ts";
import { AppError } from "../../errors.ts";
import { errorText } from "../answer.ts";
import { asAppError, principalOf } from "../callers.ts";
import type { McpParts } from "../parts.ts";
import { requireScope } from "../scopes.ts";

// Parsed once: servers are made for single requests.
const CHART = new ResourceTemplate("metricgate://charts/{id}", { list: undefined });
const CHART_SVG = new ResourceTemplate("metricgate://charts/{id}.svg", { list: undefined });
const CACHE: CacheHint = { ttlMs: 3_600_000, cacheScope: "private" };

/** Charts that were drawn, drawn again: a chart is its result and a wish, and belongs to whom the result belongs. */
export function registerChartResources(server: McpServer, parts: McpParts): void {
  // The more particular template first: {id} would match "chart_1.svg" too.
  server.registerResource(
    "chart-svg",
    CHART_SVG,
    { title: "Chart as SVG", description: "A chart as a drawing that scales", mimeType: "image/svg+xml", cacheHint: CACHE },
    (url, { id }, context) => read({ url, id, context, parts }, "svg"),
  );
  server.registerResource(
    "chart",
    CHART,
    { title: "Chart", description: "A chart as a picture", mimeType: "image/png", cacheHint: CACHE },
    (url, { id }, context) => read({ url, id, context, parts }, "png"),
  );
}

interface Reading {
  readonly url: URL;
  readonly id: string | string[] | undefined;
  readonly context: ServerContext;
  readonly parts: McpParts;
}

async function read({ url, id, context, parts }: Reading, format: "svg" | "png"): Promise<ReadResourceResult> {
  try {
    return await asAppError(parts, "resources/read", async () => {
      const principal = await principalOf(context, parts);
      requireScope(principal, "metrics:read");
      const request = { chart_id: typeof id === "string" ? id : "", format };
      const { content } = await parts.pipeline.chart(principal, request, { signal: context.mcpReq.signal });
      return { contents: [{ uri: url.href, ...bodyOf(content) }] };
    });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "NOT_FOUND") throw new ResourceNotFoundError(url.href);
    throw new ProtocolError(ProtocolErrorCode.InternalError, errorText(error));
  }
}

function bodyOf(content: ChartContent): { mimeType: string; blob: string } | { mimeType: string; text: string } {
  if (content.format === "png") return { mimeType: "image/png", blob: Buffer.from(content.png).toString("base64") };
  if (content.format === "svg") return { mimeType: "image/svg+xml", text: content.svg };
  return { mimeType: "application/json", text: JSON.stringify(content.spec) };
}
