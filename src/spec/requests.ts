import type { Catalog } from "../catalog/catalog.ts";
import { AppError, type Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import { MAX_TEXT } from "./shape.ts";

/** Asks for the values that a tenant's data has for one dimension. */
export interface ValuesRequest {
  readonly dimension: string;
  /** Case-insensitive part of the value. */
  readonly search?: string | null;
  /** 1–200, default 50. */
  readonly limit?: number | null;
}

/** Asks for a page of a stored result. */
export interface PageRequest {
  readonly result_id: string;
  /** From a previous answer's `next_cursor`. */
  readonly cursor?: string | null;
  /** Rows a page, 1–1000, default 50. */
  readonly limit?: number | null;
  /** Pages of an export: as large as fit, whatever `limit` says. */
  readonly isExport?: true;
}

/** Asks for the issues behind one number of a stored result. */
export interface DrillRequest {
  readonly result_id: string;
  /** Index of the row over all pages, from 0, or `totals`; a number may be written as text. */
  readonly row: string | number;
  /** The measure's column of the answer. */
  readonly measure: string;
  /** 1–200, default 50. */
  readonly limit?: number | null;
}

const MAX_DRILL = 200;
const DEFAULT_DRILL = 50;
/** Asks for an answer in the background. */
export interface StartRequest {
  /** Unknown JSON. */
  readonly spec: unknown;
  /** Default high. */
  readonly priority?: "high" | "low" | null;
  /** The same key starts the same job once. */
  readonly idempotency_key?: string | null;
}

/** Asks for a job. */
export interface JobStateRequest {
  readonly job_id: string;
  /** Wait so long for its end; at most 25, default 0. */
  readonly wait_seconds?: number | null;
}

const MAX_KEY = 200;
const MAX_WAIT_SECONDS = 25;
const MAX_VALUES = 200;
const DEFAULT_VALUES = 50;

/** Checks a request for values; throws AppError SPEC_INVALID with every problem. */
export function parseValuesRequest(
  { dimension, search, limit }: ValuesRequest,
  catalog: Catalog,
): { dimension: string; search: string | null; limit: number } {
  const problems: Problem[] = [];
  const groupable = [...catalog.dimensions.values()].filter((known) => !known.filter_only).map((known) => known.name);
  if (!groupable.includes(dimension)) {
    problems.push(
      problem("UNKNOWN_DIMENSION", {
        path: "dimension",
        message: `there is no dimension ${quoted(String(dimension))}`,
        allowed: groupable,
        wrote: String(dimension),
      }),
    );
  }
  const text = search ?? null;
  if (text !== null && (text.length > MAX_TEXT || !text.isWellFormed() || text.includes("\0"))) {
    problems.push(problem("BAD_VALUE", { path: "search", message: `search is a text of up to ${MAX_TEXT} characters` }));
  }
  const count = limitOf(limit, { default: DEFAULT_VALUES, max: MAX_VALUES }, problems);
  if (problems.length > 0) throw invalid(problems);
  return { dimension, search: text === "" ? null : text, limit: count };
}

/** Checks how a job is to be started; throws AppError SPEC_INVALID with every problem. */
export function parseStart({ priority, idempotency_key: key }: StartRequest): {
  priority: "high" | "low";
  idempotencyKey: string | null;
} {
  const problems: Problem[] = [];
  const wanted = priority ?? "high";
  if (wanted !== "high" && wanted !== "low")
    problems.push(problem("BAD_VALUE", { path: "priority", message: "priority is high or low", allowed: ["high", "low"] }));
  const isKey = key === undefined || key === null || (key !== "" && key.length <= MAX_KEY && key.isWellFormed() && !key.includes("\0"));
  if (!isKey) problems.push(problem("BAD_VALUE", { path: "idempotency_key", message: `a key is a text of 1 to ${MAX_KEY} characters` }));
  if (problems.length > 0) throw invalid(problems);
  return { priority: wanted, idempotencyKey: key ?? null };
}

/** Checks which job is asked for, and how long; throws AppError SPEC_INVALID. */
export function parseJobState({ job_id: jobId, wait_seconds: wait }: JobStateRequest): { jobId: string; waitMs: number } {
  const seconds = wait ?? 0;
  const problems: Problem[] = [];
  if (!Number.isFinite(seconds) || seconds < 0 || seconds > MAX_WAIT_SECONDS)
    problems.push(problem("LIMIT_EXCEEDED", { path: "wait_seconds", message: `wait_seconds is a number from 0 to ${MAX_WAIT_SECONDS}` }));
  if (problems.length > 0) throw invalid(problems);
  return { jobId, waitMs: seconds * 1000 };
}

/** Checks how many rows a page may have; throws AppError SPEC_INVALID. */
export function parsePageLimit(limit: number | null | undefined, bounds: { default: number; max: number }): number {
  const problems: Problem[] = [];
  const count = limitOf(limit, bounds, problems);
  if (problems.length > 0) throw invalid(problems);
  return count;
}

/** What a stored result has that can be opened up. */
export interface Drillable {
  readonly rows: number;
  readonly hasTotals: boolean;
  /** Names of the measures' columns. */
  readonly measures: readonly string[];
}

/** Checks a request to open up a number; throws AppError SPEC_INVALID with every problem. */
export function parseDrillRequest(
  { row, measure, limit }: DrillRequest,
  answer: Drillable,
): { row: number | "totals"; measure: number; limit: number } {
  const problems: Problem[] = [];
  const place = rowOf(row, answer, problems);
  const index = answer.measures.indexOf(measure);
  if (index < 0) problems.push(measureProblem(measure, answer.measures));
  const count = limitOf(limit, { default: DEFAULT_DRILL, max: MAX_DRILL }, problems);
  if (problems.length > 0) throw invalid(problems);
  return { row: place, measure: index, limit: count };
}

/** The row that a request names by its number; undefined where it names none. */
export function rowIndex(row: string | number): number | undefined {
  return /^\d{1,7}$/.test(String(row)) ? Number(row) : undefined;
}

function rowOf(row: string | number, { rows, hasTotals }: Drillable, problems: Problem[]): number | "totals" {
  if (row === "totals") {
    if (!hasTotals)
      problems.push(problem("BAD_VALUE", { path: "row", message: 'this result has no totals; run its spec with "totals": true' }));
    return row;
  }
  const index = rowIndex(row) ?? -1;
  if (index >= 0 && index < rows) return index;
  const rowsThere = rows === 0 ? "this result has no rows" : `row is a whole number from 0 to ${rows - 1}`;
  problems.push(problem("BAD_VALUE", { path: "row", message: hasTotals ? `${rowsThere}, or totals` : rowsThere }));
  return 0;
}

/** Only numbers of the asked period have rows of their own here. */
function measureProblem(measure: string, measures: readonly string[]): Problem {
  const compared = measures.find((name) => measure === `${name}__previous` || measure === `${name}__delta_ratio`);
  if (compared === undefined) {
    const message = `this result has no measure ${quoted(measure)}`;
    return problem("UNKNOWN_MEASURE", { path: "measure", message, allowed: measures, wrote: measure });
  }
  const message = `${measure} is about the period compared with; run the spec over that period without compare, and drill into ${compared} there`;
  return problem("INCOMPATIBLE", { path: "measure", message, allowed: measures, suggestion: compared });
}

function limitOf(limit: number | null | undefined, bounds: { default: number; max: number }, problems: Problem[]): number {
  const count = limit ?? bounds.default;
  if (Number.isInteger(count) && count >= 1 && count <= bounds.max) return count;
  problems.push(problem("LIMIT_EXCEEDED", { path: "limit", message: `limit is a whole number from 1 to ${bounds.max}` }));
  return bounds.default;
}

function invalid(problems: readonly Problem[]): AppError {
  return new AppError("SPEC_INVALID", "The request cannot be answered as written.", { problems, next: "Mend it and call again." });
}
