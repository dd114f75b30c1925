import type { Catalog } from "./catalog/catalog.ts";
import type { Chart, ChartContent } from "./chart/chart.ts";
import { choose, wishProblems } from "./chart/choose.ts";
import { compose, type Composed, periodText } from "./chart/compose.ts";
import { fieldsOf, type Frame } from "./chart/field.ts";
import { chartId, chartUri, readChartId } from "./chart/handle.ts";
import type { Renderer } from "./chart/render/pool.ts";
import { AppError } from "./errors.ts";
import type { KeptResults } from "./kept-results.ts";
import { resultColumns } from "./result/columns.ts";
import type { Rowless, StoredResult } from "./result/page.ts";
import type { Result } from "./result/result.ts";
import { type ChartByIdRequest, type ChartFormat, chartProblems, type ChartRequest } from "./spec/chart.ts";
import type { Spec, SpecChart } from "./spec/spec.ts";
import type { Principal } from "./tenant.ts";

export interface Drawing {
  readonly catalog: Catalog;
  readonly principal: Principal;
  readonly results: KeptResults;
  readonly renderer: Renderer;
  readonly signal?: AbortSignal;
}

/** Rows that a chart is drawn from at most: composing 5,000 holds the event loop for 16 ms, 20,000 for 67. */
const MAX_ROWS = 5_000;
const PAGE_ROWS = 5_000;
/** Sharp on screens of twice the density. */
const PNG_SCALE = 2;
const MAX_PNG_BYTES = 700_000;
const MAX_TEXT_BYTES = 500_000;
const NO_WISH: SpecChart = { type: null, x: null, y: null, color: null, facet: null, title: null, theme: null };

/**
 * Draws a stored result, or a chart by its handle again. Throws AppError NOT_FOUND alike for absent and foreign handles and
 * for results without rows, SPEC_INVALID for a wish that does not fit, TOO_LARGE, and what the renderer throws.
 */
export async function drawChart(request: ChartRequest | ChartByIdRequest, drawing: Drawing): Promise<Chart> {
  const { resultId, wish: written } = wishOf(request);
  const { frame, stored } = await frameOf(resultId, drawing);
  const wish = isOpen(written) ? { ...fulfillable(frame, stored.meta.spec.chart ?? NO_WISH).wish, ...set(written) } : written;
  const problems = chartProblems(
    wish,
    frame.fields.map(({ name }) => name),
  );
  if (problems.length > 0)
    throw new AppError("SPEC_INVALID", "The chart cannot be drawn as written.", {
      problems,
      next: "Mend it and call again; without type, x, y and color they are chosen.",
    });
  const composed = compose(frame, wish, periodOf(stored));
  const { meta } = stored;
  const id = chartId(resultId, { ...wish, type: composed.choice.type });
  const { metrics_used, timezone, data_as_of, warnings, deprecations, partial_buckets } = meta;
  return {
    id,
    uri: chartUri(id),
    type: composed.choice.type,
    reason: composed.choice.reason,
    alternatives: composed.choice.alternatives,
    title: composed.title,
    description: composed.description,
    content: await contentOf(composed, { ...drawing, format: request.format ?? "png", resultId, grain: frame.grain }),
    rowCount: frame.rows.length,
    meta: { result_id: resultId, metrics_used, timezone, data_as_of, warnings, deprecations, partial_buckets },
  };
}

function wishOf(request: ChartRequest | ChartByIdRequest): { readonly resultId: string; readonly wish: SpecChart } {
  if ("chart_id" in request) {
    const found = readChartId(request.chart_id);
    if (found === undefined) throw noResult();
    return found;
  }
  const { result_id: resultId, type = null, x = null, y = null, color = null, facet = null, title = null, theme = null } = request;
  return { resultId, wish: { type, x, y, color, facet, title, theme } };
}

/** Whether it is left open which chart is drawn; a title and a theme leave it so. */
function isOpen({ type, x, y, color, facet }: SpecChart): boolean {
  return [type, x, y, color, facet].every((one) => one === null);
}

function set(wish: SpecChart): Partial<SpecChart> {
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== null));
}

/** The wish where these rows can fulfil it; else whichever chart they make, under its title and theme, and what stands in the way. */
function fulfillable(frame: Frame, wish: SpecChart): { readonly wish: SpecChart; readonly misfit?: string } {
  try {
    choose(frame, wish);
    return { wish };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "SPEC_INVALID") throw error;
    const { title, theme } = wish;
    return { wish: { ...NO_WISH, title, theme }, misfit: error.details.problems?.[0]?.message ?? "the wish does not fit these rows" };
  }
}

async function frameOf(id: string, { catalog, principal, results }: Drawing): Promise<{ readonly frame: Frame; readonly stored: Rowless }> {
  const first = await results.page(principal, id, { offset: 0, limit: PAGE_ROWS });
  if (first === undefined) throw noResult();
  const { stored, rowCount } = first;
  if (rowCount > MAX_ROWS)
    throw new AppError("TOO_LARGE", `This result has ${rowCount} rows; a chart is drawn from at most ${MAX_ROWS}.`, {
      next: "Run the spec with a coarser time grain, fewer groups or a limit.",
    });
  const rows = [...first.rows];
  while (rows.length < rowCount) {
    const more = await results.page(principal, id, { offset: rows.length, limit: PAGE_ROWS });
    if (more === undefined || more.rows.length === 0) throw noResult();
    for (const row of more.rows) rows.push(row);
  }
  return { frame: frameFrom(stored, rows, { catalog, principal }), stored };
}

