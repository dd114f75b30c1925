import { must } from "../../must.ts";
import {
  alongAxis,
  colorOf,
  type DrawInput,
  type Drawing,
  horizontalAxis,
  type Kind,
  type Melted,
  melt,
  numbersOf,
  partialNotes,
  PLOT,
  type Point,
  restName,
  scaleOf,
  sumsOf,
  type VegaLite,
  verticalAxis,
} from "../drawing.ts";
import type { Field } from "../field.ts";
import type { Picker, Roles } from "../picker.ts";
import { mixed, type Palette } from "../theme.ts";
import { formatOf, numberText, widthOf } from "../words.ts";

const MAX_BARS = 25;
/** Buckets of time side by side: a year of weeks and then some. */
const MAX_BUCKETS = 120;
const MAX_SERIES = 6;
const MAX_STACKED = 7;
const ROW_PX = 26;
const NAME_PX = 210;

/** A point with its number in words. */
type Labelled = Point & { readonly text: string };

function labelled(points: readonly Point[], of: Field): Labelled[] {
  const format = formatOf(of.unit, numbersOf(points));
  return points.map((point) => ({ ...point, text: numberText(point.y, format) }));
}

/**
 * The largest groups first where the spec asks for no order, at most `max` of them. The rest becomes one bar where the
 * numbers add up; else it is left out, and the picture says so.
 */
function ranked(melted: Melted, { frame, roles }: DrawInput, max: number): { readonly points: readonly Point[]; readonly notes: string[] } {
  const [of] = roles.y;
  if (roles.x?.role === "time" || of === undefined) return { points: melted.points, notes: partialNotes(frame, roles.x) };
  const sized = frame.isSorted ? [...melted.points] : melted.points.toSorted((a, b) => (b.y ?? -Infinity) - (a.y ?? -Infinity));
  if (sized.length <= max) return { points: sized, notes: [] };
  const [kept, left] = [sized.slice(0, max), sized.slice(max)];
  const first = frame.isSorted ? "first" : "largest";
  if (of.adds === "nowhere" || roles.x?.multiValued === true || frame.isSorted)
    return { points: kept, notes: [`the ${first} ${max} of ${sized.length} shown`] };
  return withRest(kept, left, of);
}

/** What is left as one bar; where that would press all others flat, it is said instead. */
function withRest(
  kept: readonly Point[],
  left: readonly Point[],
  of: Field,
): { readonly points: readonly Point[]; readonly notes: string[] } {
  const all = `of ${kept.length + left.length} shown`;
  const sum = numbersOf(left).reduce((total, value) => total + value, 0);
  if (sum > (kept[0]?.y ?? 0))
    return { points: kept, notes: [`the ${kept.length} largest ${all}; the others come to ${numberText(sum, formatOf(of.unit, [sum]))}`] };
  const rest: Point = { ...must(left[0], "what is left"), row: -1, x: restName(left.length), y: sum };
  return { points: [...kept, rest], notes: [`the ${kept.length} largest ${all} by name`] };
}

const faded: VegaLite = { condition: { test: "datum.isPartial", value: 0.45 }, value: 1 };

/** The rest of the groups is grey, and a bucket that is not whole is pale. */
function barColor({ neutral, series, background }: Palette): VegaLite {
  const own = series[0] ?? neutral;
  const pale = { test: "datum.isPartial", value: mixed(own, background, 0.55) };
  return { condition: [{ test: "datum.row < 0", value: neutral }, pale], value: own };
}

function single(pick: Picker, axis: Field): Roles {
  return pick.done({ x: axis, y: [pick.measure()] });
}

