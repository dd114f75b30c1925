import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import type { ChartInput } from "./shape.ts";
import type { SpecChart } from "./spec.ts";

/** Charts a spec may wish for; `auto` leaves the choice to the answer. */
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
/** A chart that is drawn. */
export type ChartType = Exclude<(typeof CHART_TYPES)[number], "auto">;

export function isChartType(type: string): type is ChartType {
  return type !== "auto" && (CHART_TYPES as readonly string[]).includes(type);
}

export const THEMES = ["light", "dark"] as const;

/** Asks for a stored result to be drawn; what is absent is chosen. */
export interface ChartRequest {
  readonly result_id: string;
  readonly type?: string | null | undefined;
  readonly x?: string | null | undefined;
  readonly y?: string | null | undefined;
  readonly color?: string | null | undefined;
  readonly facet?: string | null | undefined;
  readonly title?: string | null | undefined;
  readonly theme?: string | null | undefined;
  /** Default png. */
  readonly format?: ChartFormat | null | undefined;
}

/** Asks for a chart that was drawn before. */
export interface ChartByIdRequest {
  readonly chart_id: string;
  readonly format?: ChartFormat | null;
}

export const CHART_FORMATS = ["png", "svg", "vega_lite"] as const;
export type ChartFormat = (typeof CHART_FORMATS)[number];

const MAX_TITLE = 200;

/** Checks a spec's chart wish against the result's columns. */
export function parseChart(input: ChartInput | undefined, columns: readonly string[], problems: Problem[]): SpecChart | null {
  if (!input) return null;
  const { type = null, x = null, y = null, color = null, facet = null, title = null, theme = null } = input;
  const wish = { type, x, y, color, facet, title, theme };
  problems.push(...chartProblems(wish, columns, "chart."));
  return wish;
}

/** What no chart of an answer with these columns can be; `prefix` stands before each path. */
export function chartProblems(wish: SpecChart, columns: readonly string[], prefix = ""): Problem[] {
  const { type, theme, title, x, y, color, facet } = wish;
  const problems: Problem[] = [];
  checkOneOf(type, CHART_TYPES, { path: `${prefix}type`, what: "chart type" }, problems);
  checkOneOf(theme, THEMES, { path: `${prefix}theme`, what: "theme" }, problems);
  if (title !== null && title.length > MAX_TITLE)
    problems.push(problem("LIMIT_EXCEEDED", { path: `${prefix}title`, message: `a title is at most ${MAX_TITLE} characters` }));
  for (const [key, column] of Object.entries({ x, y, color, facet })) {
    if (column === null || columns.includes(column)) continue;
    const message = `${quoted(column)} is not a column of this answer`;
    problems.push(problem("CHART_INVALID", { path: `${prefix}${key}`, message, allowed: columns, wrote: column }));
  }
  return problems;
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
