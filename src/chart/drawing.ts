import type { Cell } from "../result/result.ts";
import { type Field, type Frame, numberAt } from "./field.ts";
import type { Picker, Roles } from "./picker.ts";
import { roundScale, type Scale } from "./statistics.ts";
import { DASHES, type Palette, SHAPES } from "./theme.ts";
import { bucketText, formatOf, isCounted, labelsOf, measureTitle, millisecondsOf, widthOf } from "./words.ts";

/** A piece of a Vega-Lite 6 specification. Made only here in chart/, of data values and our own constants. */
export type VegaLite = Readonly<Record<string, unknown>>;

/** What a chart type draws of an answer. */
export interface Drawing {
  /** data, marks, encodings and size. */
  readonly body: VegaLite;
  /** How many marks that makes. */
  readonly marks: number;
  /** What the picture leaves out or changes, said below its title. */
  readonly notes?: readonly string[];
}

export interface DrawInput {
  readonly frame: Frame;
  readonly roles: Roles;
  readonly palette: Palette;
}

/** A chart type: what it needs of an answer and how it draws it. */
export interface Kind {
  /** For a model: the answer it can be drawn from. */
  readonly needs: string;
  /** Throws Misfit. */
  readonly roles: (pick: Picker) => Roles;
  readonly draw: (input: DrawInput) => Drawing;
}

/** Size of the plot without axes and titles, in px at scale 1. */
export const PLOT = { width: 640, height: 320 } as const;

/** A number of the answer with where it belongs. */
export interface Point {
  /** Its row and measure in the answer: what a click opens up. */
  readonly row: number;
  readonly measure: string;
  /** Milliseconds of the bucket's first day, or the group's name. */
  readonly x: number | string;
  readonly y: number | null;
  readonly series: string;
  readonly isPartial: boolean;
}

export interface Melted {
  /** Places along the axis, in order. */
  readonly xs: readonly (number | string)[];
  readonly series: readonly string[];
  readonly points: readonly Point[];
}

/** An answer as points: one a row where a column tells series apart, one a row and measure where measures do. */
export function melt({ rows, partialBuckets }: Frame, { x, y, color }: Pick<Roles, "x" | "y" | "color">): Melted {
  const cells = (field: Field | null): Cell[] => (field === null ? [] : rows.map((row) => row[field.index] ?? null));
  const names = labelsOf([...new Set(cells(color))]);
  const places = labelsOf([...new Set(cells(x))]);
  const placeOf = (cell: Cell): number | string => (x?.role === "time" ? millisecondsOf(String(cell)) : (places.get(cell) ?? ""));
  const partial = new Set(partialBuckets);
  const points = rows.flatMap((row, index) => {
    const cell = x === null ? null : (row[x.index] ?? null);
    return y.map((field): Point => ({
      row: index,
      measure: field.name,
      x: x === null ? "" : placeOf(cell),
      y: numberAt(row, field),
      series: color === null ? field.label : (names.get(row[color.index] ?? null) ?? ""),
      isPartial: x?.role === "time" && partial.has(String(cell)),
    }));
  });
  const xs = [...new Set(points.map((point) => point.x))];
  if (x?.role === "time") xs.sort((a, b) => Number(a) - Number(b));
  const byTime = x?.role === "time" ? points.toSorted((a, b) => Number(a.x) - Number(b.x)) : points;
  return { xs, series: color === null ? y.map(({ label }) => label) : [...names.values()], points: byTime };
}

/** What the points at each place come to. */
export function sumsOf(
  xs: readonly (number | string)[],
  points: readonly { readonly x: number | string; readonly y: number | null }[],
): number[] {
  const sums = new Map<number | string, number>();
  for (const { x, y } of points) sums.set(x, (sums.get(x) ?? 0) + (y ?? 0));
  return xs.map((x) => sums.get(x) ?? 0);
}

/** The numbers of points. */
export function numbersOf(points: readonly { readonly y: number | null }[]): number[] {
  return points.flatMap(({ y }) => (y === null ? [] : [y]));
}

/** Whether a number is of a kind that has no fractions. */
export function isWhole(field: Field, values: readonly number[]): boolean {
  return isCounted(field.unit) && values.every(Number.isInteger);
}