function drawColumns(input: DrawInput): Drawing {
  const { frame, roles, palette } = input;
  const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
  const { points, notes } = ranked(melt(frame, roles), input, x.role === "time" ? MAX_BUCKETS : MAX_BARS);
  const values = labelled(points, of);
  const scale = scaleOf(of, withRoomBelow(numbersOf(points)));
  const along = alongAxis(frame, x, [...new Set(points.map((point) => point.x))], { isBanded: true });
  const widest = values.reduce((max, { text }) => Math.max(max, widthOf(text)), 0);
  const hasText = widest < PLOT.width / Math.max(1, values.length) - 4;
  const y = verticalAxis({ scale, of, palette });
  return {
    body: {
      ...PLOT,
      data: { values },
      encoding: { x: along },
      layer: [
        { mark: { type: "bar", cornerRadiusEnd: 2, width: { band: 0.72 } }, encoding: { y, color: barColor(palette) } },
        ...(hasText ? [aboveText("text", y)] : []),
      ],
    },
    marks: values.length * 2,
    notes,
  };
}

/** A number below its bar needs a place there. */
function withRoomBelow(values: readonly number[]): number[] {
  return values.map((value) => {
    const room = value < 0 ? value * 1.12 : value;
    return Number.isInteger(value) ? Math.floor(room) : room;
  });
}

/** Numbers above their bars, below those of negative ones. */
function aboveText(field: string, y: VegaLite): VegaLite {
  return {
    transform: [{ filter: "isValid(datum.y)" }],
    mark: { type: "text", baseline: { expr: "datum.y < 0 ? 'top' : 'bottom'" }, dy: { expr: "datum.y < 0 ? 4 : -4" } },
    encoding: { y, text: { field } },
  };
}

/** Axis of names beside horizontal bars. */
export function besideAxis(names: readonly (string | number)[], field = "x"): VegaLite {
  return {
    field,
    type: "nominal",
    sort: null,
    scale: { domain: names },
    axis: { title: null, labelLimit: NAME_PX, labelPadding: 8, labelOverlap: false, domain: false },
  };
}

function drawRows(input: DrawInput, marks: (y: VegaLite, palette: Palette) => readonly VegaLite[]): Drawing {
  const { frame, roles, palette } = input;
  const of = must(roles.y[0], "y");
  const { points, notes } = ranked(melt(frame, roles), input, MAX_BARS);
  const values = labelled(points, of);
  const x = horizontalAxis({ scale: scaleOf(of, numbersOf(points)), of, palette });
  const text: VegaLite = {
    transform: [{ filter: "isValid(datum.y)" }],
    mark: { type: "text", baseline: "middle", align: { expr: "datum.y < 0 ? 'right' : 'left'" }, dx: { expr: "datum.y < 0 ? -8 : 8" } },
    encoding: { x, text: { field: "text" } },
  };
  return {
    body: {
      width: PLOT.width - NAME_PX / 2,
      height: { step: ROW_PX },
      data: { values },
      encoding: { y: besideAxis(values.map((value) => value.x)) },
      layer: [...marks(x, palette), text],
    },
    marks: values.length * 2,
    notes,
  };
}

function bands(names: readonly Field[], pick: Picker): void {
  for (const field of names) if (field.role === "dimension") pick.atMost(field, 45, "ask for the largest with sort and limit");
}

export const BAR: Kind = {
  needs: "a time or a dimension, and a measure",
  roles: (pick) => single(pick, pick.axis()),
  draw: drawColumns,
};

export const HORIZONTAL_BAR: Kind = {
  needs: "a dimension and a measure",
  roles: (pick) => single(pick, pick.dimension()),
  draw: (input) =>
    drawRows(input, (x, palette) => [
      { mark: { type: "bar", cornerRadiusEnd: 2, height: { band: 0.7 } }, encoding: { x, color: barColor(palette) } },
    ]),
};

export const LOLLIPOP: Kind = {
  needs: "a dimension and a measure",
  roles: (pick) => single(pick, pick.dimension()),
  draw: (input) =>
    drawRows(input, (x, palette) => [
      { mark: { type: "rule", strokeWidth: 2 }, encoding: { x, x2: { datum: 0 }, color: barColor(palette) } },
      { mark: { type: "point", size: 90, filled: true }, encoding: { x, color: barColor(palette) } },
    ]),
};

