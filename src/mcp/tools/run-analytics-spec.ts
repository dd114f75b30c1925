import { defineTool, envelopeSchema, publishedInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import type { JsonSchema } from "../json-schema.ts";
import { resultAnswer } from "../result-answer.ts";

/** Answers an AnalyticsSpec. The pipeline parses it, so that all its problems come in one answer. */
export function runAnalyticsSpec(specSchema: JsonSchema): Tool {
  return defineTool({
    name: "run_analytics_spec",
    title: "Run an analytics spec",
    description:
      "Numbers about delivery from a spec; no SQL. Order: list_metrics for names, list_values for filter values, then this. " +
      'Example: {"measures":[{"name":"lead_time","agg":"p90"}],"dimensions":["project_key"],"time":{"grain":"month","range":"last_6_months"},' +
      '"filters":[{"field":"issue_type","op":"in","values":["Bug"]}],"limit":20}. Errors list what is allowed.',
    input: publishedInput(specSchema),
    output: envelopeSchema("columns[{name,type,unit,label}], rows[][] in that order, total, truncated, next_cursor"),
    handle: async (input, { pipeline, principal, options }) => resultAnswer(await pipeline.run(principal, input, options)),
  });
}
