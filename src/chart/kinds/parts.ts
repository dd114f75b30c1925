import { must } from "../../must.ts";
import {
  type DrawInput,
  type Drawing,
  type Kind,
  melt,
  nameAxis,
  PLOT,
  type Point,
  restName,
  ticksOf,
  type VegaLite,
  verticalAxis,
} from "../drawing.ts";
import type { Field } from "../field.ts";
import type { Picker, Roles } from "../picker.ts";
import { cumulative, roundScale } from "../statistics.ts";
import type { Palette } from "../theme.ts";
import { formatOf, numberText } from "../words.ts";

const MAX_SLICES = 6;
const MAX_PARETO = 15;
const PIE_PX = 280;

/** One group and a measure that make a whole. */
export function wholeRoles(pick: Picker, what: string): Roles {
  const x = pick.dimension();
  const measure = pick.measure();
  pick.adds(measure, [x], what);
  return pick.done({ x, y: [measure] });
}

/** Groups with something in them, the largest first; what comes after `max` as one. */
function partsOf(
  { frame, roles }: DrawInput,
  max: number,
): { readonly parts: readonly (Point & { readonly y: number })[]; readonly total: number } {
  const all = melt(frame, roles)
    .points.flatMap((point) => (point.y === null || point.y === 0 ? [] : [{ ...point, y: point.y }]))
    .toSorted((a, b) => b.y - a.y);
  const total = all.reduce((sum, { y }) => sum + y, 0);
  if (all.length <= max) return { parts: all, total };
  const [kept, left] = [all.slice(0, max - 1), all.slice(max - 1)];
  const rest = { ...must(left[0], "what is left"), row: -1, x: restName(left.length), y: left.reduce((sum, { y }) => sum + y, 0) };
  return { parts: [...kept, rest], total };
}

function pieLegend(names: readonly string[], colors: readonly string[]): VegaLite {
  const legend = {
    orient: "right",
    direction: "vertical",
    title: null,
    labelFontSize: 12,
    symbolType: "square",
    rowPadding: 8,
    labelLimit: 300,
    offset: 28,
  };
  return { field: "series", type: "nominal", sort: null, scale: { domain: names, range: colors }, legend };
}

/** The whole, in the middle of a ring. */
function wholeText(total: string, unit: string, color: string): VegaLite[] {
  const data = { values: [{}] };
  return [
    { data, mark: { type: "text", fontSize: 26, fontWeight: 600, dy: -6 }, encoding: { text: { value: total } } },
    { data, mark: { type: "text", fontSize: 12, dy: 16, color }, encoding: { text: { value: unit } } },
  ];
}

function drawPie(input: DrawInput, isDonut: boolean): Drawing {
  const { roles, palette } = input;
  const of = must(roles.y[0], "y");
  const { parts, total } = partsOf(input, MAX_SLICES);
  const format = formatOf(of.unit, [...parts.map(({ y }) => y), total]);
  const names = parts.map(({ x, y }) => `${x}: ${numberText(y, format)} (${numberText(y / total, ".0%")})`);
  const colors = parts.map(({ row }, index) => (row < 0 ? palette.neutral : (palette.series[index] ?? palette.neutral)));
  const mark = {
    type: "arc",
    innerRadius: isDonut ? PIE_PX * 0.3 : 0,
    outerRadius: PIE_PX / 2,
    stroke: palette.background,
    strokeWidth: 2,
  };
  const theta = { field: "y", type: "quantitative", stack: true };
  return {
    body: {
      width: PIE_PX,
      height: PIE_PX,
      data: { values: parts.map((part, order) => ({ ...part, series: names[order], order })) },
      layer: [
        { mark, encoding: { theta, order: { field: "order", type: "quantitative" }, color: pieLegend(names, colors) } },
        ...(isDonut ? wholeText(numberText(total, format), of.unit ?? "in all", palette.quiet) : []),
      ],
    },
    marks: parts.length,
    notes: [],
  };
}

