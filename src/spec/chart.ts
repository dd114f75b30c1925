import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import type { ChartInput } from "./shape.ts";
import type { SpecChart } from "./spec.ts";

/** Charts a spec may wish for. */
export const CHART_TYPES = [
  "auto", "bar", "grouped_bar", "stacked_bar", "normalized_bar", "horizontal_bar", "line", "multi_line", "area", "stacked_area",
  "scatter", "bubble", "heatmap", "histogram", "box_plot", "pie", "donut", "lollipop", "dumbbell", "slope", "pareto", "waterfall",
  "funnel", "control", "cumulative_flow", "burndown", "burnup", "calendar_heatmap", "small_multiples", "bullet", "kpi", "table",
] as const;

/** Checks a chart wish against the result's columns. */
export function parseChart(input: ChartInput | undefined, columns: readonly string[], problems: Problem[]): SpecChart | null {
  if (!input) return null;
  const { type = null, x = null, y = null, color = null, facet = null, title = null, theme = null } = input;
  if (type !== null && !CHART_TYPES.some((known) => known === type)) {
    problems.push(problem("CHART_INVALID", { path: "chart.type", message: `there is no chart type ${quoted(type)}`, allowed: CHART_TYPES, wrote: type }));
  }
  for (const [key, column] of Object.entries({ x, y, color, facet })) {
    if (column !== null && !columns.includes(column)) {
      const message = `${quoted(column)} is not a column of this answer`;
      problems.push(problem("CHART_INVALID", { path: `chart.${key}`, message, allowed: columns, wrote: column }));
    }
  }
  if (theme !== null && theme !== "light" && theme !== "dark") {
    problems.push(problem("CHART_INVALID", { path: "chart.theme", message: `there is no theme ${quoted(theme)}`, allowed: ["light", "dark"] }));
  }
  return { type, x, y, color, facet, title, theme };
}