/** A scale for numbers of a measure, zero included. */
export function scaleOf(
  field: Field,
  values: readonly number[],
  options: { readonly hasZero?: boolean; readonly ticks?: number } = {},
): Scale {
  return roundScale(values, { ...options, isInteger: isWhole(field, values) });
}

/** Tick values of a scale. */
export function ticksOf({ low, high, step }: Scale): number[] {
  const count = Math.round((high - low) / step);
  return Array.from({ length: count + 1 }, (_, index) => Number((low + index * step).toPrecision(12)));
}

interface ValueAxis {
  readonly field?: string;
  readonly scale: Scale;
  readonly of: Field;
  readonly palette: Palette;
}

/** The vertical axis of a measure: its title lies on top, where it is read without turning the head. */
export function verticalAxis({ field = "y", scale, of, palette }: ValueAxis): VegaLite {
  return {
    field,
    type: "quantitative",
    scale: { domain: [scale.low, scale.high], nice: false },
    axis: {
      title: measureTitle(of),
      titleAngle: 0,
      titleAlign: "left",
      titleBaseline: "bottom",
      titleX: 0,
      titleY: -10,
      values: ticksOf(scale),
      format: formatOf(of.unit, ticksOf(scale)),
      grid: true,
      gridColor: zeroLine(palette),
    },
  };
}

/** The horizontal axis of a measure. */
export function horizontalAxis({ field = "y", scale, of, palette }: ValueAxis): VegaLite {
  return {
    field,
    type: "quantitative",
    scale: { domain: [scale.low, scale.high], nice: false },
    axis: {
      title: measureTitle(of),
      titleAnchor: "start",
      values: ticksOf(scale),
      format: formatOf(of.unit, ticksOf(scale)),
      grid: true,
      gridColor: zeroLine(palette),
      domain: false,
      labelFlush: false,
    },
  };
}

/** The grid is quiet but for the zero. */
function zeroLine({ grid, axis }: Palette): VegaLite {
  return { condition: { test: "datum.value === 0", value: axis }, value: grid };
}

/** Which buckets are named on an axis of `widthPx`, and how: a year stands below the first and where one begins. */
export function timeAxis({ grain }: Frame, xs: readonly number[], widthPx: number): VegaLite {
  const unit = grain ?? "day";
  const room = Math.max(1, Math.floor(widthPx / { day: 52, week: 52, month: 38, quarter: 38, year: 42 }[unit]));
  const shown = thinned(xs, unit === "month" ? [1, 2, 3, 6, 12] : [1, 2, 4, 8, 13, 26, 52, 104, 208], room);
  const year = (ms: number): number => new Date(ms).getUTCFullYear();
  const opening = shown.filter((ms, index) => index === 0 || year(ms) !== year(shown[index - 1] ?? ms));
  const format = { day: "'%-d %b'", week: "'%-d %b'", month: "'%b'", quarter: "'Q%q'", year: "'%Y'" }[unit];
  const label = `utcFormat(datum.value, ${format})`;
  const isTwoLined = unit !== "year";
  return {
    title: unit === "week" ? "Week beginning" : null,
    titleAnchor: "start",
    values: { expr: `[${shown.join(",")}]` },
    labelExpr: isTwoLined
      ? `indexof([${opening.join(",")}], +datum.value) >= 0 ? [${label}, utcFormat(datum.value, '%Y')] : ${label}`
      : label,
    labelAngle: 0,
    labelFlush: false,
    labelOverlap: false,
    grid: false,
  };
}

/** Every n-th bucket, n the smallest of `steps` that leaves at most `room`; of months those that include January. */
function thinned(xs: readonly number[], steps: readonly number[], room: number): number[] {
  const step = steps.find((each) => Math.ceil(xs.length / each) <= room) ?? Math.ceil(xs.length / room);
  const january = steps.includes(3) ? xs.findIndex((ms) => new Date(ms).getUTCMonth() === 0) : 0;
  const first = Math.max(0, january) % step;
  return xs.filter((_, index) => index % step === first);
}

/**
 * The horizontal axis that a chart runs along. Bars and cells stand in bands; lines run over a continuous time, whose ends
 * are expressions of our own numbers: as plain numbers Vega-Lite would take them for years.
 */
