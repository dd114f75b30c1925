import { z } from "zod";
import type { Hit, SearchResult } from "../../result/search.ts";
import { OPERATORS } from "../../spec/spec.ts";
import type { Answer } from "../answer.ts";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import { cellText } from "../result-answer.ts";
import { DATA_NOTICE, untrusted, visible } from "../visible.ts";

const input = zodInput(
  z.strictObject({
    queries: z
      .array(z.string())
      .max(5)
      .optional()
      .describe(
        'The question and 1–4 rewordings with words its issues may use (symptom, component, error, class names); "…" for an exact phrase',
      ),
    similar_to: z.string().optional().describe("Issue key: find its likes"),
    filters: z
      .array(z.strictObject({ field: z.string(), op: z.enum(OPERATORS), values: z.array(z.string()).optional() }))
      .optional()
      .describe("As in run_analytics_spec"),
    limit: z.number().optional().describe("1–50, default 10"),
  }),
);

/** Issues by what they are about. */
export function semanticSearch(): Tool {
  return defineTool({
    name: "semantic_search",
    title: "Find issues by meaning",
    description:
      'Issues about something, best first. Page on with get_result; count or group them with a filter {"field":"issue_key","op":"in","values":["<result_id>"]}.',
    input,
    output: envelopeSchema("hits[{issue_key,title,snippet,status,link,score,signals}], total"),
    handle: async ({ queries, similar_to, filters, limit }, { pipeline, principal, options }) =>
      searchAnswer(
        await pipeline.search(
          principal,
          {
            ...(queries === undefined ? {} : { queries }),
            ...(similar_to === undefined ? {} : { similar_to }),
            ...(filters === undefined ? {} : { filters }),
            ...(limit === undefined ? {} : { limit }),
          },
          options,
        ),
      ),
  });
}

function searchAnswer({ data, meta }: SearchResult): Answer {
  const more =
    data.next_cursor === null
      ? `; result_id ${meta.result_id}`
      : `. More: get_result {"result_id":"${meta.result_id}","cursor":"${data.next_cursor}"}`;
  return {
    text: [
      untrusted([...meta.warnings.map((warning) => `warning: ${visible(warning)}`), ...data.hits.flatMap(hitLines)]),
      `${data.hits.length} of the ${data.total} best matches${more}`,
      `mode ${meta.mode}; scores compare within this answer only; data as of ${meta.data_as_of ?? "never imported"}`,
    ].join("\n"),
    structured: { success: true, data, meta: { ...meta, notice: DATA_NOTICE } },
  };
}

/** Two lines a hit: what it is, and the passage that matched. */
function hitLines(hit: Hit): string[] {
  const dates = `created ${hit.created_at.slice(0, 10)}${hit.resolved_at === null ? "" : `, resolved ${hit.resolved_at.slice(0, 10)}`}`;
  const state = [hit.issue_type, hit.status, hit.resolution].filter((text) => text !== null).map(cellText);
  const signals = Object.entries(hit.signals).map(([name, value]) => `${name} ${value}`);
  const link = hit.link === null ? "" : ` ${visible(hit.link)}`;
  return [
    `${cellText(hit.issue_key)} ${cellText(hit.title)} [${[...state, dates].join(", ")}] score ${hit.score} (${signals.join(", ")})${link}`,
    ...(hit.snippet === null ? [] : [`  ${visible(hit.snippet)}`]),
  ];
}
