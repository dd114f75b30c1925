import { must } from "../../must.ts";
import {
  alongAxis,
  colorOf,
  type DrawInput,
  type Drawing,
  type Kind,
  legendOf,
  melt,
  numbersOf,
  partialNotes,
  PLOT,
  scaleOf,
  type VegaLite,
  verticalAxis,
} from "../drawing.ts";
import { type Field, numberAt, valuesOf } from "../field.ts";
import { Misfit, type Picker, type Roles } from "../picker.ts";
import { cumulative, type Scale, spread, xmrLimits } from "../statistics.ts";
import type { Palette } from "../theme.ts";
import { formatOf, labelsOf, millisecondsOf, numberText } from "../words.ts";
import { sharedField } from "./bars.ts";
import { endLabels } from "./lines.ts";

const MIN_CONTROL = 6;
const MAX_BANDS = 7;

interface Limit {
  readonly at: number;
  readonly name: string;
  readonly dash: number;
}

/** Lines across the plot, named and numbered at its right. */
function limitLayers(
  limits: readonly Limit[],
  { y, scale, format, palette }: { y: VegaLite; scale: Scale; format: string; palette: Palette },
): VegaLite[] {
  const wanted = limits.map(({ at }) => PLOT.height * (1 - (at - scale.low) / (scale.high - scale.low)));
  const places = spread(wanted, { gap: 26, size: PLOT.height });
  const names = limits.map(({ name }, index) => ({ y: (places[index] ?? 0) - 6, text: name }));
  const numbers = limits.map(({ at }, index) => ({ y: (places[index] ?? 0) + 7, text: numberText(at, format) }));
  const strokeDash = { condition: { test: "datum.dash == 1", value: [5, 4] }, value: [] };
  return [
    {
      data: { values: limits },
      mark: { type: "rule", strokeWidth: 1.25, color: palette.quiet },
      encoding: { y: { ...y, field: "at" }, strokeDash },
    },
    { data: { values: names }, ...besidePlot(palette.quiet) },
    { data: { values: numbers }, ...besidePlot(palette.text, 600) },
  ];
}

/** Whether a process is steady: values against the limits of their own variation. Buckets that are not whole set no limits. */
export const CONTROL: Kind = {
  needs: "a time of at least 6 buckets, and a measure",
  roles: (pick) => {
    const x = pick.time();
    const measure = pick.measure();
    pick.rows(
      () => pick.frame.rows.filter((row) => numberAt(row, measure) !== null).length >= MIN_CONTROL,
      `limits need at least ${MIN_CONTROL} buckets with a value`,
    );
    return pick.done({ x, y: [measure] });
  },
  draw: ({ frame, roles, palette }) => {
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const { xs, points } = melt(frame, roles);
    const whole = points.filter((point) => point.y !== null && !point.isPartial);
    const floor = of.unit === "z" || numbersOf(points).some((value) => value < 0) ? -Infinity : 0;
    const { mean, upper, lower, signals } = xmrLimits(numbersOf(whole.length === 0 ? points : whole), floor);
    const signalOf = new Map(whole.map((point, index) => [point.x, signals[index] ?? null]));
    const scale = scaleOf(of, [...numbersOf(points), upper, lower]);
    const y = verticalAxis({ scale, of, palette });
    const limits = [
      { at: upper, name: "upper limit", dash: 1 },
      { at: mean, name: "mean", dash: 0 },
      { at: lower, name: "lower limit", dash: 1 },
    ];
    const told = (signal: unknown, plain: unknown): VegaLite => ({
      condition: { test: "datum.signal != null", value: signal },
      value: plain,
    });
    const along = alongAxis(frame, x, xs, { isBanded: false });
    const look = { color: told(palette.signal, palette.series[0]), shape: told("diamond", "circle"), size: told(110, 38) };
    return {
      body: {
        ...PLOT,
        data: { values: points.map((point) => ({ ...point, signal: signalOf.get(point.x) ?? null })) },
        layer: [
          ...limitLayers(limits, { y, scale, palette, format: formatOf(of.unit, [mean, upper, lower]) }),
          { mark: { type: "line", strokeWidth: 1.75 }, encoding: { x: along, y } },
          { transform: [{ filter: "isValid(datum.y)" }], mark: { type: "point", filled: true }, encoding: { x: along, y, ...look } },
        ],
      },
      marks: points.length * 2 + 9,
      notes: [signalNote(signals.filter((signal) => signal !== null).length), ...partialNotes(frame, x)],
    };
  },
};

