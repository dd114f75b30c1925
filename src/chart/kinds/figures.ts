import { must } from "../../must.ts";
import type { Cell } from "../../result/result.ts";
import {
  type DrawInput,
  type Drawing,
  horizontalAxis,
  type Kind,
  melt,
  numbersOf,
  partialNotes,
  PLOT,
  type Point,
  scaleOf,
  type VegaLite,
} from "../drawing.ts";
import { type Field, type Frame, numberAt, valuesOf } from "../field.ts";
import type { Palette } from "../theme.ts";
import { bucketText, cleanText, fitted, formatOf, labelOf, labelsOf, measureTitle, numberText, widthOf } from "../words.ts";
import { besideAxis, sharedField } from "./bars.ts";

const MAX_FIGURES = 6;
const FIGURE_PX = 210;
const MAX_BULLETS = 20;
const MAX_TABLE_ROWS = 25;
const MAX_TABLE_COLUMNS = 8;

interface Text {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly size?: number;
  readonly isSemiBold?: boolean;
  readonly align?: "left" | "right";
  readonly color?: string;
}

/** Text at places in px. */
function textLayers(texts: readonly Text[], { text: ink }: Palette): VegaLite[] {
  const styles = new Map<string, Text[]>();
  for (const one of texts) {
    const key = JSON.stringify([one.size ?? 11, one.isSemiBold ?? false, one.align ?? "left", one.color ?? ink]);
    styles.set(key, [...(styles.get(key) ?? []), one]);
  }
  return [...styles].map(([key, values]) => {
    const [fontSize, isSemiBold, align, color] = JSON.parse(key) as [number, boolean, string, string];
    return {
      data: { values: values.map(({ x, y, text }) => ({ x, y, text })) },
      mark: { type: "text", align, baseline: "middle", fontSize, fontWeight: isSemiBold ? 600 : 400, color, limit: 0 },
      encoding: { x: pixel("x"), y: pixel("y"), text: { field: "text" } },
    };
  });
}

const pixel = (field: string): VegaLite => ({ field, type: "quantitative", scale: null, axis: null });

interface Figure {
  readonly label: string;
  readonly value: string;
  /** What it is compared with. */
  readonly change?: string;
  readonly trend: readonly (number | null)[];
}

function changeText(now: number | null | undefined, before: number | null | undefined, format: string, than: string): string | undefined {
  if (now === null || now === undefined || before === null || before === undefined) return undefined;
  const by = now - before;
  if (by === 0) return `as ${than.replace("vs ", "in ")}`;
  const isShare = format.endsWith("%");
  const size = isShare ? `${numberText(Math.abs(by) * 100, ",.1f")} points` : numberText(Math.abs(by), format);
  const share = before === 0 || isShare ? "" : ` (${numberText(by / Math.abs(before), "+.0%")})`;
  return `${by > 0 ? "▲" : "▼"} ${size}${share} ${than}`;
}

function bucketOf({ grain }: Frame, point: Point | undefined): string {
  return point === undefined ? "" : bucketText(new Date(Number(point.x)).toISOString().slice(0, 10), grain ?? "day");
}

/** Half a month is no month: where the newest bucket is not whole, the last whole one speaks. */
function wholePoints(points: readonly Point[]): readonly Point[] {
  const whole = points.filter(({ isPartial }) => !isPartial);
  return whole.some(({ y }) => y !== null) ? whole : points;
}

function figureOf(frame: Frame, x: Field | null, field: Field): Figure {
  const { points } = melt(frame, { x, y: [field], color: null });
  const format = formatOf(field.unit, numbersOf(points));
  const trend = wholePoints(points);
  const at = trend.findLastIndex(({ y }) => y !== null);
  const [last, before] = [trend[at], trend[at - 1]];
  const name = field.unit === "ratio" ? field.label : measureTitle(field);
  const compared = previousOf(frame, field, last);
  const change =
    compared === undefined
      ? x !== null && changeText(last?.y, before?.y, format, `vs ${bucketOf(frame, before)}`)
      : changeText(last?.y, compared, format, "vs the period before");
  return {
    label: x === null ? name : `${name}, ${bucketOf(frame, last)}`,
    value: numberText(last?.y ?? null, format),
    ...(typeof change === "string" ? { change } : {}),
    trend: trend.map(({ y }) => y),
  };
}

