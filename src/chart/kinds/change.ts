import { must } from "../../must.ts";
import type { Cell } from "../../result/result.ts";
import { besideAxis } from "./bars.ts";
import { endLabels } from "./lines.ts";
import { colorOf, type DrawInput, horizontalAxis, type Kind, PLOT, rangeOf, scaleOf, type VegaLite } from "../drawing.ts";
import { type Field, type Frame, numberAt, valuesOf } from "../field.ts";
import { Misfit, type Picker, type Roles } from "../picker.ts";
import { type Scale, spread } from "../statistics.ts";
import type { Palette } from "../theme.ts";
import { bucketText, fitted, formatOf, labelsOf, measureTitle, millisecondsOf, numberText } from "../words.ts";
import { sharedField } from "./bars.ts";

const MAX_PAIRS = 25;
const MAX_SLOPES = 10;
const SLOPE_PX = 340;

/** Two numbers of one group. */
interface Pair {
  readonly row: number;
  readonly measure: string;
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/** Two measures of one unit, or a measure and the period before. */
function pairRoles(pick: Picker, x: Field): Roles {
  const measure = pick.measure();
  const previous = pick.previousOf(measure);
  if (previous !== undefined) return pick.done({ x, y: [previous, measure] });
  const second = pick.frame.fields.find(
    (field) => field.role === "measure" && field.unit === measure.unit && field.index !== measure.index,
  );
  if (second === undefined)
    throw new Misfit('needs two measures of one unit, or a comparison ("compare":"previous_period" in the spec\'s time)', { path: "y" });
  return pick.done({ x, y: [measure, second] });
}

function pairsOf(frame: Frame, { x, y }: Roles): { readonly pairs: readonly Pair[]; readonly left: number } {
  const [group, before, after] = [must(x, "x"), must(y[0], "before"), must(y[1], "after")];
  const names = labelsOf(valuesOf(frame, group));
  const pairs = frame.rows.flatMap((row, index): Pair[] => {
    const [a, b] = [numberAt(row, before), numberAt(row, after)];
    if (a === null || b === null) return [];
    return [{ row: index, measure: after.of ?? after.name, name: names.get(row[group.index] ?? null) ?? "", before: a, after: b }];
  });
  return { pairs, left: frame.rows.length - pairs.length };
}

function leftNote(left: number): string[] {
  return left === 0 ? [] : [`${left} ${left === 1 ? "group lacks" : "groups lack"} one of the two`];
}

/** How far apart two numbers of each group are. */
export const DUMBBELL: Kind = {
  needs: "a dimension, and two measures of one unit or a measure with its comparison",
  roles: (pick) => pairRoles(pick, pick.dimension()),
  draw: ({ frame, roles, palette }) => {
    const [a, b] = [must(roles.y[0], "before"), must(roles.y[1], "after")];
    const found = pairsOf(frame, roles);
    const sorted = frame.isSorted ? found.pairs : found.pairs.toSorted((one, other) => other.after - one.after);
    const pairs = sorted.slice(0, MAX_PAIRS);
    const series = [a.label, b.label];
    const scale = scaleOf(
      b,
      pairs.flatMap(({ before, after }) => [before, after]),
    );
    const of = a.role === "previous" ? b : sharedField([a, b]);
    const x = (field: string): VegaLite => horizontalAxis({ field, scale, of, palette });
    const dots = pairs.flatMap(({ before, after, ...pair }) => [
      { ...pair, series: a.label, y: before },
      { ...pair, series: b.label, y: after },
    ]);
    const color = colorOf(
      series,
      { ...palette, series: [palette.neutral, palette.series[0] ?? palette.text] },
      { symbol: "circle", isLow: true },
    );
    return {
      body: {
        width: PLOT.width - 110,
        height: { step: 30 },
        encoding: {
          y: besideAxis(
            pairs.map(({ name }) => name),
            "name",
          ),
        },
        layer: [
          {
            data: { values: pairs },
            mark: { type: "rule", strokeWidth: 3, color: palette.grid },
            encoding: { x: x("before"), x2: { field: "after" } },
          },
          { data: { values: dots }, mark: { type: "point", filled: true, size: 130 }, encoding: { x: x("y"), color } },
        ],
      },
      marks: pairs.length * 3,
      notes: [...leftNote(found.left), ...(sorted.length > pairs.length ? [`${pairs.length} of ${sorted.length} shown`] : [])],
    };
  },
};

/** Who rose and who fell between two periods: the spec's comparison, or a time of two buckets. */
export const SLOPE: Kind = {
  needs: "a dimension of at most 10 values, and a measure with its comparison or over exactly two buckets of time",
  roles: (pick) => {
    const time = pick.frame.fields.find((field) => field.role === "time");
    if (time === undefined) {
      const dimension = pick.dimension();
      pick.atMost(dimension, MAX_SLOPES, "choose a dumbbell");
      return pairRoles(pick, dimension);
    }
    const x = pick.time();
    const color = pick.mustSeries();
    pick.atMost(color, MAX_SLOPES, "filter to fewer");
    if (pick.hasRows && valuesOf(pick.frame, x).length !== 2) throw new Misfit("needs exactly two buckets of time", { path: "x" });
    return pick.done({ x, y: [pick.measure()], color });
  },
  draw: (input) => {
    const { roles, palette } = input;
    const of = must(roles.y.at(-1), "y");
    const { pairs, ends, left } = slopesOf(input);
    const all = pairs.flatMap(({ before, after }) => [before, after]);
    const scale = scaleOf(of, all, { hasZero: of.adds !== "nowhere" });
    const names = pairs.map(({ name }) => name);
    const color = { field: "series", type: "nominal", sort: null, scale: { domain: names, range: rangeOf(names, palette) }, legend: null };
    return {
      body: {
        width: 360,
        height: SLOPE_PX,
        layer: [
          ...slopeLines(pairs, ends, { scale, color, palette }),
          ...slopeTexts(pairs, { scale, color, palette, format: formatOf(of.unit, all) }),
        ],
      },
      marks: pairs.length * 5,
      notes: [measureTitle(of), ...leftNote(left)],
    };
  },
};

interface SlopeParts {
  readonly scale: Scale;
  readonly color: VegaLite;
  readonly palette: Palette;
}

function slopeLines(pairs: readonly Pair[], ends: readonly [string, string], { scale, color, palette }: SlopeParts): VegaLite[] {
  const [first, second] = ends;
  const values = pairs.flatMap(({ before, after, name, ...pair }) => [
    { ...pair, series: name, x: first, y: before },
    { ...pair, series: name, x: second, y: after },
  ]);
  const text = { labelAngle: 0, labelFontSize: 12, labelColor: palette.text, labelLimit: 200 };
  const axis = { ...text, title: null, grid: true, gridColor: palette.grid, domain: false, orient: "top" };
  const x = { field: "x", type: "nominal", sort: null, scale: { domain: ends, type: "point", padding: 0 }, axis };
  const y = { field: "y", type: "quantitative", scale: { domain: [scale.low, scale.high], nice: false }, axis: null };
  return [
    { data: { values }, mark: { type: "line", strokeWidth: 2.5 }, encoding: { x, y, color } },
    { data: { values }, mark: { type: "point", filled: true, size: 70 }, encoding: { x, y, color } },
  ];
}

/** Numbers at the left ends, numbers and names at the right ones. */
function slopeTexts(pairs: readonly Pair[], { scale, color, palette, format }: SlopeParts & { readonly format: string }): VegaLite[] {
  const at = (value: number): number => SLOPE_PX * (1 - (value - scale.low) / (scale.high - scale.low));
  const starts = spread(
    pairs.map(({ before }) => at(before)),
    { gap: 14, size: SLOPE_PX },
  );
  const values = pairs.map(({ name, before }, index) => ({ series: name, text: numberText(before, format), at: starts[index] ?? 0 }));
  const y = { field: "at", type: "quantitative", scale: null, axis: null };
  const names = pairs.map(({ name }) => name);
  const textOf = (index: number): string => `${numberText(pairs[index]?.after ?? null, format)}  ${fitted(pairs[index]?.name ?? "", 200)}`;
  return [
    { data: { values }, mark: { type: "text", align: "right", dx: -10 }, encoding: { x: { value: 0 }, y, text: { field: "text" }, color } },
    endLabels(
      pairs.map(({ name, after }) => ({ name, value: after })),
      { scale, height: SLOPE_PX, colors: rangeOf(names, palette), names, textOf },
    ),
  ];
}

/** Before and after of each group, and what the two are called. */
function slopesOf({ frame, roles }: DrawInput): {
  readonly pairs: readonly Pair[];
  readonly ends: readonly [string, string];
  readonly left: number;
} {
  const { x, color } = roles;
  if (color === null) {
    const { pairs, left } = pairsOf(frame, roles);
    const isCompared = roles.y[0]?.role === "previous";
    const ends: [string, string] = isCompared ? ["the period before", "this period"] : [roles.y[0]?.label ?? "", roles.y[1]?.label ?? ""];
    return { pairs, left, ends };
  }
  const [time, of] = [must(x, "x"), must(roles.y[0], "y")];
  const [first, second] = valuesOf(frame, time)
    .map(String)
    .toSorted((a, b) => millisecondsOf(a) - millisecondsOf(b));
  const names = labelsOf(valuesOf(frame, color));
  const at = new Map<Cell, { before?: number; after?: number; row: number }>();
  for (const [row, cells] of frame.rows.entries()) {
    const value = numberAt(cells, of);
    if (value === null) continue;
    const key = cells[color.index] ?? null;
    const isAfter = String(cells[time.index]) === second;
    at.set(key, { ...at.get(key), ...(isAfter ? { after: value } : { before: value }), row });
  }
  const pairs = [...at].flatMap(([cell, { before, after, row }]): Pair[] =>
    before === undefined || after === undefined ? [] : [{ row, measure: of.name, name: names.get(cell) ?? "", before, after }],
  );
  const named = (day: string | undefined): string => bucketText(day ?? "", frame.grain ?? "day");
  return { pairs, ends: [named(first), named(second)], left: names.size - pairs.length };
}
