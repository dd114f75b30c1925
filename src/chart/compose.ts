import { AppError } from "../errors.ts";
import type { ChartType } from "../spec/chart.ts";
import type { SpecChart } from "../spec/spec.ts";
import { type Choice, choose } from "./choose.ts";
import { describe } from "./describe.ts";
import { type Drawing, PLOT, type VegaLite } from "./drawing.ts";
import type { Frame } from "./field.ts";
import { KINDS } from "./kinds.ts";
import { PALETTES, type Theme, themeConfig } from "./theme.ts";
import { bucketText, cleanText, wrapped } from "./words.ts";

/** More marks than this no picture shows apart; they would only take time. */
export const MAX_MARKS = 5_000;

/** A chart, ready to be rendered. */
export interface Composed {
  readonly choice: Choice;
  readonly title: string;
  /** What the picture shows, for who cannot see it. */
  readonly description: string;
  /** A Vega-Lite 6 specification that names no address and holds no expression from outside. */
  readonly spec: VegaLite;
  readonly theme: Theme;
}

/**
 * An answer as a chart. Throws AppError SPEC_INVALID where the wish does not fit the answer, NOT_FOUND of an answer
 * without rows, TOO_LARGE of one with too many.
 */
export function compose(frame: Frame, wish: SpecChart, period: string): Composed {
  if (frame.rows.length === 0)
    throw new AppError("NOT_FOUND", "This answer has no rows, so there is nothing to draw.", { next: "Widen the spec's time or filters." });
  const choice = choose(frame, wish);
  if (!SUMMARISES.has(choice.type) && frame.rows.length > MAX_MARKS) throw tooMany(frame.rows.length);
  const theme: Theme = wish.theme === "dark" ? "dark" : "light";
  const palette = PALETTES[theme];
  const drawing = KINDS[choice.type].draw({ frame, roles: choice.roles, palette });
  if (drawing.marks > MAX_MARKS) throw tooMany(drawing.marks);
  const title = wish.title === null ? titleOf(frame, choice) : cleanText(wish.title);
  const description = describe(frame, choice, title);
  return { choice, title, description, theme, spec: page({ drawing, title, notes: notesOf(frame, drawing, period), description, theme }) };
}

/** Charts of any number of rows: they show what the rows come to, or the first of them. */
const SUMMARISES: ReadonlySet<ChartType> = new Set(["histogram", "box_plot", "table", "kpi"]);

function tooMany(marks: number): AppError {
  return new AppError("TOO_LARGE", `This chart would have ${marks} marks, more than the ${MAX_MARKS} that a picture can show.`, {
    next: "Run the spec with a coarser time grain, fewer groups or a limit, or choose histogram or box_plot.",
  });
}

/** What is shown, by what: "Lead time (p50) by project, per month". */
function titleOf({ fields, grain }: Frame, { roles }: Choice): string {
  const measures = roles.y.filter(({ role }) => role === "measure").map(({ label }) => label);
  const several =
    measures.length > 3
      ? `${measures.slice(0, 2).join(", ")} and ${measures.length - 2} more`
      : measures.join(measures.length === 2 ? " and " : ", ");
  const groups = fields.filter((field) => field.role === "dimension").map(({ label }) => label.toLowerCase());
  const by = groups.length === 0 ? "" : ` by ${groups.join(" and ")}`;
  const isOverTime = fields.some(({ role }) => role === "time");
  return cleanText(`${several}${by}${isOverTime && grain !== null ? `, per ${grain}` : ""}`);
}

function notesOf(frame: Frame, drawing: Drawing, period: string): string[] {
  const isCut = frame.rows.length < frame.total;
  return [
    ...(period === "" ? [] : [period]),
    ...(drawing.notes ?? []),
    ...(isCut ? [`drawn from the first ${frame.rows.length} of ${frame.total} rows`] : []),
  ];
}

interface Page {
  readonly drawing: Drawing;
  readonly title: string;
  readonly notes: readonly string[];
  readonly description: string;
  readonly theme: Theme;
}

function page({ drawing, title, notes, description, theme }: Page): VegaLite {
  const palette = PALETTES[theme];
  const subtitle = notes.length === 0 ? [] : wrapped(notes.join(" · "), { widthPx: PLOT.width + 60, maxLines: 3, size: 12 });
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description,
    background: palette.background,
    padding: 24,
    autosize: { type: "pad" },
    title: {
      text: wrapped(title, { widthPx: PLOT.width + 60, maxLines: 2, size: 16, isSemiBold: true }),
      ...(subtitle.length === 0 ? {} : { subtitle }),
    },
    config: themeConfig(palette),
    ...drawing.body,
  };
}

/** The days that an answer is about, in words. */
export function periodText(from: string | null, to: string | null, timezone: string): string {
  const day = (text: string): string => bucketText(text, "day");
  const last = (text: string): string => day(new Date(Date.parse(`${text}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10));
  const zone = timezone === "UTC" ? "UTC" : timezone;
  if (from === null && to === null) return "";
  if (from === null) return `until ${last(to ?? "")}, ${zone}`;
  return to === null ? `from ${day(from)}, ${zone}` : `${day(from)} to ${last(to)}, ${zone}`;
}
