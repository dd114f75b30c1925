import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import type { ChartInput } from "./shape.ts";
import type { SpecChart } from "./spec.ts";

/** Charts a spec may wish for. */
export const CHART_TYPES = [
  "auto",
  "bar",
  "grouped_bar",
  "stacked_bar",
  "normalized_bar",
  "horizontal_bar",
  "line",
  "multi_line",
  "area",
  "stacked_area",
  "scatter",
  "bubble",
  "heatmap",
  "histogram",
  "box_plot",
  "pie",
  "donut",
  "lollipop",
  "dumbbell",
  "slope",
  "pareto",
  "waterfall",
  "funnel",
  "control",
  "cumulative_flow",
  "burndown",
  "burnup",
  "calendar_heatmap",
  "small_multiples",
  "bullet",
  "kpi",
  "table",
] as const;

const THEMES = ["light", "dark"] as const;

/** Checks a chart wish against the result's columns. */
export function parseChart(input: ChartInput | undefined, columns: readonly string[], problems: Problem[]): SpecChart | null {
  if (!input) return null;
  const { type = null, x = null, y = null, color = null, facet = null, title = null, theme = null } = input;
  checkOneOf(type, CHART_TYPES, { path: "chart.type", what: "chart type" }, problems);
  checkOneOf(theme, THEMES, { path: "chart.theme", what: "theme" }, problems);
  for (const [key, column] of Object.entries({ x, y, color, facet })) {
    if (column === null || columns.includes(column)) continue;
    const message = `${quoted(column)} is not a column of this answer`;
    problems.push(problem("CHART_INVALID", { path: `chart.${key}`, message, allowed: columns, wrote: column }));
  }
  return { type, x, y, color, facet, title, theme };
}

function checkOneOf(
  value: string | null,
  allowed: readonly string[],
  { path, what }: { path: string; what: string },
  problems: Problem[],
): void {
  if (value === null || allowed.includes(value)) return;
  problems.push(problem("CHART_INVALID", { path, message: `there is no ${what} ${quoted(value)}`, allowed, wrote: value }));
}
