import { AppError, type Problem } from "../errors.ts";
import { must } from "../must.ts";
import { type ChartType, isChartType } from "../spec/chart.ts";
import { problem } from "../spec/problems.ts";
import type { SpecChart } from "../spec/spec.ts";
import { type Field, type Frame, valuesOf } from "./field.ts";
import { KINDS } from "./kinds.ts";
import { Misfit, Picker, type Roles } from "./picker.ts";

/** Which chart is drawn of an answer, and why. */
export interface Choice {
  readonly type: ChartType;
  /** One sentence: what of the answer decided. */
  readonly reason: string;
  /** Other charts that this answer can be drawn as, the most telling first. */
  readonly alternatives: readonly ChartType[];
  readonly roles: Roles;
}

/** Few enough bars to read their names. */
const MAX_NAMED_BARS = 25;
const MAX_LINES = 6;
const MAX_PANELS = 12;
const MAX_GROUPED = 4;
const MAX_ALTERNATIVES = 6;

/**
 * The chart that was wished for, else the one that the answer's columns ask for by fixed rules. Throws AppError
 * SPEC_INVALID with a CHART_INVALID problem where the wish does not fit the answer.
 */
export function choose(frame: Frame, wish: SpecChart): Choice {
  const wanted = wish.type;
  if (wanted !== null && isChartType(wanted)) {
    const roles = rolesOf(wanted, frame, { wish });
    if (roles instanceof Misfit) throw invalid([misfitProblem(roles, wanted, alternativesOf(frame, wanted))]);
    return { type: wanted, reason: `${wanted}: asked for`, alternatives: alternativesOf(frame, wanted), roles };
  }
  const [first, reason] = automatic(frame);
  const order = [first, ...fallbacks(frame)];
  for (const type of order) {
    const roles = rolesOf(type, frame, { wish });
    if (!(roles instanceof Misfit))
      return {
        type,
        reason: `${type}: ${type === first ? reason : fallbackReason(frame)}`,
        alternatives: alternativesOf(frame, type),
        roles,
      };
  }
  const misfit = must(
    [rolesOf(first, frame, { wish })].find((found) => found instanceof Misfit),
    "why it does not fit",
  );
  throw invalid([misfitProblem(misfit, first, alternativesOf(frame, first))]);
}

/** What speaks against a wish before there are rows; judged by the columns alone. */
export function wishProblems(wish: SpecChart, frame: Frame): Problem[] {
  if (wish.type === null || !isChartType(wish.type)) return [];
  const found = rolesOf(wish.type, frame, { wish, hasRows: false });
  if (!(found instanceof Misfit)) return [];
  const others = (Object.keys(KINDS) as ChartType[]).filter((type) => !(rolesOf(type, frame, { hasRows: false }) instanceof Misfit));
  const problemFound = misfitProblem(found, wish.type, others);
  return [{ ...problemFound, path: `chart.${problemFound.path}` }];
}

function rolesOf(type: ChartType, frame: Frame, options: ConstructorParameters<typeof Picker>[1]): Roles | Misfit {
  try {
    return KINDS[type].roles(new Picker(frame, options));
  } catch (thrown) {
    if (thrown instanceof Misfit) return thrown;
    throw thrown;
  }
}

function misfitProblem(misfit: Misfit, type: ChartType, others: readonly ChartType[]): Problem {
  return problem("CHART_INVALID", {
    path: misfit.path,
    message: `${type}: ${misfit.message}. It needs ${KINDS[type].needs}`,
    allowed: misfit.allowed ?? (misfit.path === "type" ? others : undefined) ?? [],
    ...(misfit.path === "type" ? { suggestion: others[0] } : {}),
  });
}

function invalid(problems: readonly Problem[]): AppError {
  return new AppError("SPEC_INVALID", "This chart cannot be drawn of this answer.", {
    problems,
    next: "Choose an allowed type, leave type out, or ask for the columns that it needs.",
  });
}

/** Other charts of the same answer, in the order in which they say most about its kind of question. */
function alternativesOf(frame: Frame, chosen: ChartType): ChartType[] {
  const hasTime = frame.fields.some(({ role }) => role === "time");
  const order: readonly ChartType[] = hasTime
    ? [
        "line",
        "multi_line",
        "small_multiples",
        "bar",
        "heatmap",
        "stacked_area",
        "control",
        "stacked_bar",
        "grouped_bar",
        "cumulative_flow",
        "burndown",
        "burnup",
        "calendar_heatmap",
        "slope",
        "area",
        "normalized_bar",
        "waterfall",
        "box_plot",
        "histogram",
        "scatter",
        "bubble",
        "kpi",
        "table",
      ]
    : [
        "horizontal_bar",
        "dumbbell",
        "slope",
        "grouped_bar",
        "stacked_bar",
        "heatmap",
        "bar",
        "pareto",
        "scatter",
        "bubble",
        "bullet",
        "lollipop",
        "box_plot",
        "histogram",
        "normalized_bar",
        "donut",
        "pie",
        "funnel",
        "waterfall",
        "kpi",
        "table",
      ];
  return order.filter((type) => type !== chosen && !(rolesOf(type, frame, {}) instanceof Misfit)).slice(0, MAX_ALTERNATIVES);
}

