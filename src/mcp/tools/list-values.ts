import { z } from "zod";
import type { ValueList } from "../../result/result.ts";
import type { Answer } from "../answer.ts";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import { cellText } from "../result-answer.ts";
import { DATA_NOTICE, untrusted } from "../visible.ts";

const input = zodInput(
  z.strictObject({
    dimension: z.string().describe("A dimension of run_analytics_spec"),
    search: z.string().optional().describe("Part of the value, any case"),
    limit: z.number().optional().describe("1–200, default 50"),
  }),
);

/** The values that a dimension has in the caller's data. */
export function listValues(): Tool {
  return defineTool({
    name: "list_values",
    title: "List a dimension's values",
    description:
      "The values a dimension has in this data with issue counts, most frequent first, spelled as filters need them. Use before filtering on a name.",
    input,
    output: envelopeSchema("dimension, values[{value,issues}], total, truncated"),
    handle: async ({ dimension, search, limit }, { pipeline, principal, options }) => {
      const request = { dimension, ...(search === undefined ? {} : { search }), ...(limit === undefined ? {} : { limit }) };
      return valuesAnswer(await pipeline.values(principal, request, options));
    },
  });
}

function valuesAnswer(list: ValueList): Answer {
  const more = list.truncated ? ` (${list.values.length} shown; narrow with search)` : "";
  return {
    text: [
      `${list.dimension}: ${list.total} values${more}; empty means none`,
      untrusted(["value,issues", ...list.values.map(({ value, issues }) => `${cellText(value)},${issues}`)]),
    ].join("\n"),
    structured: { success: true, data: list, meta: { notice: DATA_NOTICE } },
  };
}