/** The number that a measure is compared with; undefined where the spec compares nothing. */
function previousOf({ fields, rows }: Frame, { name }: Field, point: Point | undefined): number | null | undefined {
  const previous = fields.find((field) => field.role === "previous" && field.of === name);
  return previous === undefined || point === undefined ? undefined : numberAt(rows[point.row] ?? [], previous);
}

function figuresOf({ frame, roles }: DrawInput): Figure[] {
  return roles.y.slice(0, MAX_FIGURES).map((field) => figureOf(frame, roles.x, field));
}

/** Few numbers, large: the newest where there is a time, with how they came there. */
export const KPI: Kind = {
  needs: "one row of measures, or measures over time (the newest is shown, with its trend)",
  roles: (pick) => {
    const hasTime = pick.frame.fields.some((field) => field.role === "time");
    const x = hasTime ? pick.time() : null;
    const first = pick.measure();
    const rest = pick.frame.fields.filter((field) => field.role === "measure" && field.index !== first.index);
    return pick.done({ x, y: [first, ...rest].slice(0, MAX_FIGURES) });
  },
  draw: (input) => {
    const { frame, roles, palette } = input;
    const figures = figuresOf(input);
    const columns = Math.min(3, figures.length);
    const hasTrend = roles.x !== null;
    const cell = { width: Math.max(FIGURE_PX, 640 / 3), height: hasTrend ? 150 : 104 };
    const place = (index: number) => ({ left: (index % columns) * cell.width, top: Math.floor(index / columns) * cell.height });
    const texts = figures.flatMap(({ label, value, change }, index): Text[] => {
      const { left, top } = place(index);
      return [
        { x: left, y: top + 8, text: fitted(label, cell.width - 16, { size: 12 }), size: 12, color: palette.quiet },
        { x: left, y: top + 42, text: value, size: 36, isSemiBold: true },
        ...(change === undefined ? [] : [{ x: left, y: top + 74, text: fitted(change, cell.width - 16, { size: 12 }), size: 12 }]),
      ];
    });
    const trends = figures.flatMap(({ trend }, index) =>
      hasTrend ? [trendLayer(trend, { ...place(index), width: cell.width - 30 }, palette)] : [],
    );
    return {
      body: {
        width: columns * cell.width,
        height: Math.ceil(figures.length / columns) * cell.height - 10,
        layer: [...textLayers(texts, palette), ...trends],
      },
      marks: texts.length + trends.length,
      notes: partialNotes(frame, roles.x),
    };
  },
};

/** A line without axes below a figure. */
function trendLayer(
  trend: readonly (number | null)[],
  { left, top, width }: { left: number; top: number; width: number },
  palette: Palette,
): VegaLite {
  const numbers = trend.flatMap((value) => value ?? []);
  const [low, high] = [Math.min(0, ...numbers), Math.max(...numbers, 1e-9)];
  const values = trend.flatMap((value, index) =>
    value === null
      ? []
      : [{ x: left + (index / Math.max(1, trend.length - 1)) * width, y: top + 92 + 38 * (1 - (value - low) / (high - low || 1)) }],
  );
  return {
    data: { values },
    mark: { type: "line", strokeWidth: 2, color: palette.series[0] },
    encoding: { x: pixel("x"), y: pixel("y"), order: { field: "x", type: "quantitative" } },
  };
}

/** A number against its target, for each group. */
export const BULLET: Kind = {
  needs: "a dimension, and two measures of one unit: the number and its target (completed_points, planned_points)",
  roles: (pick) => {
    const x = pick.dimension();
    pick.atMost(x, MAX_BULLETS, "filter to fewer");
    return pick.done({ x, y: pick.measures(2, 2) });
  },
  draw: ({ frame, roles, palette }) => {
    const [x, value, target] = [must(roles.x, "x"), must(roles.y[0], "value"), must(roles.y[1], "target")];
    const names = labelsOf(valuesOf(frame, x));
    const values = frame.rows.map((row, index) => {
      const [is, should] = [numberAt(row, value), numberAt(row, target)];
      const share = is === null || should === null || should === 0 ? "" : numberText(is / should, ".0%");
      return { row: index, measure: value.name, name: names.get(row[x.index] ?? null) ?? "", is: is ?? 0, should, share };
    });
    const scale = scaleOf(
      value,
      values.flatMap(({ is, should }) => [is, should ?? 0]),
    );
    const along = (field: string): VegaLite => horizontalAxis({ field, scale, of: sharedField([value, target]), palette });
    return {
      body: {
        width: PLOT.width - 110,
        height: { step: 34 },
        data: { values },
        encoding: {
          y: besideAxis(
            values.map(({ name }) => name),
            "name",
          ),
        },
        layer: [
          { mark: { type: "bar", height: { band: 0.72 }, color: palette.track }, encoding: { x: along("should") } },
          { mark: { type: "bar", height: { band: 0.36 }, color: palette.series[0] }, encoding: { x: along("is") } },
          { mark: { type: "tick", thickness: 3, band: 0.72, color: palette.text, opacity: 1 }, encoding: { x: along("should") } },
          {
            transform: [{ calculate: "max(datum.is, datum.should)", as: "end" }],
            mark: { type: "text", align: "left", dx: 8, fontWeight: 600 },
            encoding: { x: along("end"), text: { field: "share" } },
          },
        ],
      },
      marks: values.length * 4,
      notes: [`bar: ${value.label.toLowerCase()}; line: ${target.label.toLowerCase()}`],
    };
  },
};

