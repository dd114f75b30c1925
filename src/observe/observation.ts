import type { ErrorCode, ProblemCode } from "../errors.ts";

/** The stages that a call passes, in order; each is one span and one duration. */
export type Stage = "parse" | "plan" | "compile" | "execute" | "shape" | "chart";

/** Everything worth knowing, as one union: logs, traces and metrics are sinks that read it. */
export type Observation =
  | { readonly kind: "server_started"; readonly transport: "stdio" | "http"; readonly address?: string; readonly startMs: number }
  | { readonly kind: "server_stopped"; readonly transport: "stdio" | "http" }
  | { readonly kind: "catalog_loaded"; readonly version: string; readonly metrics: number; readonly dimensions: number }
  | {
      readonly kind: "database_opened";
      readonly mode: "native" | "embedded";
      readonly openMs: number;
      readonly role?: "leader" | "follower";
    }
  | { readonly kind: "database_lost"; readonly mode: "native" | "embedded"; readonly reason: string }
  | { readonly kind: "tool_started"; readonly tool: string }
  /** `tenantId` is null when the caller could not be identified. */
  | {
      readonly kind: "tool_called";
      readonly tool: string;
      readonly tenantId: number | null;
      readonly durationMs: number;
      readonly outcome: "ok" | ErrorCode;
    }
  | { readonly kind: "stage_finished"; readonly stage: Stage; readonly tenantId: number; readonly durationMs: number }
  | {
      readonly kind: "query_finished";
      readonly tenantId: number;
      readonly durationMs: number;
      readonly rows: number;
      readonly outcome: "ok" | ErrorCode;
      readonly sqlState?: string;
    }
  /** An answer was withheld, or a failure went unrecorded, because the audit trail could not be written. */
  | { readonly kind: "audit_failed"; readonly tenantId: number; readonly error: unknown }
  /** A server runs on the embedded database, whose logins are no wall between people: everybody on this machine is the operator. */
  | { readonly kind: "one_operator_mode" }
  /** A call's turn at the database came, or did not. */
  | { readonly kind: "turn_taken"; readonly tenantId: number; readonly waitMs: number; readonly outcome: "ok" | ErrorCode }
  /** What a statement's weight was found to be. */
  | { readonly kind: "weighed"; readonly tenantId: number; readonly verdict: "small" | "admitted" | "trial" | "refused" }
  | { readonly kind: "cache_asked"; readonly tenantId: number; readonly outcome: "hit" | "miss" | "joined" | "off" }
  | { readonly kind: "warmed_up"; readonly tenantId: number; readonly outcome: "done" | "skipped" }
  | { readonly kind: "redis_lost"; readonly reason: string }
  /** The line of background jobs, or a job's row, could not be reached for a while. */
  | { readonly kind: "queue_lost"; readonly reason: string }
  /** The database was asked for a job or result by its handle, under the caller's own wall. */
  | {
      readonly kind: "handle_looked_up";
      readonly what: "job" | "result";
      readonly tenantId: number;
      readonly isFound: boolean;
      readonly durationMs: number;
    }
  /** Answers of calls were written to the database behind the calls; or will be tried again, or never will. `tenantId` is null of several tenants'. */
  | {
      readonly kind: "answers_written";
      readonly tenantId: number | null;
      readonly count: number;
      readonly outcome: "kept" | "later" | "lost";
      readonly reason?: ErrorCode;
      readonly durationMs?: number;
    }
  /** One attempt at a background job. */
  | {
      readonly kind: "job_ended";
      readonly tenantId: number;
      readonly attempt: number;
      readonly outcome: "ok" | ErrorCode;
      readonly durationMs: number;
    }
  /** What the clock asked for was done, for all tenants or a slice of it for one. */
  | {
      readonly kind: "task_ended";
      readonly task: string;
      readonly tenantId?: number;
      readonly outcome: "ok" | ErrorCode;
      readonly durationMs: number;
    }
  /** Issues of a tenant were embedded; how many are left, and how many the service refuses. */
  | { readonly kind: "embedded"; readonly tenantId: number; readonly embedded: number; readonly pending: number; readonly refused: number }
  | { readonly kind: "rate_limited"; readonly tenantId: number; readonly scope: "tenant" | "principal" }
  | { readonly kind: "spec_refused"; readonly tenantId: number; readonly codes: readonly ProblemCode[] }
  | {
      readonly kind: "import_finished";
      readonly tenantId: number;
      readonly instanceId: string;
      readonly issues: number;
      readonly refused: number;
      readonly durationMs: number;
    }
  /** A request turned away before any tool saw it. */
  | {
      readonly kind: "request_refused";
      readonly reason: "host" | "origin" | "size" | "depth" | "identity" | "scope" | "protocol";
      readonly status: number;
    }
  | { readonly kind: "unexpected_error"; readonly where: string; readonly error: unknown };

/** Receives every observation; must not throw and must not block. */
export type Observe = (observation: Observation) => void;
