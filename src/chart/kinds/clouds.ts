import { must } from "../../must.ts";
import type { Cell } from "../../result/result.ts";
import {
  colorOf,
  type DrawInput,
  type Drawing,
  horizontalAxis,
  type Kind,
  PLOT,
  scaleOf,
  shapesOf,
  type VegaLite,
  verticalAxis,
} from "../drawing.ts";
import { type Field, type Frame, numberAt, valuesOf } from "../field.ts";
import type { Picker, Roles } from "../picker.ts";
import { boxOf, bins, quantile, roundScale, type Scale } from "../statistics.ts";
import { bucketText, fitted, formatOf, labelOf, labelsOf, measureTitle, millisecondsOf, numberText } from "../words.ts";
import { besideAxis } from "./bars.ts";

const MAX_COLORS = 6;
const MAX_NAMED = 14;
const MAX_BOXES = 20;

/** What a row is about: its groups, in words. */
function nameOf(frame: Frame, row: readonly Cell[], except: Field | null = null): string {
  const names = frame.fields
    .filter((field) => (field.role === "dimension" || field.role === "time") && field.index !== except?.index)
    .map((field) =>
      field.role === "time" && frame.grain !== null ? bucketText(String(row[field.index]), frame.grain) : labelOf(row[field.index] ?? null),
    );
  return names.join(", ");
}

interface Spot {
  readonly row: number;
  readonly measure: string;
  readonly a: number;
  readonly b: number;
  readonly size: number;
  readonly series: string;
  readonly name: string;
}

function spotsOf({ frame, roles }: DrawInput): {
  readonly spots: readonly Spot[];
  readonly series: readonly string[];
  readonly left: number;
} {
  const [a, b, size] = [must(roles.y[0], "x"), must(roles.y[1], "y"), roles.y[2]];
  const { color } = roles;
  const names = labelsOf(color === null ? [] : valuesOf(frame, color));
  const spots = frame.rows.flatMap((row, index): Spot[] => {
    const [x, y, z] = [numberAt(row, a), numberAt(row, b), size === undefined ? 0 : numberAt(row, size)];
    if (x === null || y === null || z === null) return [];
    const series = color === null ? "" : (names.get(row[color.index] ?? null) ?? "");
    return [{ row: index, measure: b.name, a: x, b: y, size: z, series, name: nameOf(frame, row, color) || series }];
  });
  return { spots, series: [...names.values()], left: frame.rows.length - spots.length };
}

function cloudRoles(pick: Picker, count: number): Roles {
  const y = pick.anyMeasures(count);
  const groups = pick.frame.fields.filter((field) => field.role === "dimension");
  // Colour tells groups apart only where each has several spots; else names do.
  const color = groups.length > 1 ? pick.series() : null;
  pick.atMost(color, MAX_COLORS, "leave color out");
  return pick.loose({ x: null, y, color });
}

function drawCloud(input: DrawInput): Drawing {
  const { roles, palette } = input;
  const [a, b, size] = [must(roles.y[0], "x"), must(roles.y[1], "y"), roles.y[2]];
  const { spots, series, left } = spotsOf(input);
  const x = horizontalAxis({
    field: "a",
    scale: cloudScale(
      a,
      spots.map((spot) => spot.a),
    ),
    of: a,
    palette,
  });
  const y = verticalAxis({
    field: "b",
    scale: cloudScale(
      b,
      spots.map((spot) => spot.b),
    ),
    of: b,
    palette,
  });
  const isTold = series.length > 1;
  const color = isTold ? colorOf(series, palette, { symbol: "circle" }) : { value: palette.series[0] };
  const mark = { type: "point", filled: true, stroke: palette.background, strokeWidth: 0.75 };
  const spotLayer =
    size === undefined
      ? { mark: { ...mark, size: 60, opacity: 0.75 }, encoding: { color, ...(isTold ? { shape: shapesOf(series) } : {}) } }
      : { mark: { ...mark, shape: "circle", opacity: 0.6 }, encoding: { color, size: bubbleSize(size, spots) } };
  const place = size === undefined ? { align: "left", dx: 8 } : { align: "center" };
  const nameLayer = { mark: { type: "text", baseline: "middle", limit: 120, ...place }, encoding: { text: { field: "name" } } };
  return {
    body: { ...PLOT, data: { values: spots }, encoding: { x, y }, layer: [spotLayer, ...(spots.length <= MAX_NAMED ? [nameLayer] : [])] },
    marks: spots.length * 2,
    notes: left === 0 ? [] : [`${left} of ${left + spots.length} rows have no value for both`],
  };
}

