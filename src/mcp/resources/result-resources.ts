import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server";
import type { CacheHint, McpServer, ReadResourceResult, ServerContext } from "@modelcontextprotocol/server";
import { AppError } from "../../errors.ts";
import { must } from "../../must.ts";
import type { Result } from "../../result/result.ts";
import { errorText } from "../answer.ts";
import { asAppError, principalOf } from "../callers.ts";
import { safeCsv, safeCsvRows } from "../../result/csv.ts";
import type { McpParts } from "../parts.ts";
import { requireScope } from "../scopes.ts";
import { resultEnvelope } from "../result-answer.ts";

// Parsed once: servers are made for single requests.
const RESULT = new ResourceTemplate("metricgate://results/{id}", { list: undefined });
const RESULT_CSV = new ResourceTemplate("metricgate://results/{id}.csv", { list: undefined });
const CACHE: CacheHint = { ttlMs: 3_600_000, cacheScope: "private" };

/** Whole stored results, as the envelope or as CSV. */
export function registerResultResources(server: McpServer, parts: McpParts): void {
  // The more particular template first: {id} would match "res_1.csv" too.
  server.registerResource(
    "result-csv",
    RESULT_CSV,
    { title: "Result as CSV", description: "All rows of an answer, for a spreadsheet", mimeType: "text/csv", cacheHint: CACHE },
    async (url, { id }, context): Promise<ReadResourceResult> => {
      return { contents: [{ uri: url.href, mimeType: "text/csv", text: await csvOf({ url, id, context, parts }) }] };
    },
  );
  server.registerResource(
    "result",
    RESULT,
    { title: "Result", description: "All rows of an answer with where they come from", mimeType: "application/json", cacheHint: CACHE },
    async (url, { id }, context): Promise<ReadResourceResult> => {
      const result = await wholeResult({ url, id, context, parts });
      return { contents: [{ uri: url.href, mimeType: "application/json", text: JSON.stringify(resultEnvelope(result)) }] };
    },
  );
}

interface Reading {
  readonly url: URL;
  readonly id: string | string[] | undefined;
  readonly context: ServerContext;
  readonly parts: McpParts;
}

/** Hands over the pages of an export, each one call of the pipeline. */
async function eachPage({ url, id, context, parts }: Reading, take: (page: Result) => void): Promise<void> {
  try {
    await asAppError(parts, "resources/read", async () => {
      const principal = await principalOf(context, parts);
      requireScope(principal, "metrics:read");
      const request = { result_id: typeof id === "string" ? id : "", isExport: true } as const;
      let page = await parts.pipeline.page(principal, request);
      take(page);
      while (page.data.next_cursor !== null) {
        context.mcpReq.signal.throwIfAborted();
        page = await parts.pipeline.page(principal, { ...request, cursor: page.data.next_cursor });
        take(page);
      }
    });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "NOT_FOUND") throw new ResourceNotFoundError(url.href);
    throw new ProtocolError(ProtocolErrorCode.InternalError, errorText(error));
  }
}

async function csvOf(reading: Reading): Promise<string> {
  const texts: string[] = [];
  await eachPage(reading, ({ data: { columns, rows } }) => {
    const names = columns.map((column) => column.name);
    texts.push(texts.length === 0 ? safeCsv(names, rows) : safeCsvRows(rows));
  });
  return texts.join("");
}

async function wholeResult(reading: Reading): Promise<Result> {
  const pages: Result[] = [];
  await eachPage(reading, (page) => void pages.push(page));
  const first = must(pages[0], "a result's first page");
  const rows = pages.flatMap(({ data }) => data.rows);
  return { ...first, data: { ...first.data, rows, truncated: rows.length < first.data.total, next_cursor: null } };
}
