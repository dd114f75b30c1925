import type { Compare, Grain, SpecFilter, SpecSort } from "../spec/spec.ts";

/** What a filter compares, by the field's type and shape. */
export type FieldKind = "text" | "text_list" | "number" | "timestamp";

export interface PlanFilter extends SpecFilter {
  readonly kind: FieldKind;
}

export interface PlanDimension {
  readonly name: string;
  readonly multiValued: boolean;
}

/** One number computed over the rows of a fact, or over the units of `per`. */
export interface PlanMeasure {
  /** Column name inside the statement: m1, m2 …; unrelated to what the caller wrote. */
  readonly id: string;
  /** How rows (or units) become one value; `count` for notes. */
  readonly aggregate: "sum" | "avg" | "min" | "max" | "pooled" | "quantile";
  /** For quantile: 0 … 1. */
  readonly fraction?: number;
  /** Rows that count; all when absent. */
  readonly where?: string;
  /** Value per row or unit; for a ratio the two halves. Text of a verified expression. */
  readonly value:
    | { readonly expression: string }
    | { readonly numerator: string; readonly denominator: string }
    | { readonly score: string };
}

/** A composite's units: each component's z-score against the whole baseline, then their weighted mean. */
export interface PlanScore {
  /** Columns that make a unit. */
  readonly per: readonly string[];
  readonly components: readonly {
    readonly name: string;
    readonly weight: number;
    readonly numerator: string;
    readonly denominator: string;
  }[];
  readonly baseline: readonly string[];
  readonly baselineWhere: string;
  readonly clip: number;
}

/** Measures over one datasource that share rows, time and unit: one aggregation, so no measure sees a fanned-out row. */
export interface PlanFact {
  readonly datasource: string;
  /** Timestamp column that places event rows; null when rows are placed by their span. */
  readonly time: string | null;
  /** Unit folded first; empty when the rows themselves are the units. */
  readonly per: readonly string[];
  readonly score: PlanScore | null;
  readonly filters: readonly PlanFilter[];
  readonly measures: readonly PlanMeasure[];
  /** Rows an answer must own up to, counted along. */
  readonly notes: readonly { readonly id: string; readonly where: string; readonly message: string }[];
  /** Column counting the rows read. */
  readonly rowsId: string;
}

/** One column of the answer. */
export interface PlanOutput {
  /** The spec's name for it. */
  readonly as: string;
  readonly metric: string;
  readonly agg: string;
  /** A measure's id, or arithmetic over ids for a derived metric. */
  readonly source: { readonly measure: string } | { readonly expression: string; readonly measures: Readonly<Record<string, string>> };
  readonly gap: "zero" | "null" | "carry";
}

export interface PlanTime {
  readonly grain: Grain | null;
  /** First day in the plan's zone; null: from the first that has data. */
  readonly from: string | null;
  /** Day after the last; null: through the last that has data. */
  readonly to: string | null;
  readonly compare: Compare;
  /** How far back the compared period lies. */
  readonly shift: { readonly months: number } | { readonly days: number } | null;
}

/**
 * What will be computed, as plain data naming no SQL beyond the catalog's own verified expressions, and no tenant.
 * Survives a JSON round trip.
 */
export interface Plan {
  readonly catalogHash: string;
  readonly timezone: string;
  /** ISO day weeks start on. */
  readonly weekStart: number;
  readonly time: PlanTime;
  readonly dimensions: readonly PlanDimension[];
  readonly facts: readonly PlanFact[];
  readonly outputs: readonly PlanOutput[];
  /** Conditions on the answer's columns. */
  readonly having: readonly SpecFilter[];
  readonly sort: readonly SpecSort[];
  readonly limit: number;
  readonly totals: boolean;
  /** Text values of filters whose presence in the data is checked, so that a typo is told from an empty answer. */
  readonly valueChecks: readonly { readonly field: string; readonly datasource: string; readonly values: readonly string[] }[];
}
