import { must } from "../../must.ts";
import { besideAxis } from "./bars.ts";
import { alongAxis, type DrawInput, type Kind, melt, numbersOf, partialNotes, PLOT, scaleOf, type VegaLite } from "../drawing.ts";
import { type Field, numberAt } from "../field.ts";
import { Misfit } from "../picker.ts";
import type { Scale } from "../statistics.ts";
import type { Palette } from "../theme.ts";
import { formatOf, measureTitle, millisecondsOf, numberText, widthOf } from "../words.ts";

const MAX_COLUMNS = 60;
const MAX_ROWS = 40;
const DAY_MS = 86_400_000;
const MAX_DAYS = 400;

/** Colour for amounts: one hue from few to many; where numbers fall below zero, two hues that meet there. */
function heat(
  of: Field,
  values: readonly number[],
  palette: Palette,
): { readonly color: VegaLite; readonly scale: Scale; readonly isDark: (value: number) => boolean } {
  const scale = scaleOf(of, values, { ticks: 4 });
  const isSigned = scale.low < 0;
  const reach = Math.max(Math.abs(scale.low), Math.abs(scale.high));
  const domain = isSigned ? [-reach, reach] : [scale.low, scale.high];
  const colors = isSigned ? palette.diverging : palette.ramp;
  const [low = 0, high = 1] = domain;
  const at = (value: number): number => (value - low) / (high - low);
  // The text on a cell is light where the cell is dark: at the ramp's end on a light page, at its beginning on a dark one.
  const isLightPage = palette.background === "#ffffff";
  const isDark = (value: number): boolean => {
    const place = at(value);
    if (isSigned) return isLightPage ? place < 0.14 || place > 0.86 : place > 0.14 && place < 0.8;
    return isLightPage ? place > 0.58 : place < 0.62;
  };
  return {
    scale,
    isDark,
    color: {
      field: "y",
      type: "quantitative",
      scale: { domain, range: colors, interpolate: "lab" },
      legend: {
        title: measureTitle(of),
        orient: "top",
        direction: "horizontal",
        gradientLength: 180,
        gradientThickness: 10,
        titleOrient: "left",
        titlePadding: 10,
        titleLimit: 300,
        format: formatOf(of.unit, [low, high]),
        values: [low, (low + high) / 2, high],
        titleAnchor: "middle",
      },
    },
  };
}

/** Two groups against each other; how much is a colour, and a number where there is room. */
export const HEATMAP: Kind = {
  needs: "two groups (time and a dimension, or two dimensions), and a measure",
  roles: (pick) => {
    const x = pick.axis();
    const color = pick.mustSeries();
    pick.atMost(x, MAX_COLUMNS, "choose a coarser grain or filter to fewer");
    pick.atMost(color, MAX_ROWS, "filter to fewer");
    return pick.done({ x, y: [pick.measure()], color });
  },
  draw: ({ frame, roles, palette }: DrawInput) => {
    const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
    const { xs, series, points } = melt(frame, roles);
    const numbers = numbersOf(points);
    const { color, isDark } = heat(of, numbers, palette);
    const format = formatOf(of.unit, numbers);
    const values = points.flatMap((point) =>
      point.y === null ? [] : [{ ...point, text: numberText(point.y, format), isDark: isDark(point.y) }],
    );
    const width = Math.min(PLOT.width, Math.max(240, xs.length * 64));
    const hasText = values.every(({ text }) => widthOf(text) < width / xs.length - 4);
    const along = alongAxis(frame, x, xs, { isBanded: true, widthPx: width });
    const axis = { ...(along["axis"] as object), domain: false, ...(x.role === "time" ? {} : { title: null }) };
    return {
      body: {
        width,
        height: { step: series.length > 20 ? 18 : 28 },
        data: { values },
        encoding: { x: { ...along, axis }, y: besideAxis(series, "series") },
        layer: [
          { mark: { type: "rect", stroke: palette.background, strokeWidth: 2, cornerRadius: 2 }, encoding: { color } },
          ...(hasText
            ? [
                {
                  mark: { type: "text" },
                  encoding: { text: { field: "text" }, color: { condition: { test: "datum.isDark", value: "#ffffff" }, value: "#1f2328" } },
                },
              ]
            : []),
        ],
      },
      marks: values.length * 2,
      notes: [...partialNotes(frame, x), ...(values.length < points.length ? ["empty cells have no value"] : [])],
    };
  },
};

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