function frameFrom({ answer, meta }: Rowless, rows: Frame["rows"], { catalog, principal }: Pick<Drawing, "catalog" | "principal">): Frame {
  return {
    fields: fieldsOf(answer.columns, meta.spec, catalog),
    rows,
    total: answer.total,
    ...shapeOf(meta.spec, principal),
    partialBuckets: meta.partial_buckets,
  };
}

function shapeOf(spec: Spec, { tenant }: Principal): Pick<Frame, "grain" | "timezone" | "weekStart" | "isSorted"> {
  return { grain: spec.time?.grain ?? null, timezone: spec.timezone, weekStart: tenant.weekStart, isSorted: spec.sort.length > 0 };
}

function periodOf({ basis, meta: { spec } }: Rowless): string {
  const { from, to } = basis;
  return periodText(from, to, spec.timezone);
}

/** The description is for whoever looks at the picture; a specification says by `usermeta` where its numbers can be opened up. */
async function contentOf(
  composed: Composed,
  {
    format,
    renderer,
    signal,
    resultId,
    grain,
  }: Drawing & { readonly format: ChartFormat; readonly resultId: string; readonly grain: Frame["grain"] },
): Promise<ChartContent> {
  const { spec, title, description, choice } = composed;
  if (format !== "vega_lite") {
    const maxBytes = format === "png" ? MAX_PNG_BYTES : MAX_TEXT_BYTES;
    return renderer.render({ spec, title, description, format, scale: PNG_SCALE, maxBytes }, signal === undefined ? {} : { signal });
  }
  const usermeta = { metricgate: { result_id: resultId, grain, type: choice.type, alternatives: choice.alternatives, title, description } };
  const told = { ...spec, usermeta };
  if (JSON.stringify(told).length > MAX_TEXT_BYTES)
    throw new AppError("TOO_LARGE", "This specification is longer than a conversation bears.", {
      next: "Ask for png, or run the spec with fewer rows.",
    });
  return { format, spec: told };
}

/** What an answer says of the chart that its spec wished for. */
export interface ChartNote {
  readonly type: string;
  readonly reason: string;
  readonly alternatives: readonly string[];
  /** False where the rows do not fit the wish, so that another chart is drawn. */
  readonly as_wished: boolean;
}

/** Which chart a fresh answer becomes; where the wish does not fit its rows, why. Throws nothing of the answer's. */
export function noteOf(stored: StoredResult, wish: SpecChart, parts: Pick<Drawing, "catalog" | "principal">): ChartNote {
  const { rows } = stored.answer;
  if (rows.length === 0) return { type: wish.type ?? "auto", reason: "there are no rows to draw", alternatives: [], as_wished: true };
  const frame = frameFrom(stored, rows, parts);
  const { wish: drawn, misfit } = fulfillable(frame, wish);
  const { type, reason, alternatives } = choose(frame, drawn);
  return { type, reason: misfit === undefined ? reason : `${type}, because ${misfit}`, alternatives, as_wished: misfit === undefined };
}

/** Gives an answer's note the address of its chart. */
export function withChartUri(result: Result): Result {
  const { chart, spec, result_id: id } = result.meta;
  if (spec.chart === null || id === "") return result;
  const { title, theme } = spec.chart;
  const note = isNote(chart) ? chart : unread(spec.chart);
  const wish = { ...(note.as_wished ? spec.chart : { ...NO_WISH, title, theme }), type: note.type };
  return { ...result, meta: { ...result.meta, chart: { ...note, uri: chartUri(chartId(id, wish)) } } };
}

/** Of an answer whose rows were not looked at: a job's. */
function unread({ type }: SpecChart): ChartNote {
  return { type: type ?? "auto", reason: "as asked for; drawn by render_chart", alternatives: [], as_wished: true };
}

function isNote(chart: unknown): chart is ChartNote {
  return typeof chart === "object" && chart !== null && "reason" in chart;
}

/** Refuses a wish that no rows could fulfil. Throws AppError SPEC_INVALID. */
export function checkWish(spec: Spec, { catalog, principal }: Pick<Drawing, "catalog" | "principal">): void {
  if (spec.chart === null) return;
  const fields = fieldsOf(resultColumns(spec, catalog), spec, catalog);
  const frame: Frame = { fields, rows: [], total: 0, ...shapeOf(spec, principal), partialBuckets: [] };
  const problems = wishProblems(spec.chart, frame);
  if (problems.length > 0)
    throw new AppError("SPEC_INVALID", "The spec's chart does not fit its columns; nothing was run.", {
      problems,
      next: "Choose an allowed type, or leave type out.",
    });
}

function noResult(): AppError {
  return new AppError("NOT_FOUND", "There is no result with this id.", {
    next: "Run the spec again; results are kept for a day.",
  });
}
