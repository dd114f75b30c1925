import type { Spec } from "../spec/spec.ts";

/** How a client should read the values of a column. */
export type ColumnType = "date" | "timestamp" | "string" | "number" | "boolean";

export interface ResultColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Unit of a number: days, hours, issues, points, ratio, events, z. */
  readonly unit?: string;
  readonly label: string;
  /** What the column is in the spec. */
  readonly role: "time" | "dimension" | "measure" | "previous" | "delta_ratio";
}

export type Cell = string | number | boolean | null;

/** One page of rows (CONTRACT.md section 5, `data`). */
export interface ResultData {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly Cell[])[];
  /** The total row over everything the spec's filters match, where `totals` was asked. */
  readonly totals?: readonly Cell[];
  /** Rows that the spec matches before `limit`. */
  readonly total: number;
  /** True when `rows` are fewer than `total`. */
  readonly truncated: boolean;
  readonly next_cursor: string | null;
  readonly query_time_ms: number;
  readonly cached: boolean;
}

/** Where the numbers come from (CONTRACT.md section 5, `meta`). */
export interface ResultMeta {
  readonly summary: string;
  readonly result_id: string;
  readonly result_uri: string;
  readonly spec_version: string;
  readonly catalog_version: string;
  readonly metrics_used: readonly { readonly name: string; readonly version: string }[];
  readonly spec: Spec;
  readonly timezone: string;
  /** Newest instant seen in the tenant's data; null when there is none. */
  readonly data_as_of: string | null;
  /** Seconds for which a repeated spec may be answered from the cache. */
  readonly cache_ttl: number;
  readonly warnings: readonly string[];
  readonly deprecations: readonly string[];
  readonly chart: unknown;
  /** Buckets (their dates) that the data covers only in part. */
  readonly partial_buckets: readonly string[];
  /** Present for `dry_run` only; `data.rows` is empty then. */
  readonly explanation?: Explanation;
}

/** What `dry_run` answers in place of rows. */
export interface Explanation {
  /** The plan: plain data naming no SQL. */
  readonly plan: unknown;
  /** The statement's text with its placeholders; no values. */
  readonly statement: string;
  /** The planner's guess, and the work that it and the number of buckets and groups come to. */
  readonly estimate: { readonly rows: number; readonly cost: number; readonly work: number };
  /** Whether it would run, one sentence. */
  readonly admission: string;
}

/** What a tenant's data has for one dimension. */
export interface ValueList {
  readonly dimension: string;
  /** Most frequent first. `value` null is the group of issues without one. */
  readonly values: readonly { readonly value: string | null; readonly issues: number }[];
  /** Distinct values that match the search, before the limit. */
  readonly total: number;
  readonly truncated: boolean;
}

export interface Result {
  readonly data: ResultData;
  readonly meta: ResultMeta;
}