interface Day {
  /** Milliseconds of the week's first day. */
  readonly week: number;
  readonly weekday: string;
  readonly y: number;
}

function daysOf({ frame, roles }: DrawInput): Day[] {
  const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
  const weekOf = (ms: number): number => ms - ((new Date(ms).getUTCDay() - (frame.weekStart % 7) + 7) % 7) * DAY_MS;
  return frame.rows.flatMap((row, index) => {
    const y = numberAt(row, of);
    const day = millisecondsOf(String(row[x.index]));
    return y === null ? [] : [{ row: index, measure: of.name, week: weekOf(day), weekday: WEEKDAYS[new Date(day).getUTCDay()] ?? "", y }];
  });
}

/** Every week from the first to the last, and the axis that names the months they begin in. */
function weeksOf(days: readonly Day[]): { readonly weeks: readonly number[]; readonly axis: VegaLite } {
  const all = days.map(({ week }) => week);
  const [from, to] = [Math.min(...all), Math.max(...all)];
  const weeks =
    all.length === 0 ? [] : Array.from({ length: Math.round((to - from) / (7 * DAY_MS)) + 1 }, (_, index) => from + index * 7 * DAY_MS);
  const month = (ms: number): number => new Date(ms).getUTCMonth();
  const opening = weeks.filter((week, index) =>
    index === 0 ? new Date(week).getUTCDate() <= 15 : month(week) !== month(weeks[index - 1] ?? week),
  );
  const named = `utcmonth(datum.value) == 0 || +datum.value == ${opening[0] ?? 0}`;
  const labelExpr = `${named} ? utcFormat(datum.value, '%b %Y') : utcFormat(datum.value, '%b')`;
  const place = { title: null, orient: "top", domain: false, labelAngle: 0, labelAlign: "left", labelOverlap: "greedy", labelPadding: 4 };
  return { weeks, axis: { ...place, values: opening, labelExpr } };
}

/** A cell a day, a column a week: rhythm, weekends and holidays show. */
export const CALENDAR_HEATMAP: Kind = {
  needs: "time by day (at most 400 days), and a measure",
  roles: (pick) => {
    const x = pick.time();
    if (pick.frame.grain !== "day") throw new Misfit("a calendar needs time by day", { path: "x" });
    pick.atMost(x, MAX_DAYS, "choose a shorter range");
    return pick.done({ x, y: [pick.measure()] });
  },
  draw: (input) => {
    const { frame, roles, palette } = input;
    const of = must(roles.y[0], "y");
    const values = daysOf(input);
    const { weeks, axis } = weeksOf(values);
    const cell = Math.max(11, Math.min(24, Math.floor(PLOT.width / Math.max(1, weeks.length))));
    const weekdays = Array.from({ length: 7 }, (_, index) => WEEKDAYS[(frame.weekStart + index) % 7]);
    return {
      body: {
        width: cell * weeks.length,
        height: cell * 7,
        data: { values },
        mark: { type: "rect", stroke: palette.background, strokeWidth: 1.5, cornerRadius: 2 },
        encoding: {
          x: { field: "week", type: "ordinal", sort: null, scale: { domain: weeks }, axis },
          y: {
            field: "weekday",
            type: "ordinal",
            sort: null,
            scale: { domain: weekdays },
            axis: { title: null, domain: false, values: ["Mon", "Wed", "Fri", "Sun"], labelPadding: 6 },
          },
          color: heat(
            of,
            values.map(({ y }) => y),
            palette,
          ).color,
        },
      },
      marks: values.length,
      notes: [],
    };
  },
};