function signalNote(count: number): string {
  if (count === 0) return "no signal: the variation is the process's own";
  return `${count} ${count === 1 ? "signal" : "signals"} (diamonds): beyond a limit, or eight in a row on one side of the mean`;
}

/** Text right of the plot at a height in px. */
function besidePlot(color: string, fontWeight = 400): VegaLite {
  return {
    mark: { type: "text", align: "left", baseline: "middle", dx: 10, color, fontWeight },
    encoding: { x: { value: "width" }, y: { field: "y", type: "quantitative", scale: null, axis: null }, text: { field: "text" } },
  };
}

/** Words that say how far work is; where a status has none, the data's order stands. */
const STAGES: readonly RegExp[] = [
  /^(new|to.?do|open|backlog|created)/i,
  /progress|doing|active|develop|review|test|qa/i,
  /done|closed|resolved|complete|finish/i,
];

/** What the status categories are called on a board. */
const CATEGORY_WORDS: Readonly<Record<string, string>> = { new: "To do", in_progress: "In progress", done: "Done" };

function stageOf(name: string): number {
  const found = STAGES.findIndex((words) => words.test(name));
  return found < 0 ? 1 : found;
}

interface Band {
  readonly name: string;
  /** A number for each bucket. */
  readonly values: readonly number[];
}

/**
 * How much work stands where, over time. States at an instant are bands as they are; what is counted in time, as issues
 * closed, is summed up into a band below them.
 */
export const CUMULATIVE_FLOW: Kind = {
  needs:
    "a time and states at its instants by status_category or status (backlog_open), with issues_closed as second measure for the band of what is done; or two or more measures such as issues_closed and wip",
  roles: (pick) => {
    const x = pick.time();
    const color = pick.series();
    const y = pick.measures(color === null ? 2 : 1);
    const state = y.find((field) => field.adds === "over_groups");
    if (state === undefined) throw new Misfit("needs a measure of what stands open at an instant, as wip or backlog_open", { path: "y" });
    for (const field of y) if (field.adds === "nowhere") throw new Misfit(`bands must add up, and ${field.name} is no sum`, { path: "y" });
    pick.adds(state, [color], "a stack");
    pick.atMost(color, MAX_BANDS, "group by status_category");
    return pick.done({ x, y, color });
  },
  draw: (input) => {
    const { frame, roles, palette } = input;
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const days = valuesOf(frame, x)
      .map(String)
      .toSorted((a, b) => millisecondsOf(a) - millisecondsOf(b));
    const flow = bandsOf(input, days);
    const series = flow.map(({ name }) => name);
    const values = days.flatMap((day, at) =>
      flow.map(({ name, values: amounts }, order) => ({ x: millisecondsOf(day), series: name, order, y: amounts[at] ?? 0 })),
    );
    const totals = days.map((_, at) => flow.reduce((sum, band) => sum + (band.values[at] ?? 0), 0));
    const xs = days.map(millisecondsOf);
    return {
      body: {
        ...PLOT,
        data: { values },
        mark: { type: "area", interpolate: "step-after", opacity: 0.95 },
        encoding: {
          x: alongAxis(frame, x, xs, { isBanded: false }),
          y: { ...verticalAxis({ scale: scaleOf(of, totals), of: sharedField([of, of]), palette }), stack: "zero" },
          color: {
            field: "series",
            type: "nominal",
            sort: null,
            scale: { domain: series, range: stageColors(series.length, palette) },
            legend: legendOf(series),
          },
          order: { field: "order" },
        },
      },
      marks: values.length,
      notes: partialNotes(frame, x),
    };
  },
};

