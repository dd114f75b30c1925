import type { ChartType } from "../spec/chart.ts";
import type { Kind } from "./drawing.ts";
import { BAR, GROUPED_BAR, HORIZONTAL_BAR, LOLLIPOP, NORMALIZED_BAR, STACKED_BAR } from "./kinds/bars.ts";
import { DUMBBELL, SLOPE } from "./kinds/change.ts";
import { BOX_PLOT, BUBBLE, HISTOGRAM, SCATTER } from "./kinds/clouds.ts";
import { BULLET, KPI, TABLE } from "./kinds/figures.ts";
import { CALENDAR_HEATMAP, HEATMAP } from "./kinds/grids.ts";
import { AREA, LINE, MULTI_LINE, SMALL_MULTIPLES, STACKED_AREA } from "./kinds/lines.ts";
import { DONUT, PARETO, PIE } from "./kinds/parts.ts";
import { BURNDOWN, BURNUP, CONTROL, CUMULATIVE_FLOW } from "./kinds/process.ts";
import { FUNNEL, WATERFALL } from "./kinds/steps.ts";

/** Every chart there is. */
export const KINDS: Readonly<Record<ChartType, Kind>> = {
  bar: BAR,
  grouped_bar: GROUPED_BAR,
  stacked_bar: STACKED_BAR,
  normalized_bar: NORMALIZED_BAR,
  horizontal_bar: HORIZONTAL_BAR,
  line: LINE,
  multi_line: MULTI_LINE,
  area: AREA,
  stacked_area: STACKED_AREA,
  scatter: SCATTER,
  bubble: BUBBLE,
  heatmap: HEATMAP,
  histogram: HISTOGRAM,
  box_plot: BOX_PLOT,
  pie: PIE,
  donut: DONUT,
  lollipop: LOLLIPOP,
  dumbbell: DUMBBELL,
  slope: SLOPE,
  pareto: PARETO,
  waterfall: WATERFALL,
  funnel: FUNNEL,
  control: CONTROL,
  cumulative_flow: CUMULATIVE_FLOW,
  burndown: BURNDOWN,
  burnup: BURNUP,
  calendar_heatmap: CALENDAR_HEATMAP,
  small_multiples: SMALL_MULTIPLES,
  bullet: BULLET,
  kpi: KPI,
  table: TABLE,
};
