import { must } from "../../must.ts";
import {
  type DrawInput,
  type Kind,
  melt,
  nameAxis,
  numbersOf,
  partialNotes,
  PLOT,
  type Point,
  scaleOf,
  type VegaLite,
  verticalAxis,
} from "../drawing.ts";
import type { Field, Frame } from "../field.ts";
import { Misfit } from "../picker.ts";
import { cumulative } from "../statistics.ts";
import type { Palette } from "../theme.ts";
import { bucketText, formatOf, numberText } from "../words.ts";
import { besideAxis } from "./bars.ts";
import { wholeRoles } from "./parts.ts";

const MAX_STEPS = 24;
const MAX_STAGES = 10;
/** Part of the widest bar below which a number does not fit inside. */
const NARROW = 0.22;

interface Step {
  readonly row: number;
  readonly measure: string;
  readonly x: string;
  readonly next: string;
  readonly a: number;
  readonly b: number;
  readonly kind: "up" | "down" | "total";
  readonly text: string;
}

function stepsOf({ frame, roles }: DrawInput): Step[] {
  const [x, of] = [must(roles.x, "x"), must(roles.y[0], "y")];
  const { points } = melt(frame, roles);
  const ends = cumulative(points.map(({ y }) => y ?? 0));
  const total = ends.at(-1) ?? 0;
  const format = formatOf(of.unit, numbersOf(points));
  const names = [...points.map((point) => stepName(point, x, frame)), "Total"];
  const steps = points.map((point, index): Step => {
    const [by, end] = [point.y ?? 0, ends[index] ?? 0];
    const place = { row: point.row, measure: of.name, x: names[index] ?? "", next: names[index + 1] ?? "" };
    return { ...place, a: end - by, b: end, kind: by < 0 ? "down" : "up", text: numberText(by, `+${format}`) };
  });
  return [
    ...steps,
    { row: -1, measure: of.name, x: "Total", next: "Total", a: 0, b: total, kind: "total", text: numberText(total, format) },
  ];
}

function stepName(point: Point, x: Field, { grain }: Frame): string {
  if (x.role !== "time" || grain === null) return String(point.x);
  return bucketText(new Date(Number(point.x)).toISOString().slice(0, 10), grain).replace("week of ", "");
}

function stepLayers(along: VegaLite, y: VegaLite, { series, neutral, axis }: Palette): VegaLite[] {
  const kinds = { domain: ["up", "down", "total"], range: [series[0], series[1], neutral] };
  return [
    {
      transform: [{ filter: "datum.kind != 'total'" }],
      mark: { type: "rule", color: axis, strokeDash: [2, 2] },
      encoding: { x: { ...along, bandPosition: 0.5 }, x2: { field: "next", bandPosition: 0.5 }, y: { ...y, field: "b" } },
    },
    {
      mark: { type: "bar", cornerRadius: 1.5 },
      encoding: { y, y2: { field: "b" }, color: { field: "kind", type: "nominal", scale: kinds, legend: null } },
    },
    {
      transform: [{ calculate: "max(datum.a, datum.b)", as: "top" }],
      mark: { type: "text", baseline: "bottom", dy: -4 },
      encoding: { y: { ...y, field: "top" }, text: { field: "text" } },
    },
  ];
}

/** How a total came about: each step begins where the one before ended. */
export const WATERFALL: Kind = {
  needs: "a time or a dimension of at most 24 steps, and a measure that adds up (it may fall below zero)",
  roles: (pick) => {
    const x = pick.axis();
    const measure = pick.measure();
    if (measure.adds !== "everywhere") throw new Misfit(`steps must add up to a total, and ${measure.name} is no sum`, { path: "y" });
    if (x.multiValued) throw new Misfit(`steps would count issues twice: an issue may have several values of ${x.name}`);
    pick.atMost(x, MAX_STEPS, "choose a coarser grain or filter to fewer");
    return pick.done({ x, y: [measure] });
  },
  draw: (input) => {
    const { frame, roles, palette } = input;
    const of = must(roles.y[0], "y");
    const steps = stepsOf(input);
    const names = steps.map(({ x }) => x);
    const along = { field: "x", type: "nominal", sort: null, scale: { domain: names, padding: 0.28 }, axis: nameAxis(names) };
    const y = verticalAxis({
      field: "a",
      scale: scaleOf(
        of,
        steps.flatMap(({ a, b }) => [a, b]),
      ),
      of,
      palette,
    });
    return {
      body: { ...PLOT, data: { values: steps }, encoding: { x: along }, layer: stepLayers(along, y, palette) },
      marks: steps.length * 3,
      notes: partialNotes(frame, roles.x),
    };
  },
};