/** Series side by side: a second group, or several measures of one unit. */
export const GROUPED_BAR: Kind = {
  needs: "a time or a dimension, and a second dimension of at most 6 values or 2 to 6 measures of one unit",
  roles: (pick) => {
    const x = pick.axis();
    const color = pick.series();
    const y = color === null ? pick.measures(2) : [pick.measure()];
    pick.atMost(color, MAX_SERIES, "choose a heatmap or small_multiples");
    bands([x], pick);
    return pick.done({ x, y, color });
  },
  draw: ({ frame, roles, palette }) => {
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const { xs, series, points } = melt(frame, roles);
    const y = verticalAxis({ scale: scaleOf(of, numbersOf(points)), of: sharedField(roles.y), palette });
    const offset = { field: "series", sort: null, scale: { domain: series, paddingInner: 0.08 } };
    return {
      body: {
        ...PLOT,
        data: { values: points },
        mark: { type: "bar", cornerRadiusEnd: 2 },
        encoding: {
          x: { ...alongAxis(frame, x, xs, { isBanded: true }), bandPosition: 0 },
          xOffset: offset,
          y,
          color: colorOf(series, palette),
          opacity: faded,
        },
      },
      marks: points.length,
      notes: partialNotes(frame, x),
    };
  },
};

/** Several measures on one axis have only their unit in common. */
export function sharedField(fields: readonly Field[]): Field {
  const [first, ...rest] = fields;
  const one = must(first, "a measure");
  return rest.length === 0
    ? one
    : { ...one, label: capitalized(one.unit ?? "value"), ...(one.unit === undefined ? {} : { unit: one.unit }) };
}

const capitalized = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

function stackedRoles(pick: Picker, what: string): Roles {
  const x = pick.axis();
  const color = pick.mustSeries();
  const measure = pick.measure();
  pick.adds(measure, [color], what);
  pick.atMost(color, MAX_STACKED, "choose a heatmap or small_multiples");
  bands([x], pick);
  return pick.done({ x, y: [measure], color });
}

function drawStacked({ frame, roles, palette }: DrawInput, isShare: boolean): Drawing {
  const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
  const { xs, series, points } = melt(frame, roles);
  const totals = sumsOf(xs, points);
  const share: Field = { ...of, unit: "ratio", label: `Share of ${of.label.toLowerCase()}` };
  const y = isShare
    ? { ...verticalAxis({ scale: { low: 0, high: 1, step: 0.25 }, of: share, palette }), stack: "normalize" }
    : { ...verticalAxis({ scale: scaleOf(of, totals), of, palette }), stack: "zero" };
  const format = formatOf(of.unit, totals);
  const band = PLOT.width / Math.max(1, xs.length);
  const sums = xs.map((at, index) => ({ isSum: true, x: at, y: totals[index] ?? 0, text: numberText(totals[index] ?? 0, format) }));
  const hasText = !isShare && sums.every(({ text }) => widthOf(text) < band - 4);
  const along = alongAxis(frame, x, xs, { isBanded: true });
  return {
    body: {
      ...PLOT,
      data: { values: points.map((point) => ({ ...point, order: series.indexOf(point.series) })) },
      layer: [
        {
          mark: { type: "bar", width: { band: 0.72 }, stroke: palette.background, strokeWidth: 0.75 },
          encoding: { x: along, y, color: colorOf(series, palette), order: { field: "order" }, opacity: faded },
        },
        ...(hasText
          ? [
              {
                data: { values: sums },
                ...aboveText("text", verticalAxis({ scale: scaleOf(of, totals), of, palette })),
                encoding: { x: along, y: verticalAxis({ scale: scaleOf(of, totals), of, palette }), text: { field: "text" } },
              },
            ]
          : []),
      ],
    },
    marks: points.length + sums.length,
    notes: partialNotes(frame, x),
  };
}

export const STACKED_BAR: Kind = {
  needs: "a time or a dimension, a second dimension of at most 7 values that do not overlap, and a measure that adds up",
  roles: (pick) => stackedRoles(pick, "a stack"),
  draw: (input) => drawStacked(input, false),
};

export const NORMALIZED_BAR: Kind = {
  needs: "as stacked_bar",
  roles: (pick) => stackedRoles(pick, "a share"),
  draw: (input) => drawStacked(input, true),
};