export function alongAxis(
  frame: Frame,
  x: Field,
  xs: readonly (number | string)[],
  options: { readonly isBanded: boolean; readonly widthPx?: number },
): VegaLite {
  const { isBanded, widthPx = PLOT.width } = options;
  if (x.role === "time") {
    const times = xs.map(Number);
    const axis = timeAxis(frame, times, widthPx);
    if (isBanded) return { field: "x", type: "ordinal", sort: null, scale: { domain: times }, axis };
    return {
      field: "x",
      type: "temporal",
      scale: { type: "utc", domain: { expr: `[${times[0] ?? 0}, ${times.at(-1) ?? 0}]` }, nice: false },
      axis,
    };
  }
  const names = xs.map(String);
  return {
    field: "x",
    type: "nominal",
    sort: null,
    scale: { domain: names, ...(isBanded ? {} : { type: "point" }) },
    axis: nameAxis(names, { widthPx, title: x.label }),
  };
}

/** The axis of names below bands, turned where they would run into each other. */
export function nameAxis(
  names: readonly string[],
  { widthPx = PLOT.width, title = null }: { readonly widthPx?: number; readonly title?: string | null } = {},
): VegaLite {
  const band = widthPx / Math.max(1, names.length);
  const isTurned = names.some((name) => widthOf(name) > band - 8);
  return {
    title: isTurned ? null : title,
    labelAngle: isTurned ? -40 : 0,
    labelLimit: isTurned ? 150 : Math.max(40, band),
    labelOverlap: false,
    ...(isTurned ? { labelAlign: "right", labelBaseline: "top", labelPadding: 6 } : {}),
    values: names.filter((_, index) => index % Math.ceil(names.length / 45) === 0),
    grid: false,
  };
}

/** Colours of series, with a legend above the plot that breaks into rows before it is wider than the plot. */
export function colorOf(
  series: readonly string[],
  palette: Palette,
  options: { readonly hasLegend?: boolean; readonly symbol?: string; readonly isLow?: boolean } = {},
): VegaLite {
  const { hasLegend = true, symbol = "square", isLow = false } = options;
  return {
    field: "series",
    type: "nominal",
    sort: null,
    scale: { domain: series, range: rangeOf(series, palette) },
    legend: hasLegend && series.length > 1 ? { ...legendOf(series, symbol), ...(isLow ? { offset: 12 } : {}) } : null,
  };
}

/** A legend's layout for names of these widths, above the vertical axis's title. */
export function legendOf(names: readonly string[], symbol = "square", widthPx: number = PLOT.width): VegaLite {
  const widest =
    Math.min(
      190,
      names.reduce((max, name) => Math.max(max, widthOf(name)), 0),
    ) + 36;
  return { orient: "top", direction: "horizontal", columns: Math.max(1, Math.floor(widthPx / widest)), symbolType: symbol, offset: 32 };
}

/** The rest of the groups is grey: it is none of them. */
export function rangeOf(series: readonly string[], { series: colors, neutral }: Palette): string[] {
  return series.map((name, index) => (isRest(name) ? neutral : (colors[index % colors.length] ?? neutral)));
}

export function restName(count: number): string {
  return `Other (${count})`;
}

function isRest(name: string): boolean {
  return /^Other \(\d+\)$/.test(name);
}

export function dashesOf(series: readonly string[]): VegaLite {
  return {
    field: "series",
    type: "nominal",
    sort: null,
    legend: null,
    scale: { domain: series, range: series.map((_, index) => DASHES[index % DASHES.length] ?? []) },
  };
}

export function shapesOf(series: readonly string[]): VegaLite {
  return {
    field: "series",
    type: "nominal",
    sort: null,
    legend: null,
    scale: { domain: series, range: series.map((_, index) => SHAPES[index % SHAPES.length]) },
  };
}

/** Says that the last or first buckets are not whole. */
export function partialNotes({ partialBuckets, grain, rows }: Frame, x: Field | null): string[] {
  if (x?.role !== "time" || grain === null || partialBuckets.length === 0 || rows.length === 0) return [];
  const names = partialBuckets.slice(0, 2).map((day) => bucketText(day, grain));
  return [`${names.join(" and ")} ${names.length === 1 ? "is" : "are"} not complete`];
}
