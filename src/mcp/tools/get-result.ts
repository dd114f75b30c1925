import { z } from "zod";
import { safeCsv } from "../../result/csv.ts";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import type { Answer } from "../answer.ts";
import type { Result } from "../../result/result.ts";
import { resultAnswer, resultEnvelope, totalsLine } from "../result-answer.ts";
import { untrusted, visible } from "../visible.ts";

const input = zodInput(
  z.strictObject({
    result_id: z.string().describe("From an earlier answer"),
    cursor: z.string().optional().describe("next_cursor of the page before"),
    limit: z.number().optional().describe("Rows, 1–1000, default 50"),
    format: z.enum(["rows", "csv"]).optional(),
  }),
);

/** The next page of an answer. */
export function getResult(): Tool {
  return defineTool({
    name: "get_result",
    title: "Get a result page",
    description: "More rows of an answer that run_analytics_spec cut short. Results live 24 h.",
    input,
    output: envelopeSchema("As run_analytics_spec, or csv"),
    handle: async ({ format, result_id, cursor, limit }, { pipeline, principal }) => {
      const page = await pipeline.page(principal, {
        result_id,
        ...(cursor === undefined ? {} : { cursor }),
        ...(limit === undefined ? {} : { limit }),
      });
      return format === "csv" ? csvAnswer(page) : resultAnswer(page);
    },
  });
}

function csvAnswer(page: Result): Answer {
  const { rows, columns, ...rest } = page.data;
  const csv = safeCsv(
    columns.map((column) => column.name),
    rows,
  );
  const envelope = resultEnvelope(page);
  return {
    text: [
      untrusted([
        ...page.meta.warnings.map((warning) => `warning: ${visible(warning)}`),
        csv.trimEnd(),
        ...(rest.totals === undefined ? [] : [totalsLine(columns, rest.totals)]),
      ]),
      `${rows.length} of ${rest.total} rows; result_id ${page.meta.result_id}${rest.next_cursor === null ? "" : `; next cursor ${rest.next_cursor}`}`,
    ].join("\n"),
    structured: { ...envelope, data: { columns, csv, ...rest } },
  };
}
