import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server";
import type { CacheHint, McpServer, ReadResourceResult, ServerContext } from "@modelcontextprotocol/server";
import { AppError } from "../../errors.ts";
import type { Cell, Result } from "../../result/result.ts";
import { errorText } from "../answer.ts";
import { asAppError, principalOf } from "../callers.ts";
import { safeCsv } from "../../result/csv.ts";
import type { McpParts } from "../parts.ts";
import { requireScope } from "../scopes.ts";
import { resultEnvelope } from "../result-answer.ts";

// Parsed once: servers are made for single requests.
const RESULT = new ResourceTemplate("metricgate://results/{id}", { list: undefined });
const RESULT_CSV = new ResourceTemplate("metricgate://results/{id}.csv", { list: undefined });
const CACHE: CacheHint = { ttlMs: 3_600_000, cacheScope: "private" };
const ROWS_PER_READ = 1000;

/** Whole stored results, as the envelope or as CSV. */
export function registerResultResources(server: McpServer, parts: McpParts): void {
  // The more particular template first: {id} would match "res_1.csv" too.
  server.registerResource(
    "result-csv",
    RESULT_CSV,
    { title: "Result as CSV", description: "All rows of an answer, for a spreadsheet", mimeType: "text/csv", cacheHint: CACHE },
    async (url, { id }, context): Promise<ReadResourceResult> => {
      const { data } = await wholeResult(url, id, context, parts);
      return {
        contents: [
          {
            uri: url.href,
            mimeType: "text/csv",
            text: safeCsv(
              data.columns.map((column) => column.name),
              data.rows,
            ),
          },
        ],
      };
    },
  );
  server.registerResource(
    "result",
    RESULT,
    { title: "Result", description: "All rows of an answer with where they come from", mimeType: "application/json", cacheHint: CACHE },
    async (url, { id }, context): Promise<ReadResourceResult> => {
      const result = await wholeResult(url, id, context, parts);
      return { contents: [{ uri: url.href, mimeType: "application/json", text: JSON.stringify(resultEnvelope(result)) }] };
    },
  );
}

async function wholeResult(url: URL, id: string | string[] | undefined, context: ServerContext, parts: McpParts): Promise<Result> {
  try {
    return await asAppError(parts, "resources/read", async () => {
      const principal = await principalOf(context, parts);
      requireScope(principal, "metrics:read");
      const request = { result_id: typeof id === "string" ? id : "", limit: ROWS_PER_READ };
      const first = await parts.pipeline.page(principal, request);
      const rows: (readonly Cell[])[] = [...first.data.rows];
      for (let cursor = first.data.next_cursor; cursor !== null;) {
        context.mcpReq.signal.throwIfAborted();
        const page = await parts.pipeline.page(principal, { ...request, cursor });
        rows.push(...page.data.rows);
        cursor = page.data.next_cursor;
      }
      return { ...first, data: { ...first.data, rows, truncated: rows.length < first.data.total, next_cursor: null } };
    });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "NOT_FOUND") throw new ResourceNotFoundError(url.href);
    throw new ProtocolError(ProtocolErrorCode.InternalError, errorText(error));
  }
}
