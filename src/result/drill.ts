import type { Catalog } from "../catalog/catalog.ts";
import { must } from "../must.ts";
import { AS_OF_COLUMN } from "../plan/columns.ts";
import { DRILL, type Drill, type DrillColumn, drillColumns, unitColumns } from "../plan/drill.ts";
import type { PlanMeasure, PlanOutput } from "../plan/plan.ts";
import { issueLink } from "./issue-link.ts";
import type { Rowless } from "./page.ts";
import type { Cell } from "./result.ts";
import { dataVersionOf, type RawRows, toCell } from "./shape.ts";

export interface DrillResultColumn {
  readonly name: string;
  readonly type: "string" | "number" | "timestamp" | "boolean";
  readonly label: string;
}

/** The issues behind one number. */
export interface DrillResult {
  readonly data: {
    readonly columns: readonly DrillResultColumn[];
    /** What entered the number, largest contribution first. */
    readonly rows: readonly (readonly Cell[])[];
    /** Rows behind the number, before the limit. */
    readonly total: number;
    /** Distinct issues among those. */
    readonly issues: number;
    readonly truncated: boolean;
    /** What the measure aggregates over where that is not the rows: sprints, with the value that each brings. */
    readonly units?: {
      readonly columns: readonly DrillResultColumn[];
      readonly rows: readonly (readonly Cell[])[];
      readonly total: number;
      readonly truncated: boolean;
    };
    readonly query_time_ms: number;
  };
  readonly meta: {
    readonly result_id: string;
    readonly row: number | "totals";
    readonly measure: { readonly name: string; readonly agg: string; readonly as: string; readonly version: string };
    /** The number that was opened up, as the result has it. */
    readonly number: Cell;
    /** The row's bucket and groups by column; empty for the totals. */
    readonly place: Readonly<Record<string, Cell>>;
    /** How the number follows from the rows or units, in words. */
    readonly adds_up: string;
    readonly timezone: string;
    readonly data_as_of: string | null;
    readonly warnings: readonly string[];
  };
}

/** Which number of which result is opened up. */
export interface Opened {
  readonly id: string;
  readonly stored: Rowless;
  readonly row: number | "totals";
  /** Of that row, or of the totals. */
  readonly cells: readonly Cell[];
  readonly output: PlanOutput;
  readonly drill: Drill;
  readonly catalog: Catalog;
  readonly queryTimeMs: number;
}

/** Names, types and completes the rows of a statement compiled from `drill`. */
export function shapeDrill(raw: RawRows, opened: Opened): DrillResult {
  const { id, stored, row, output, drill, catalog, queryTimeMs } = opened;
  const at = new Map(raw.columns.map((name, index) => [name, index]));
  const cell = (from: readonly unknown[] | undefined, name: string): Cell => toCell(from?.[at.get(name) ?? -1]);
  const first = raw.rows[0];
  const columns = drillColumns(drill, catalog);
  const rows = raw.rows
    .filter((one) => cell(one, DRILL.order) !== null)
    .map((one) => [...columns.map(({ name }) => cell(one, name)), linkOf((name) => cell(one, name))]);
  const total = Number(cell(first, DRILL.total) ?? 0);
  const units = unitColumns(drill);
  const asOf = cell(first, AS_OF_COLUMN) as string | null;
  const { place, number } = cellOf(opened);
  return {
    data: {
      columns: [...columns.map((column) => shown(column, catalog)), { name: "link", type: "string", label: "Link" }],
      rows,
      total,
      issues: Number(cell(first, DRILL.issues) ?? 0),
      truncated: rows.length < total,
      ...(units.length === 0
        ? {}
        : {
            units: unitsOf(
              first?.[at.get(DRILL.units) ?? -1],
              Number(cell(first, DRILL.unitTotal) ?? 0),
              units.map((column) => shown(column, catalog)),
            ),
          }),
      query_time_ms: queryTimeMs,
    },
    meta: {
      result_id: id,
      row,
      measure: {
        name: output.metric,
        agg: output.agg,
        as: output.as,
        version: must(catalog.metrics.get(output.metric), output.metric).definition.version,
      },
      number,
      place,
      adds_up: addsUp(drill, output),
      timezone: stored.meta.timezone,
      data_as_of: asOf,
      warnings: warningsOf(opened, { total, number, asOf, dataVersion: dataVersionOf(raw) }),
    },
  };
}

function unitsOf(listed: unknown, total: number, columns: readonly DrillResultColumn[]): NonNullable<DrillResult["data"]["units"]> {
  const rows = Array.isArray(listed) ? listed.map((one: unknown) => (Array.isArray(one) ? one.map(toCell) : [])) : [];
  return { columns, rows, total, truncated: rows.length < total };
}

const TYPES = { text: "string", number: "number", timestamp: "timestamp", boolean: "boolean" } as const;

function shown({ name, type }: DrillColumn, catalog: Catalog): DrillResultColumn {
  const plain = name.replaceAll("_", " ");
  const label = catalog.dimensions.get(name)?.title ?? `${plain.slice(0, 1).toUpperCase()}${plain.slice(1)}`;
  return { name, type: TYPES[type], label };
}

/** Where the row is and what it says. */
function cellOf({ stored: { answer }, row, cells, output: { as } }: Opened): { place: Record<string, Cell>; number: Cell } {
  const placed =
    row === "totals"
      ? []
      : answer.columns.flatMap(({ name, role }, index) =>
          role === "time" || role === "dimension" ? [[name, cells[index] ?? null] as const] : [],
        );
  return { place: Object.fromEntries(placed), number: cells[answer.columns.findIndex(({ name }) => name === as)] ?? null };
}

/** An issue's page in its tracker, where that is known. */
function linkOf(cell: (name: string) => Cell): string | null {
  return issueLink(cell(DRILL.baseUrl), cell(DRILL.kind), cell("issue_key"));
}

/** How the number follows, in words for a model that checks it. */
function addsUp({ parts }: Drill, { source, agg }: PlanOutput): string {
  const [only] = parts;
  if ("expression" in source || only === undefined)
    return `${"expression" in source ? source.expression : ""}, each the sum of value over the rows of its part`;
  const over = only.units === null ? "rows" : "units";
  return `${aggregateWords(only.measure, agg)} over the ${over}`;
}

function aggregateWords({ aggregate, value }: PlanMeasure, agg: string): string {
  if (aggregate === "pooled") return "sum of numerator ÷ sum of denominator";
  const of = "numerator" in value ? "numerator ÷ denominator" : "score" in value && value.score !== "score" ? value.score : "value";
  return `${aggregate === "sum" ? "sum" : agg.endsWith("_z") ? "avg" : agg} of ${of}`;
}

function warningsOf(
  { stored, output, drill }: Opened,
  { total, number, asOf, dataVersion }: { total: number; number: Cell; asOf: string | null; dataVersion: string | null },
): string[] {
  const warnings: string[] = [];
  if (stored.answer.dataVersion !== dataVersion) {
    const before = stored.answer.dataAsOf ?? "never imported";
    warnings.push(
      `The data has changed since this result was made (then as of ${before}, now ${asOf ?? "never imported"}): these are today's issues, which may not add up to its number. Run the spec again for a new result.`,
    );
  }
  if (total === 0 && output.gap === "carry" && number !== null)
    warnings.push("Nothing lies in this bucket: its number is carried over from an earlier one.");
  if (drill.parts.some(({ fact }) => fact.score !== null)) {
    warnings.push(
      "A score belongs to its units (sprint and project); the rows are all members of those, and no issue has a share of its own.",
    );
  }
  return warnings;
}