/** Spots have a place, not a length: zero is shown where it is near. */
function cloudScale(of: Field, values: readonly number[]): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return scaleOf(of, values, { hasZero: !(low > 0.4 * high) });
}

/** Area stands for the amount, so that twice as much is twice as large. */
function bubbleSize(size: Field, spots: readonly Spot[]): VegaLite {
  const values = spots.map((spot) => spot.size);
  const { high, step } = roundScale(values, { ticks: 3 });
  const ticks = [step, Math.round(high / step / 2) * step, high].filter((tick, at, all) => tick > 0 && all.indexOf(tick) === at);
  return {
    field: "size",
    type: "quantitative",
    scale: { domain: [0, high], range: [0, 1400] },
    legend: {
      title: measureTitle(size),
      values: ticks,
      format: formatOf(size.unit, ticks),
      orient: "right",
      direction: "vertical",
      symbolType: "circle",
      titleLimit: 150,
      titlePadding: 8,
      padding: 6,
    },
  };
}

export const SCATTER: Kind = {
  needs: "two measures, and a dimension or time whose rows are the points",
  roles: (pick) => {
    pick.rows((count) => count > 1, "a scatter needs several rows: group by a dimension");
    return cloudRoles(pick, 2);
  },
  draw: drawCloud,
};

export const BUBBLE: Kind = {
  needs: "three measures (across, up, size), and a dimension or time whose rows are the bubbles",
  roles: (pick) => {
    pick.rows((count) => count > 1, "bubbles need several rows: group by a dimension");
    const roles = cloudRoles(pick, 3);
    const size = must(roles.y[2], "size");
    if (pick.hasRows)
      pick.rows(
        () => pick.frame.rows.every((row) => (numberAt(row, size) ?? 0) >= 0),
        `${size.name} is below zero in places, and a bubble cannot be`,
      );
    return roles;
  },
  draw: drawCloud,
};

/** A few values far out would press all others into one bar; they are counted, and said. */
function withoutTail(values: readonly number[]): { readonly values: readonly number[]; readonly beyond: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const edge = quantile(sorted, 0.98);
  const isLong = sorted.length >= 50 && edge > 0 && (sorted.at(-1) ?? 0) > 2.5 * edge;
  const kept = isLong ? sorted.filter((value) => value <= edge) : sorted;
  return { values: kept, beyond: sorted.length - kept.length };
}

/** How often which values come; each row of the answer is one observation. */
export const HISTOGRAM: Kind = {
  needs: "a measure and rows that are observations, as one per issue_key or sprint",
  roles: (pick) => {
    const measure = pick.measure();
    pick.rows(
      () => pick.frame.rows.filter((row) => numberAt(row, measure) !== null).length >= 5,
      "a histogram needs at least 5 rows with a value: group by issue_key, sprint_name or time",
    );
    return pick.loose({ y: [measure] });
  },
  draw: ({ frame, roles, palette }) => {
    const of = must(roles.y[0], "y");
    const all = frame.rows.flatMap((row) => numberAt(row, of) ?? []);
    const { values, beyond } = withoutTail(all);
    const found = bins(values, { isInteger: values.every(Number.isInteger) });
    const [first, last] = [must(found[0], "a bin"), must(found.at(-1), "a bin")];
    const width = first.to - first.from;
    const count: Field = { ...of, label: "Rows", unit: "issues" };
    const scale = roundScale(
      found.map((bin) => bin.count),
      { isInteger: true },
    );
    const median = quantile(
      all.toSorted((a, b) => a - b),
      0.5,
    );
    const y = verticalAxis({ field: "count", scale, of: count, palette });
    const axis = horizontalAxis({
      field: "from",
      scale: { low: first.from, high: last.to, step: width * Math.ceil(found.length / 12) },
      of,
      palette,
    });
    const x = { ...axis, axis: { ...(axis["axis"] as object), grid: false, domain: true, domainColor: palette.axis } };
    return {
      body: {
        ...PLOT,
        layer: [
          {
            data: { values: found },
            mark: { type: "rect", color: palette.series[0], stroke: palette.background, strokeWidth: 1 },
            encoding: { x, x2: { field: "to" }, y: { ...y, axis: { ...(y["axis"] as object), title: "Rows" } }, y2: { datum: 0 } },
          },
          {
            data: { values: [{ median }] },
            mark: { type: "rule", color: palette.signal, strokeWidth: 2, strokeDash: [5, 3] },
            encoding: { x: { field: "median", type: "quantitative" } },
          },
          {
            data: { values: [{ median, text: `median ${numberText(median, formatOf(of.unit, values))}` }] },
            mark: {
              type: "text",
              align: median > (first.from + last.to) / 2 ? "right" : "left",
              dx: median > (first.from + last.to) / 2 ? -6 : 6,
              baseline: "top",
              fontWeight: 600,
              color: palette.text,
            },
            encoding: { x: { field: "median", type: "quantitative" }, y: { value: -4 }, text: { field: "text" } },
          },
        ],
      },
      marks: found.length + 2,
      notes: [
        `${all.length} rows`,
        ...(beyond === 0 ? [] : [`${beyond} of them lie beyond, up to ${numberText(Math.max(...all), formatOf(of.unit, all))}`]),
      ],
    };
  },
};

