import { z } from "zod";
import { CHART_FORMATS, CHART_TYPES, type ChartRequest, THEMES } from "../../spec/chart.ts";
import { chartAnswer } from "../chart-answer.ts";
import { defineTool, zodInput } from "../define-tool.ts";
import { CHART_APP_URI } from "../resources/chart-app.ts";
import type { Tool, ToolInput } from "../define-tool.ts";

const text = () => z.string().optional();

const shape = z.strictObject({
  result_id: z.string().describe("From an earlier answer"),
  type: z.enum(CHART_TYPES).describe("default auto").optional(),
  x: text().describe("A column; chosen when absent, as y, color, facet"),
  y: text(),
  color: text(),
  facet: text(),
  title: text(),
  theme: z.enum(THEMES).optional(),
  format: z.enum(CHART_FORMATS).describe("default png").optional(),
});

/** A type or theme that does not exist is told with the nearest one, as in a spec's chart. */
const input: ToolInput<ChartRequest> = {
  published: zodInput(shape).published,
  parse: zodInput(shape.extend({ type: text(), theme: text() })).parse,
};

/** A stored result as a picture. */
export function renderChart(): Tool {
  return defineTool({
    name: "render_chart",
    title: "Draw a result",
    description: "A picture of a result, with what it shows in words. Refuses charts that would mislead and says which fit.",
    input,
    app: CHART_APP_URI,
    handle: async (request, { pipeline, principal, options }) => chartAnswer(await pipeline.chart(principal, request, options)),
  });
}