function fallbacks(frame: Frame): ChartType[] {
  return frame.rows.length === 1 ? ["kpi", "table"] : ["heatmap", "table"];
}

function fallbackReason(frame: Frame): string {
  return `${groupsOf(frame).length} groups and ${measuresOf(frame).length} measures, which no other chart shows without hiding some`;
}

const measuresOf = (frame: Frame): Field[] => frame.fields.filter(({ role }) => role === "measure");
const dimensionsOf = (frame: Frame): Field[] => frame.fields.filter(({ role }) => role === "dimension");
const groupsOf = (frame: Frame): Field[] => frame.fields.filter(({ role }) => role === "dimension" || role === "time");

type Ruled = readonly [ChartType, string];

/** The rules, from what an answer has: time, dimensions, measures, how many values, whether numbers add up. */
function automatic(frame: Frame): Ruled {
  const hasTime = frame.fields.some(({ role }) => role === "time");
  if (groupsOf(frame).length === 0 || (frame.rows.length === 1 && !hasTime))
    return ["kpi", `one row of ${counted(measuresOf(frame).length, "measure")}`];
  if (hasTime) return overTime(frame);
  return overGroups(frame);
}

function overTime(frame: Frame): Ruled {
  const [dimensions, measures] = [dimensionsOf(frame), measuresOf(frame)];
  const buckets = valuesOf(
    frame,
    must(
      frame.fields.find(({ role }) => role === "time"),
      "time",
    ),
  ).length;
  if (dimensions.length === 0) return timeAlone(measures, buckets);
  if (dimensions.length > 1) return ["table", `time and ${dimensions.length} dimensions`];
  if (measures.length > 1) return ["table", "time, a dimension and several measures"];
  if (buckets === 1) return ["table", "one bucket of time"];
  const values = valuesOf(frame, must(dimensions[0], "a dimension")).length;
  if (values <= MAX_LINES) return ["multi_line", `one time dimension, a dimension of ${counted(values, "value")}, one measure`];
  return values <= MAX_PANELS
    ? ["small_multiples", `${values} groups over time are too many lines for one plot`]
    : ["heatmap", `${values} groups over time`];
}

function timeAlone(measures: readonly Field[], buckets: number): Ruled {
  const [first] = measures;
  if (measures.length > 1) {
    const hasOneUnit = measures.length <= MAX_LINES && measures.every(({ unit }) => unit === first?.unit);
    return hasOneUnit
      ? ["multi_line", `one time dimension, ${measures.length} measures of one unit`]
      : ["kpi", "measures of different units over time share no axis"];
  }
  if (buckets <= 2) return ["bar", "a time of one or two buckets, one measure"];
  return first?.adds === "everywhere" && buckets <= 12
    ? ["bar", `a count over ${buckets} buckets of time`]
    : ["line", "one time dimension, one measure"];
}

function overGroups(frame: Frame): Ruled {
  const [dimensions, measures] = [dimensionsOf(frame), measuresOf(frame)];
  const [one, two] = dimensions;
  const values = valuesOf(frame, must(one, "a dimension")).length;
  const isCompared = frame.fields.some(({ role }) => role === "previous");
  if (dimensions.length === 1) {
    if (measures.length === 1)
      return isCompared
        ? ["dumbbell", "a dimension, a measure and its comparison"]
        : ["horizontal_bar", `a dimension of ${counted(values, "value")}, one measure`];
    const hasOneUnit = measures.every(({ unit }) => unit === measures[0]?.unit);
    if (hasOneUnit && values <= MAX_NAMED_BARS) return ["grouped_bar", `a dimension, ${measures.length} measures of one unit`];
    return measures.length === 2 ? ["scatter", "two measures of different units for each group"] : ["table", "measures of different units"];
  }
  if (dimensions.length > 2 || measures.length > 1 || two === undefined)
    return ["table", `${dimensions.length} dimensions, ${counted(measures.length, "measure")}`];
  const others = valuesOf(frame, two).length;
  if (others <= MAX_GROUPED && values <= 12) return ["grouped_bar", `two dimensions, the second of ${counted(others, "value")}`];
  return ["heatmap", `two dimensions of ${values} and ${others} values`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