/** How values of each group are spread; each row of the answer is one observation. */
export const BOX_PLOT: Kind = {
  needs: "a dimension (or time) to compare, a measure, and further groups whose rows are the observations",
  roles: (pick) => {
    const x = pick.axis();
    const measure = pick.measure();
    const others = pick.frame.fields.filter((field) => (field.role === "dimension" || field.role === "time") && field.index !== x.index);
    if (others.length === 0)
      pick.rows(() => false, `boxes need several rows for each ${x.name}: add a dimension, as sprint_name or issue_key`);
    pick.atMost(x, MAX_BOXES, "filter to fewer");
    return pick.loose({ x, y: [measure] });
  },
  draw: ({ frame, roles, palette }) => {
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const groups = new Map<Cell, number[]>();
    for (const row of frame.rows) {
      const value = numberAt(row, of);
      const cell = row[x.index] ?? null;
      if (value === null) continue;
      const values = groups.get(cell) ?? [];
      values.push(value);
      groups.set(cell, values);
    }
    const cells =
      x.role === "time" ? [...groups.keys()].toSorted((a, b) => millisecondsOf(String(a)) - millisecondsOf(String(b))) : [...groups.keys()];
    const names = labelsOf(cells);
    const named = (cell: Cell): string =>
      x.role === "time" && frame.grain !== null ? bucketText(String(cell), frame.grain) : (names.get(cell) ?? "");
    const boxes = cells.map((cell) => ({ x: fitted(named(cell), 200), ...boxOf(groups.get(cell) ?? [0]) }));
    const outliers = boxes.flatMap((box) => box.outliers.map((value) => ({ x: box.x, y: value })));
    const scale = scaleOf(of, [...boxes.flatMap((box) => [box.low, box.high]), ...outliers.map(({ y }) => y)]);
    const along = (field: string): VegaLite => horizontalAxis({ field, scale, of, palette });
    const y = besideAxis(boxes.map((box) => box.x));
    return {
      body: {
        width: PLOT.width - 100,
        height: { step: 38 },
        encoding: { y },
        layer: [
          {
            data: { values: boxes },
            mark: { type: "rule", strokeWidth: 1.5, color: palette.quiet },
            encoding: { x: along("low"), x2: { field: "high" } },
          },
          {
            data: { values: boxes },
            mark: { type: "bar", height: { band: 0.55 }, color: palette.series[0], opacity: 1 },
            encoding: { x: along("q1"), x2: { field: "q3" } },
          },
          {
            data: { values: boxes },
            mark: { type: "tick", thickness: 2.5, band: 0.55, color: palette.background },
            encoding: { x: along("median") },
          },
          {
            data: { values: outliers },
            mark: { type: "point", filled: false, size: 26, color: palette.series[0], opacity: 0.8 },
            encoding: { x: along("y") },
          },
        ],
      },
      marks: boxes.length * 3 + outliers.length,
      notes: ["box: the middle half of the rows, with the median; whiskers: up to 1.5 times its width; dots: beyond"],
    };
  },
};
