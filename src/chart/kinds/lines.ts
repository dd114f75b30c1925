import { must } from "../../must.ts";
import {
  alongAxis,
  colorOf,
  dashesOf,
  type DrawInput,
  type Drawing,
  type Kind,
  melt,
  numbersOf,
  partialNotes,
  PLOT,
  type Point,
  rangeOf,
  scaleOf,
  shapesOf,
  sumsOf,
  timeAxis,
  type VegaLite,
  verticalAxis,
} from "../drawing.ts";
import type { Field } from "../field.ts";
import { Misfit, type Picker, type Roles } from "../picker.ts";
import { type Scale, spread } from "../statistics.ts";
import { fitted, formatOf, numberText } from "../words.ts";
import { sharedField } from "./bars.ts";

const MAX_LINES = 6;
const MAX_STACKED = 7;
const MAX_PANELS = 12;
const MAX_POINTS_MARKED = 40;
const END_LABEL_PX = 150;

/** Counts begin at zero; a line of what varies little about a level may not. */
function lineScale(of: Field, values: readonly number[]): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const isLevel = values.length > 0 && low > 0 && low > 0.75 * high && of.adds === "nowhere" && of.unit !== "ratio";
  return scaleOf(of, values, { hasZero: !isLevel });
}

function oneLine(pick: Picker): Roles {
  const x = pick.axis();
  pick.rows((count) => count > 1, "a line needs at least two points; choose a bar or kpi");
  return pick.done({ x, y: [pick.measure()] });
}

/** Points stand hollow where their bucket is not whole. */
function pointLayer(y: VegaLite, background: string): VegaLite {
  return {
    transform: [{ filter: "isValid(datum.y)" }],
    mark: { type: "point", filled: true, size: 42, strokeWidth: 2 },
    encoding: { y, fill: { condition: { test: "datum.isPartial", value: background } } },
  };
}

function drawLine({ frame, roles, palette }: DrawInput, isFilled: boolean): Drawing {
  const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
  const { xs, points } = melt(frame, roles);
  const values = numbersOf(points);
  const y = verticalAxis({ scale: isFilled ? scaleOf(of, values) : lineScale(of, values), of, palette });
  const last = points.findLast((point) => point.y !== null);
  const format = formatOf(of.unit, values);
  const hasPoints = points.length <= MAX_POINTS_MARKED || values.length < points.length;
  return {
    body: {
      ...PLOT,
      data: { values: points },
      encoding: { x: alongAxis(frame, x, xs, { isBanded: false }) },
      layer: [
        ...(isFilled ? [{ mark: { type: "area", opacity: 0.22, color: palette.series[0] }, encoding: { y } }] : []),
        { mark: { type: "line", color: palette.series[0] }, encoding: { y } },
        ...(hasPoints
          ? [
              {
                ...pointLayer(y, palette.background),
                mark: { type: "point", filled: true, size: 42, strokeWidth: 2, color: palette.series[0], stroke: palette.series[0] },
              },
            ]
          : []),
        ...(last === undefined ? [] : [endNumber(last, numberText(last.y, format), y)]),
      ],
    },
    marks: points.length + 2,
    notes: partialNotes(frame, x),
  };
}

/** The newest number, in words at the end of its line. */
function endNumber(last: Point, text: string, y: VegaLite): VegaLite {
  return {
    data: { values: [{ ...last, text }] },
    mark: { type: "text", align: "left", dx: 9, fontWeight: 600, fontSize: 12 },
    encoding: { y, text: { field: "text" } },
  };
}

interface EndLabelOptions {
  readonly scale: Scale;
  /** Of the plot, in px. */
  readonly height: number;
  readonly colors: readonly string[];
  readonly names: readonly string[];
  /** In place of the names. */
  readonly textOf?: (index: number) => string;
}

/** Names at the ends of lines, moved apart so that none covers another; x and y in px. */
export function endLabels(
  ends: readonly { readonly name: string; readonly value: number }[],
  { scale, height, colors, names, textOf }: EndLabelOptions,
): VegaLite {
  const wanted = ends.map(({ value }) => height * (1 - (value - scale.low) / (scale.high - scale.low)));
  const placed = spread(wanted, { gap: 14, size: height });
  const values = ends.map(({ name }, index) => ({
    series: name,
    text: textOf?.(index) ?? fitted(name, END_LABEL_PX, { isSemiBold: true }),
    at: placed[index] ?? 0,
  }));
  return {
    data: { values },
    mark: { type: "text", align: "left", dx: 10, fontWeight: 600 },
    encoding: {
      x: { value: "width" },
      y: { field: "at", type: "quantitative", scale: null, axis: null },
      text: { field: "text" },
      color: { field: "series", type: "nominal", sort: null, scale: { domain: names, range: colors }, legend: null },
    },
  };
}

function lastOf(points: readonly Point[], series: string): Point | undefined {
  return points.findLast((point) => point.series === series && point.y !== null);
}

export const LINE: Kind = {
  needs: "a time (or a dimension in order), and a measure",
  roles: oneLine,
  draw: (input) => drawLine(input, false),
};

export const AREA: Kind = {
  needs: "a time, and a measure",
  roles: (pick) => {
    const x = pick.time();
    const measure = pick.measure();
    pick.rows((count) => count > 1, "an area needs at least two points; choose a bar or kpi");
    if (measure.unit === "z") throw new Misfit("an area is measured from zero, and a score has no amount", { path: "y" });
    return pick.done({ x, y: [measure] });
  },
  draw: (input) => drawLine(input, true),
};