function cellText(cell: Cell, field: Field, { grain }: Frame, format: string): string {
  if (field.role === "time" && grain !== null && cell !== null) return bucketText(String(cell), grain);
  if (typeof cell === "number") return numberText(Number.isFinite(cell) ? cell : null, format);
  return cell === null && field.role !== "dimension" ? "–" : labelOf(cell);
}

/** The numbers themselves, set to be read. */
export const TABLE: Kind = {
  needs: "anything",
  roles: (pick) => {
    const first = pick.measure();
    return pick.loose({ y: [first, ...pick.frame.fields.filter((field) => field.role === "measure" && field.index !== first.index)] });
  },
  draw: ({ frame, palette }): Drawing => {
    const fields = frame.fields.slice(0, MAX_TABLE_COLUMNS);
    const rows = frame.rows.slice(0, MAX_TABLE_ROWS);
    const isNumber = ({ role }: Field): boolean => role !== "time" && role !== "dimension";
    const formats = fields.map((field) =>
      formatOf(
        field.unit,
        frame.rows.flatMap((row) => numberAt(row, field) ?? []),
      ),
    );
    const cells = rows.map((row) => fields.map((field, at) => cellText(row[field.index] ?? null, field, frame, formats[at] ?? "")));
    const heads = fields.map((field) => (isNumber(field) ? measureTitle(field) : cleanText(field.label)));
    const widths = fields.map(
      (_, at) =>
        Math.min(
          190,
          Math.max(widthOf(heads[at] ?? "", { isSemiBold: true }), ...cells.map((row) => widthOf(row[at] ?? "", { size: 12 }))),
        ) + 28,
    );
    const starts = widths.map((_, at) => widths.slice(0, at).reduce((sum, width) => sum + width, 0));
    const [width, line] = [widths.reduce((sum, each) => sum + each, 0), 26];
    const place = (at: number, field: Field): Pick<Text, "x" | "align"> =>
      isNumber(field) ? { x: (starts[at] ?? 0) + (widths[at] ?? 0) - 14, align: "right" } : { x: starts[at] ?? 0, align: "left" };
    const texts = fields.flatMap((field, at): Text[] => [
      {
        ...place(at, field),
        y: 10,
        text: fitted(heads[at] ?? "", (widths[at] ?? 0) - 28, { isSemiBold: true }),
        isSemiBold: true,
        color: palette.quiet,
      },
      ...cells.map((row, index): Text => ({
        ...place(at, field),
        y: 10 + line * (index + 1),
        text: fitted(row[at] ?? "", (widths[at] ?? 0) - 28, { size: 12 }),
        size: 12,
      })),
    ]);
    const rules = Array.from({ length: rows.length + 1 }, (_, index) => ({ y: 10 + line * index + line / 2, x: 0, end: width }));
    return {
      body: {
        width,
        height: line * (rows.length + 1),
        layer: [
          {
            data: { values: rules },
            mark: { type: "rule", color: palette.grid },
            encoding: { y: pixel("y"), x: pixel("x"), x2: { field: "end" } },
          },
          ...textLayers(texts, palette),
        ],
      },
      marks: texts.length + rules.length,
      notes: [
        ...(rows.length < frame.rows.length ? [`the first ${rows.length} of ${frame.rows.length} rows`] : []),
        ...(fields.length < frame.fields.length ? [`${fields.length} of ${frame.fields.length} columns`] : []),
      ],
    };
  },
};
