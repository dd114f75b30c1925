import type { Catalog } from "../catalog/catalog.ts";
import type { Cell, ResultColumn } from "../result/result.ts";
import type { Grain, Spec } from "../spec/spec.ts";

/**
 * Over what a number may be added up. `everywhere`: over time and groups; `over_groups`: a state at an instant, over groups
 * of the same instant only; `nowhere`: ratios, means, percentiles.
 */
export type Adds = "everywhere" | "over_groups" | "nowhere";

/** A column of an answer with what a chart must know of it. */
export interface Field {
  /** Its place in a row. */
  readonly index: number;
  readonly name: string;
  readonly label: string;
  readonly role: ResultColumn["role"];
  readonly unit?: string;
  readonly adds: Adds;
  /** Groups overlap: an issue has several values. */
  readonly multiValued: boolean;
  /** For `previous` and `delta_ratio`: the measure's column. */
  readonly of?: string;
}

/** An answer as charts see it. */
export interface Frame {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly Cell[])[];
  /** Rows that the spec matches before its limit. */
  readonly total: number;
  readonly grain: Grain | null;
  /** IANA zone of the days. */
  readonly timezone: string;
  /** ISO day on which weeks start. */
  readonly weekStart: number;
  /** Whether the spec asked for an order of its own. */
  readonly isSorted: boolean;
  /** Buckets that the data covers only in part. */
  readonly partialBuckets: readonly string[];
}

/** The columns of an answer to `spec` with their nature. `catalog` is one that knows the spec's metrics. */
export function fieldsOf(columns: readonly ResultColumn[], spec: Spec, catalog: Catalog): Field[] {
  return columns.map(({ name, label, role, unit }, index): Field => {
    const of = role === "previous" || role === "delta_ratio" ? name.replace(/__(previous|delta_ratio)$/, "") : undefined;
    return {
      index,
      name,
      label,
      role,
      ...(unit === undefined ? {} : { unit }),
      ...(of === undefined ? {} : { of }),
      adds: role === "delta_ratio" ? "nowhere" : addsOf(of ?? name, spec, catalog),
      multiValued: role === "dimension" && catalog.dimensions.get(name)?.multi_valued === true,
    };
  });
}

function addsOf(column: string, spec: Spec, catalog: Catalog): Adds {
  const measure = spec.measures.find(({ as }) => as === column);
  const additivity = measure && catalog.metrics.get(measure.name)?.definition.additivity;
  if (additivity === "additive" && measure?.agg === "sum") return "everywhere";
  return additivity === "semi-additive" ? "over_groups" : "nowhere";
}

/** Found values, by rows and column: each kind of chart that is considered asks for them again. */
const found = new WeakMap<Frame["rows"], Map<number, readonly Cell[]>>();

/** Distinct values of a column in the order in which they come. */
export function valuesOf({ rows }: Frame, { index }: Field): readonly Cell[] {
  const known = found.get(rows) ?? new Map<number, readonly Cell[]>();
  found.set(rows, known);
  const values = known.get(index) ?? [...new Set(rows.map((row) => row[index] ?? null))];
  known.set(index, values);
  return values;
}

/** A number of a row; null where there is none. */
export function numberAt(row: readonly Cell[], { index }: Field): number | null {
  const cell = row[index];
  return typeof cell === "number" && Number.isFinite(cell) ? cell : null;
}
