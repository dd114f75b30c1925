import type { Catalog } from "../catalog/catalog.ts";
import {
  AS_OF_COLUMN,
  deltaColumn,
  dimensionColumn,
  isCompared,
  missingColumn,
  ORDER_COLUMN,
  outputColumn,
  PARTIAL_COLUMN,
  planNotes,
  previousColumn,
  ROWS_READ_COLUMN,
  TIME_COLUMN,
  TOTAL_COLUMN,
  VERSION_COLUMN,
} from "../plan/columns.ts";
import type { Plan } from "../plan/plan.ts";
import type { Spec } from "../spec/spec.ts";
import { resultColumns } from "./columns.ts";
import type { Cell, ResultColumn } from "./result.ts";
import { summarize } from "./summarize.ts";
import { warningsOf } from "./warnings.ts";

/** Rows as the database port gives them. */
export interface RawRows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/** An answer with all its rows, before it is cut to a page. */
export interface Answer {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly Cell[])[];
  readonly totals: readonly Cell[] | undefined;
  /** Rows that the spec matches before its limit. */
  readonly total: number;
  readonly rowsRead: number;
  readonly dataAsOf: string | null;
  /** Which data it was made from; null where nothing was imported. */
  readonly dataVersion: string | null;
  readonly partialBuckets: readonly string[];
  readonly warnings: readonly string[];
  readonly deprecations: readonly string[];
  readonly summary: string;
  /** Filter values that the tenant's data does not have, by field. */
  readonly missing: readonly { readonly field: string; readonly values: readonly string[] }[];
}

/** Names, types and completes the rows of a statement compiled from `plan`. */
export function shape(raw: RawRows, { spec, plan, catalog }: { spec: Spec; plan: Plan; catalog: Catalog }): Answer {
  const at = new Map(raw.columns.map((name, index) => [name, index]));
  const cell = (row: readonly unknown[] | undefined, name: string): Cell => toCell(row?.[at.get(name) ?? -1]);
  const answered = raw.rows.filter((row) => cell(row, ORDER_COLUMN) !== null);
  const page = answered.filter((row) => cell(row, ORDER_COLUMN) !== 0);
  const totalRow = answered.find((row) => cell(row, ORDER_COLUMN) === 0);
  const names = columnNamesOf(plan);
  const pick = (row: readonly unknown[]): Cell[] => names.map((name) => cell(row, name));
  const partialBuckets = page.filter((row) => cell(row, PARTIAL_COLUMN) === true).map((row) => String(cell(row, TIME_COLUMN)));
  const first = page[0];
  const missing = plan.valueChecks.map(({ field }, index) => ({
    field,
    values: listOf(raw.rows[0]?.[at.get(missingColumn(index)) ?? -1]),
  }));
  const facts = {
    columns: resultColumns(spec, catalog),
    rows: page.map(pick),
    totals: totalRow && pick(totalRow),
    total: Number(cell(first, TOTAL_COLUMN) ?? 0),
    rowsRead: Number(cell(first, ROWS_READ_COLUMN) ?? 0),
    dataAsOf: cell(raw.rows[0], AS_OF_COLUMN) as string | null,
    dataVersion: dataVersionOf(raw),
    partialBuckets: [...new Set(plan.time.grain === null ? [] : partialBuckets)].toSorted(),
    missing: missing.filter(({ values }) => values.length > 0),
  };
  const notes = planNotes(plan).map(({ id, message }) => ({ message, count: Number(cell(first, id) ?? 0) }));
  return {
    ...facts,
    warnings: warningsOf(facts, { spec, catalog, from: plan.time.from, notes }),
    deprecations: deprecationsOf(spec, catalog),
    summary: summarize(facts, { spec, plan, catalog }),
  };
}

/** The statement's columns that make a row of the answer, in the answer's order. */
function columnNamesOf(plan: Plan): string[] {
  const measures = plan.outputs.flatMap((_, index) =>
    isCompared(plan) ? [outputColumn(index), previousColumn(index), deltaColumn(index)] : [outputColumn(index)],
  );
  const time = plan.time.grain === null ? [] : [TIME_COLUMN];
  return [...time, ...plan.dimensions.map((_, index) => dimensionColumn(index)), ...measures];
}

/** The data's version as a statement saw it. */
export function dataVersionOf({ columns, rows }: RawRows): string | null {
  const version = rows[0]?.[columns.indexOf(VERSION_COLUMN)];
  return typeof version === "number" || typeof version === "string" ? String(version) : null;
}

/** A value as an answer carries it. */
export function toCell(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "boolean" || typeof value === "string") return value;
  return JSON.stringify(value);
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function deprecationsOf(spec: Spec, catalog: Catalog): string[] {
  return [...new Set(spec.measures.map((measure) => measure.name))].flatMap((name) => {
    const definition = catalog.metrics.get(name)?.definition;
    if (!definition) return [];
    if (name.includes("@")) return [`${name} is an older version (${definition.version}); the present one is ${definition.name}.`];
    if (!definition.deprecation) return [];
    const { since, replaced_by: replacement, remove_after: removal } = definition.deprecation;
    return [`${name} is deprecated since ${since}${replacement ? `; use ${replacement}` : ""}. It goes after ${removal}.`];
  });
}