export const PIE: Kind = {
  needs: "a dimension whose values do not overlap, and a measure that adds up; best with at most 6 values",
  roles: (pick) => wholeRoles(pick, "a pie"),
  draw: (input) => drawPie(input, false),
};

export const DONUT: Kind = {
  needs: "as pie",
  roles: (pick) => wholeRoles(pick, "a donut"),
  draw: (input) => drawPie(input, true),
};

interface Share {
  readonly order: number;
  readonly y: number;
  /** Of the whole, with all larger ones. */
  readonly share: number;
}

function sharesOf(parts: readonly (Point & { readonly y: number })[], total: number, of: Field): (Share & { readonly x: string })[] {
  const running = cumulative(parts.map(({ y }) => y));
  const format = formatOf(
    of.unit,
    parts.map(({ y }) => y),
  );
  return parts.map((part, order) => {
    const share = (running[order] ?? 0) / total;
    return { ...part, x: String(part.x), order, share, text: numberText(part.y, format), shareText: numberText(share, ".0%") };
  });
}

/** Bars with their numbers; the number of the first stands inside, where the line does not cross it. */
function paretoBars(total: number, of: Field, palette: Palette): VegaLite {
  // Both axes end at the whole, so that a bar and its share have the same height.
  const y = verticalAxis({ scale: { low: 0, high: total, step: total / 4 }, of, palette });
  const axis = { ...(y["axis"] as object), values: ticksOf(roundScale([total])).filter((tick) => tick <= total), grid: false };
  const color = { condition: { test: "datum.row < 0", value: palette.neutral }, value: palette.series[5] ?? palette.neutral };
  const inside = (yes: string, no: string): VegaLite => ({ expr: `datum.order == 0 ? ${yes} : ${no}` });
  return {
    layer: [
      { mark: { type: "bar", width: { band: 0.78 }, cornerRadiusEnd: 2, opacity: 0.85 }, encoding: { y: { ...y, axis }, color } },
      {
        mark: {
          type: "text",
          baseline: inside("'top'", "'bottom'"),
          dy: inside("12", "-3"),
          fontSize: 10,
          color: inside(`'${palette.background}'`, `'${palette.quiet}'`),
        },
        encoding: { y: { field: "y", type: "quantitative" }, text: { field: "text" } },
      },
    ],
  };
}

function paretoLine(hasText: boolean, { series, grid }: Palette): VegaLite {
  const [color] = series;
  const axis = { orient: "right", title: null, format: ".0%", values: [0, 0.25, 0.5, 0.75, 1], grid: true, gridColor: grid };
  const y = { field: "share", type: "quantitative", scale: { domain: [0, 1], nice: false }, axis };
  const text = {
    transform: [{ filter: "datum.share < 0.995 && datum.order > 0" }],
    mark: { type: "text", dy: -11, fontWeight: 600, color },
    encoding: { y, text: { field: "shareText" } },
  };
  return {
    layer: [
      { mark: { type: "line", color, strokeWidth: 2 }, encoding: { y } },
      { mark: { type: "point", filled: true, color, size: 40 }, encoding: { y } },
      ...(hasText ? [text] : []),
    ],
  };
}

/** The few that make most of the whole: sorted bars under their running share. */
export const PARETO: Kind = {
  needs: "a dimension whose values do not overlap, and a measure that adds up",
  roles: (pick) => wholeRoles(pick, "a running share"),
  draw: (input) => {
    const { roles, palette } = input;
    const of = must(roles.y[0], "y");
    const { parts, total } = partsOf(input, MAX_PARETO);
    const values = sharesOf(parts, total, of);
    const names = values.map(({ x }) => x);
    return {
      body: {
        ...PLOT,
        data: { values },
        encoding: { x: { field: "x", type: "nominal", sort: null, scale: { domain: names }, axis: nameAxis(names) } },
        layer: [paretoBars(total, of, palette), paretoLine(parts.length <= 12, palette)],
        resolve: { scale: { y: "independent" } },
      },
      marks: parts.length * 4,
      notes: ["line: running share of the whole"],
    };
  },
};
