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

interface Asked {
  readonly spec: Spec;
  readonly plan: Plan;
  readonly catalog: Catalog;
}

/** Shapes an answer piece by piece, holding no rows. */
export interface Shaper {
  /** The answer's rows among the next rows of the statement. */
  take(rows: RawRows["rows"]): Cell[][];
  /** All of the answer but its rows, once every row was taken. */
  finish(): Omit<Answer, "rows">;
}

/** Names, types and completes the rows of a statement compiled from `plan`. */
export function shape(raw: RawRows, asked: Asked): Answer {
  const shaping = shaper(raw.columns, asked);
  const rows = shaping.take(raw.rows);
  return { ...shaping.finish(), rows };
}

/** As `shape`, for rows that come in pieces; `statementColumns` are the statement's, in order. */
export function shaper(statementColumns: readonly string[], { spec, plan, catalog }: Asked): Shaper {
  const at = new Map(statementColumns.map((name, index) => [name, index]));
  const cell = (row: readonly unknown[] | undefined, name: string): Cell => toCell(row?.[at.get(name) ?? -1]);
  const names = columnNamesOf(plan);
  const pick = (row: readonly unknown[]): Cell[] => names.map((name) => cell(row, name));
  const partial = new Set<string>();
  let count = 0;
  let any: readonly unknown[] | undefined;
  let first: readonly unknown[] | undefined;
  let totals: Cell[] | undefined;
  return {
    take: (rows) => {
      any ??= rows[0];
      const answered = rows.filter((row) => cell(row, ORDER_COLUMN) !== null);
      const page = answered.filter((row) => cell(row, ORDER_COLUMN) !== 0);
      const totalRow = answered.find((row) => cell(row, ORDER_COLUMN) === 0);
      totals ??= totalRow && pick(totalRow);
      first ??= page[0];
      count += page.length;
      if (plan.time.grain !== null)
        for (const row of page) if (cell(row, PARTIAL_COLUMN) === true) partial.add(String(cell(row, TIME_COLUMN)));
      return page.map(pick);
    },
    finish: () => {
      const missing = plan.valueChecks.map(({ field }, index) => ({ field, values: listOf(any?.[at.get(missingColumn(index)) ?? -1]) }));
      const facts = {
        columns: resultColumns(spec, catalog),
        totals,
        total: Number(cell(first, TOTAL_COLUMN) ?? 0),
        rowsRead: Number(cell(first, ROWS_READ_COLUMN) ?? 0),
        dataAsOf: cell(any, AS_OF_COLUMN) as string | null,
        dataVersion: dataVersionOf({ columns: statementColumns, rows: any === undefined ? [] : [any] }),
        partialBuckets: [...partial].toSorted(),
        missing: missing.filter(({ values }) => values.length > 0),
      };
      const counted = { ...facts, count };
      const notes = planNotes(plan).map(({ id, message }) => ({ message, count: Number(cell(first, id) ?? 0) }));
      return {
        ...facts,
        warnings: warningsOf(counted, { spec, catalog, from: plan.time.from, notes }),
        deprecations: deprecationsOf(spec, catalog),
        summary: summarize(counted, { spec, plan, catalog }),
      };
    },
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
