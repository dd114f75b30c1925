import type { Catalog } from "./catalog/catalog.ts";
import type { Result } from "./result/result.ts";
import type { Principal } from "./tenant.ts";

/** How one call is bounded and followed. */
export interface CallOptions {
  /** Aborting ends the running statement in the database. */
  readonly signal?: AbortSignal;
  /** Told as each stage begins, for progress notifications. */
  readonly onStage?: (stage: "parse" | "plan" | "compile" | "execute" | "shape") => void;
}

/** What a tenant's data has for one dimension. */
export interface ValueList {
  readonly dimension: string;
  /** Most frequent first. `value` null is the group of issues without one. */
  readonly values: readonly { readonly value: string | null; readonly issues: number }[];
  /** Distinct values that match `search`, before `limit`. */
  readonly total: number;
  readonly truncated: boolean;
}

export interface ValuesRequest {
  readonly dimension: string;
  /** Case-insensitive part of the value. */
  readonly search?: string | null;
  /** 1–200, default 50. */
  readonly limit?: number | null;
}

export interface PageRequest {
  readonly result_id: string;
  /** From a previous answer's `next_cursor`. */
  readonly cursor?: string | null;
  /** Rows a page, 1–1000, default 50. */
  readonly limit?: number | null;
}

/**
 * The product behind every edge (MCP, HTTP, command line). All methods throw AppError and only AppError.
 */
export interface Pipeline {
  readonly catalog: Catalog;
  /** Validates `input` as an AnalyticsSpec and answers it; with `dry_run` explains it instead (`meta.explanation`). */
  run(principal: Principal, input: unknown, options?: CallOptions): Promise<Result>;
  /** A page of a stored result; NOT_FOUND alike for absent, expired and foreign handles. */
  page(principal: Principal, request: PageRequest): Promise<Result>;
  values(principal: Principal, request: ValuesRequest, options?: CallOptions): Promise<ValueList>;
}