/** Bands from the bottom up: what is done, then states from the furthest to the newest. */
function bandsOf({ frame, roles }: DrawInput, days: readonly string[]): Band[] {
  const [x, color] = [must(roles.x, "x"), roles.color];
  const names = labelsOf(color === null ? [] : valuesOf(frame, color));
  const summed = (field: Field, isIn: (cell: unknown) => boolean): number[] => {
    const sums = new Map<string, number>();
    for (const row of frame.rows) {
      if (color !== null && !isIn(row[color.index] ?? null)) continue;
      const day = String(row[x.index]);
      sums.set(day, (sums.get(day) ?? 0) + (numberAt(row, field) ?? 0));
    }
    return days.map((day) => sums.get(day) ?? 0);
  };
  const counted = roles.y
    .filter((field) => field.adds === "everywhere")
    .map((field): Band => ({ name: `${field.label}, in all`, values: cumulative(summed(field, () => true)) }));
  const states = roles.y.filter((field) => field.adds === "over_groups");
  const standing =
    color === null
      ? states.map((field): Band => ({ name: field.label, values: summed(field, () => true) }))
      : [...names].map(([cell, name]): Band => ({
          name: CATEGORY_WORDS[name] ?? name,
          values: summed(must(states[0], "a state"), (value) => value === cell),
        }));
  const ordered =
    color === null
      ? standing
      : standing.filter((band) => band.values.some((value) => value > 0)).toSorted((a, b) => stageOf(b.name) - stageOf(a.name));
  return [...counted, ...ordered];
}

/** One hue from what is done to what is new: an order, not categories. */
function stageColors(count: number, { ramp }: Palette): string[] {
  return Array.from(
    { length: count },
    (_, index) => ramp[Math.round(((count - 1 - index) / Math.max(1, count - 1)) * (ramp.length - 2)) + 1] ?? must(ramp[1], "a colour"),
  );
}

/** How what is left shrinks, against the straight way to nothing at the end of the period. */
export const BURNDOWN: Kind = {
  needs: "a time, and a measure of what stands open at an instant (backlog_open); or two counts, what came in and what was done",
  roles: (pick) => burnRoles(pick, "burndown"),
  draw: ({ frame, roles, palette }) => {
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const { xs, left } = remaining({ frame, roles, palette });
    const scale = scaleOf(of, left);
    const y = verticalAxis({ scale, of: { ...of, label: "Left to do" }, palette });
    const along = alongAxis(frame, x, xs, { isBanded: false });
    const ideal = [
      { x: xs[0] ?? 0, y: left[0] ?? 0 },
      { x: xs.at(-1) ?? 0, y: 0 },
    ];
    const format = formatOf(of.unit, left);
    const ends = [
      { name: `${numberText(left.at(-1) ?? 0, format)} left`, value: left.at(-1) ?? 0 },
      { name: "even pace", value: 0 },
    ];
    return {
      body: {
        ...PLOT,
        layer: [
          {
            data: { values: ideal },
            mark: { type: "line", strokeDash: [6, 4], color: palette.neutral, strokeWidth: 1.75 },
            encoding: { x: along, y },
          },
          {
            data: { values: xs.map((at, index) => ({ x: at, y: left[index] ?? 0, row: index, measure: of.name })) },
            mark: { type: "line", interpolate: "step-after" },
            encoding: { x: along, y },
          },
          endLabels(ends, {
            scale,
            height: PLOT.height,
            names: ends.map(({ name }) => name),
            colors: [palette.series[0] ?? palette.text, palette.neutral],
          }),
        ],
      },
      marks: xs.length + 4,
      notes: partialNotes(frame, x),
    };
  },
};