interface Stage {
  readonly name: string;
  readonly y: number;
  /** Both ends of a bar around zero. */
  readonly from: number;
  readonly to: number;
}

function stagesOf({ frame, roles }: DrawInput): Stage[] {
  const stages = melt(frame, roles).points.map((point) => ({
    ...point,
    y: point.y ?? 0,
    name: roles.x === null ? point.series : String(point.x),
  }));
  const sorted = roles.x === null || frame.isSorted ? stages : stages.toSorted((a, b) => b.y - a.y);
  const first = sorted[0]?.y ?? 0;
  const format = formatOf(
    roles.y[0]?.unit,
    sorted.map(({ y }) => y),
  );
  return sorted.map((stage) => ({
    ...stage,
    from: -stage.y / 2,
    to: stage.y / 2,
    text: `${numberText(stage.y, format)}${first === 0 ? "" : `  ·  ${numberText(stage.y / first, ".0%")}`}`,
  }));
}

/** Bars before the track of the widest; a number that its bar is too narrow for stands beside it. */
function stageLayers(stages: readonly Stage[], { track, series, background }: Palette): VegaLite[] {
  const widest = Math.max(1, ...stages.map(({ y }) => y));
  const x = (field: string): VegaLite => ({
    field,
    type: "quantitative",
    scale: { domain: [-widest / 2, widest / 2], nice: false },
    axis: null,
  });
  const bar = { type: "bar", height: { band: 0.78 } };
  const text = { type: "text", fontWeight: 600, fontSize: 12 };
  const tracks = stages.map(({ name }) => ({ name, from: -widest / 2, to: widest / 2 }));
  return [
    { data: { values: tracks }, mark: { ...bar, color: track }, encoding: { x: x("from"), x2: { field: "to" } } },
    { mark: { ...bar, color: series[0], cornerRadius: 2 }, encoding: { x: x("from"), x2: { field: "to" } } },
    {
      transform: [{ filter: `datum.y >= ${widest * NARROW}` }],
      mark: { ...text, color: background },
      encoding: { text: { field: "text" } },
    },
    {
      transform: [{ filter: `datum.y < ${widest * NARROW}` }],
      mark: { ...text, align: "left", dx: 8 },
      encoding: { x: x("to"), text: { field: "text" } },
    },
  ];
}

/** What is left from stage to stage. Stages are the measures of one row in the spec's order, or the groups of a dimension. */
export const FUNNEL: Kind = {
  needs: "one row with 2 to 10 measures of one unit, or a dimension of 2 to 10 stages and a measure that adds up",
  roles: (pick) => {
    const isOneRow = pick.frame.fields.every((field) => field.role !== "time" && field.role !== "dimension");
    if (!isOneRow) {
      const roles = wholeRoles(pick, "a funnel");
      pick.atMost(roles.x, MAX_STAGES, "filter to fewer");
      return roles;
    }
    const y = pick.measures(2, MAX_STAGES);
    for (const field of y) pick.adds(field, [], "a funnel");
    return pick.done({ y });
  },
  draw: (input) => {
    const stages = stagesOf(input);
    return {
      body: {
        width: PLOT.width - 120,
        height: { step: 46 },
        data: { values: stages },
        encoding: {
          y: besideAxis(
            stages.map(({ name }) => name),
            "name",
          ),
        },
        layer: stageLayers(stages, input.palette),
      },
      marks: stages.length * 3,
      notes: stages[0]?.y === 0 ? [] : ["shares are of the first stage"],
    };
  },
};
