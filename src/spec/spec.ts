/** Time buckets. Weeks start on the tenant's week start. */
export type Grain = "day" | "week" | "month" | "quarter" | "year";
export const GRAINS: readonly Grain[] = ["day", "week", "month", "quarter", "year"];

export const RANGES = [
  "last_7_days",
  "last_14_days",
  "last_30_days",
  "last_90_days",
  "last_6_months",
  "last_12_months",
  "this_week",
  "last_week",
  "this_month",
  "last_month",
  "this_quarter",
  "last_quarter",
  "this_year",
  "last_year",
  "all",
] as const;
export type Range = (typeof RANGES)[number];

export const COMPARES = ["none", "previous_period", "previous_year"] as const;
export type Compare = (typeof COMPARES)[number];

export const OPERATORS = [
  "=",
  "!=",
  "in",
  "not_in",
  ">",
  ">=",
  "<",
  "<=",
  "between",
  "contains",
  "starts_with",
  "is_null",
  "is_not_null",
] as const;
export type Operator = (typeof OPERATORS)[number];

/** A filter value after coercion by the field's catalog type. Dates stay text: 'YYYY-MM-DD' or an ISO instant. */
export type FilterValue = string | number;

export interface SpecMeasure {
  /** A metric of the catalog, aliases resolved; `name@1` where an older major version was asked. */
  readonly name: string;
  readonly agg: string;
  /** The column's name in the result; unique in the spec. */
  readonly as: string;
}

export interface SpecTime {
  readonly grain: Grain | null;
  readonly range: Range | null;
  /** First day, 'YYYY-MM-DD', in the spec's zone. */
  readonly from: string | null;
  /** Day after the last, exclusive. */
  readonly to: string | null;
  /** 'canonical' or a date field that every measure has. */
  readonly field: string;
  readonly compare: Compare;
}

export interface SpecFilter {
  readonly field: string;
  readonly op: Operator;
  readonly values: readonly FilterValue[];
}

export interface SpecSort {
  readonly field: string;
  readonly dir: "asc" | "desc";
}

/**
 * A validated, canonical question: every optional key filled in, aliases resolved, values coerced.
 * Plain data: survives a JSON round trip, and two equal questions have equal JSON.
 */
export interface Spec {
  readonly datasource: string;
  readonly measures: readonly SpecMeasure[];
  readonly dimensions: readonly string[];
  readonly time: SpecTime | null;
  readonly filters: readonly SpecFilter[];
  readonly sort: readonly SpecSort[];
  readonly limit: number;
  /** IANA zone, canonical spelling. */
  readonly timezone: string;
  readonly totals: boolean;
  readonly dry_run: boolean;
  readonly chart: SpecChart | null;
}

/** Chart wish of a spec; columns are the answer's. */
export interface SpecChart {
  readonly type: string | null;
  readonly x: string | null;
  readonly y: string | null;
  readonly color: string | null;
  readonly facet: string | null;
  readonly title: string | null;
  readonly theme: string | null;
}