/** One state, or two counts of one unit: in, then out (told apart by their place in the spec). */
function burnRoles(pick: Picker, what: string): Roles {
  const x = pick.time();
  const state = pick.frame.fields.find((field) => field.role === "measure" && field.adds === "over_groups");
  const counts = pick.frame.fields.filter((field) => field.role === "measure" && field.adds === "everywhere");
  pick.rows((count) => count > 1, `a ${what} needs at least two buckets`);
  if (what === "burndown" && state !== undefined) {
    const measure = pick.measure();
    if (measure.adds !== "over_groups") throw new Misfit(`${measure.name} is not what stands open at an instant`, { path: "y" });
    return pick.done({ x, y: [measure] });
  }
  if (counts.length < 2)
    throw new Misfit(
      what === "burndown"
        ? "needs what stands open at an instant (backlog_open), or two counts: issues_created, issues_closed"
        : "needs two counts of one unit, what came in and what was done: issues_created, issues_closed",
      { path: "y" },
    );
  const y = pick.measures(2, 2);
  if (y.some((field) => field.adds !== "everywhere")) throw new Misfit("running totals need counts that add up over time", { path: "y" });
  return pick.done({ x, y });
}

function remaining({ frame, roles }: DrawInput): { readonly xs: readonly number[]; readonly left: readonly number[] } {
  const { xs, points } = melt(frame, { ...roles, color: null });
  const [first, second] = roles.y;
  const valuesFor = (field: Field | undefined): number[] => points.filter((point) => point.measure === field?.name).map(({ y }) => y ?? 0);
  if (second === undefined) return { xs: xs.map(Number), left: valuesFor(first) };
  const [came, went] = inAndOut(must(first, "what came in"), second);
  const [into, out] = [cumulative(valuesFor(came)), cumulative(valuesFor(went))];
  return { xs: xs.map(Number), left: into.map((value, index) => value - (out[index] ?? 0)) };
}

/** What was done is named so, whichever comes first in the spec. */
function inAndOut(first: Field, second: Field): readonly [Field, Field] {
  const isOut = ({ name, label }: Field): boolean => /closed|completed|done|velocity|resolved/i.test(`${name} ${label}`);
  return isOut(first) && !isOut(second) ? [second, first] : [first, second];
}

/** Scope and what of it is done, both as running totals: the gap is what is left. */
export const BURNUP: Kind = {
  needs: "a time, and two counts of one unit: what came in and what was done (issues_created, issues_closed)",
  roles: (pick) => burnRoles(pick, "burnup"),
  draw: (input): Drawing => {
    const { frame, roles, palette } = input;
    const x = must(roles.x, "x");
    const { xs, points } = melt(frame, { ...roles, color: null });
    const [scope, done] = inAndOut(must(roles.y[0], "scope"), must(roles.y[1], "done"));
    const running = (field: Field): number[] => cumulative(points.filter((point) => point.measure === field.name).map(({ y }) => y ?? 0));
    const [all, finished] = [running(scope), running(done)];
    const series = [scope.label, done.label];
    const scale = scaleOf(scope, [...all, ...finished]);
    const y = verticalAxis({ scale, of: sharedField([scope, done]), palette });
    const along = alongAxis(frame, x, xs, { isBanded: false });
    const colors = [palette.neutral, palette.series[0] ?? palette.text];
    const values = xs.flatMap((at, index) => [
      { x: at, series: scope.label, y: all[index] ?? 0 },
      { x: at, series: done.label, y: finished[index] ?? 0 },
    ]);
    const format = formatOf(scope.unit, [...all, ...finished]);
    const ends = [
      { name: `${scope.label} ${numberText(all.at(-1) ?? 0, format)}`, value: all.at(-1) ?? 0 },
      { name: `${done.label} ${numberText(finished.at(-1) ?? 0, format)}`, value: finished.at(-1) ?? 0 },
    ];
    return {
      body: {
        ...PLOT,
        layer: [
          {
            data: { values: values.filter((value) => value.series === done.label) },
            mark: { type: "area", interpolate: "step-after", opacity: 0.2, color: palette.series[0] },
            encoding: { x: along, y },
          },
          {
            data: { values },
            mark: { type: "line", interpolate: "step-after" },
            encoding: { x: along, y, color: colorOf(series, { ...palette, series: colors }, { hasLegend: false }) },
          },
          endLabels(ends, { scale, height: PLOT.height, names: ends.map(({ name }) => name), colors }),
        ],
      },
      marks: values.length + 4,
      notes: ["running totals from the first bucket on", ...partialNotes(frame, x)],
    };
  },
};