/** A line for each group, or for each measure of one unit. */
export const MULTI_LINE: Kind = {
  needs: "a time, and a dimension of at most 6 values or 2 to 6 measures of one unit",
  roles: (pick) => {
    const x = pick.time();
    const color = pick.series();
    const y = color === null ? pick.measures(2) : [pick.measure()];
    pick.atMost(color, MAX_LINES, "choose small_multiples or a heatmap");
    pick.rows((count) => count > 1, "lines need at least two points");
    return pick.done({ x, y, color });
  },
  draw: ({ frame, roles, palette }) => {
    const x = must(roles.x, "x");
    const { xs, series, points } = melt(frame, roles);
    const of = sharedField(roles.y);
    const scale = lineScale(of, numbersOf(points));
    const y = verticalAxis({ scale, of, palette });
    const color = colorOf(series, palette, { hasLegend: false });
    const ends = series.flatMap((name) => {
      const last = lastOf(points, name);
      return last?.y === null || last === undefined ? [] : [{ name, value: last.y }];
    });
    return {
      body: {
        ...PLOT,
        data: { values: points },
        encoding: { x: alongAxis(frame, x, xs, { isBanded: false }) },
        layer: [
          { mark: "line", encoding: { y, color, strokeDash: dashesOf(series) } },
          ...(xs.length <= MAX_POINTS_MARKED
            ? [
                {
                  transform: [{ filter: "isValid(datum.y)" }],
                  mark: { type: "point", filled: true, size: 42 },
                  encoding: { y, color, shape: shapesOf(series) },
                },
              ]
            : []),
          endLabels(ends, { scale, height: PLOT.height, colors: rangeOf(series, palette), names: series }),
        ],
      },
      marks: points.length + series.length * 2,
      notes: partialNotes(frame, x),
    };
  },
};

export const STACKED_AREA: Kind = {
  needs: "a time, a dimension of at most 7 values that do not overlap, and a measure that adds up",
  roles: (pick) => {
    const x = pick.time();
    const color = pick.mustSeries();
    const measure = pick.measure();
    pick.adds(measure, [color], "a stack");
    pick.atMost(color, MAX_STACKED, "choose small_multiples or a heatmap");
    return pick.done({ x, y: [measure], color });
  },
  draw: ({ frame, roles, palette }) => {
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const { xs, series, points } = melt(frame, roles);
    // A stack has no holes: what is not there adds nothing.
    const found = new Map(points.map((point) => [`${point.x}\n${point.series}`, point]));
    const values = xs.flatMap((at) =>
      series.map((name, order) => ({
        row: -1,
        ...found.get(`${at}\n${name}`),
        x: at,
        series: name,
        order,
        y: found.get(`${at}\n${name}`)?.y ?? 0,
      })),
    );
    const totals = sumsOf(xs, values);
    return {
      body: {
        ...PLOT,
        data: { values },
        mark: { type: "area", opacity: 0.88, line: false, stroke: palette.background, strokeWidth: 0.75 },
        encoding: {
          x: alongAxis(frame, x, xs, { isBanded: false }),
          y: { ...verticalAxis({ scale: scaleOf(of, totals), of, palette }), stack: "zero" },
          color: colorOf(series, palette),
          order: { field: "order" },
        },
      },
      marks: values.length,
      notes: partialNotes(frame, x),
    };
  },
};

/** The same small chart for each group, on one scale so that they compare. */
export const SMALL_MULTIPLES: Kind = {
  needs: "a time, a dimension of at most 12 values, and a measure",
  roles: (pick) => {
    const x = pick.time();
    const facet = pick.facet();
    if (facet === null) throw new Misfit("needs a dimension to make a small chart for each of its values", { path: "facet" });
    pick.atMost(facet, MAX_PANELS, "choose a heatmap, or filter to fewer");
    return pick.done({ x, y: [pick.measure()], facet });
  },
  draw: ({ frame, roles, palette }) => {
    const [x, of, facet] = [must(roles.x, "x"), must(roles.y[0], "y"), must(roles.facet, "facet")];
    const { xs, series, points } = melt(frame, { x, y: roles.y, color: facet });
    const columns = series.length <= 4 ? Math.min(2, series.length) : 3;
    const width = Math.floor((PLOT.width - 24 * (columns - 1)) / columns);
    const axis = verticalAxis({ scale: scaleOf(of, numbersOf(points), { ticks: 3 }), of, palette });
    const y = { ...axis, axis: { ...(axis["axis"] as object), title: null } };
    const isBar = of.adds === "everywhere" && xs.length <= 16;
    const along = alongAxis(frame, x, xs, { isBanded: isBar, widthPx: width });
    return {
      body: {
        data: { values: points },
        facet: { field: "series", type: "nominal", sort: series, header: { labelFontSize: 12 } },
        columns,
        spacing: { row: 22, column: 24 },
        spec: {
          width,
          height: 110,
          encoding: { x: { ...along, axis: { ...(along["axis"] as object), ...timeAxis(frame, xs.map(Number), width) } }, y },
          layer: isBar
            ? [
                {
                  mark: { type: "bar", width: { band: 0.74 }, cornerRadiusEnd: 1.5 },
                  encoding: { opacity: { condition: { test: "datum.isPartial", value: 0.45 }, value: 1 } },
                },
              ]
            : [{ mark: { type: "area", opacity: 0.18 } }, { mark: { type: "line", strokeWidth: 2 } }],
        },
      },
      marks: points.length,
      notes: partialNotes(frame, x),
    };
  },
};
