import { toAppError } from "../errors.ts";
import type { BoundStatement, Database, Rows } from "../db/database.ts";
import { sqlStateOf } from "../db/failures.ts";
import { tenantContext } from "../db/tenant-context.ts";
import type { Observe } from "../observe/observation.ts";
import type { Tenant } from "../tenant.ts";
import { LOCK_TIMEOUT_MS } from "./limits.ts";

export interface TenantReadOptions {
  /** Bound on the statement, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly observe?: Observe;
  /** As ReadRequest.keepPlan. */
  readonly keepPlan?: boolean;
}

const MAX_TIMEOUT_MS = 600_000;

/**
 * Opens a read-only transaction of the reader role inside one tenant's wall. One string of literals made here from
 * two checked integers; nothing else in the product sets a reading context.
 */
export function tenantPrologue(tenant: Tenant, { timeoutMs }: { readonly timeoutMs: number }): string {
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > MAX_TIMEOUT_MS) {
    throw new RangeError("a timeout is a whole number of milliseconds from 1 to 600000");
  }
  return [
    "BEGIN READ ONLY",
    "SET LOCAL ROLE metricgate_reader",
    tenantContext(tenant.id),
    `SET LOCAL statement_timeout = ${timeoutMs}`,
    `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`,
  ].join("; ");
}

/** Runs one statement as a tenant. Errors are the port's: TIMEOUT, CANCELLED, BUSY, UNAVAILABLE, INTERNAL. */
export async function readAsTenant(
  database: Database,
  tenant: Tenant,
  statement: BoundStatement,
  options: TenantReadOptions,
): Promise<Rows> {
  const { timeoutMs, signal, observe, keepPlan = false } = options;
  const startMs = performance.now();
  const finished = { kind: "query_finished", tenantId: tenant.id } as const;
  try {
    const rows = await database.read({
      prologue: tenantPrologue(tenant, { timeoutMs }),
      statement,
      timeoutMs,
      keepPlan,
      ...(signal === undefined ? {} : { signal }),
    });
    observe?.({ ...finished, durationMs: performance.now() - startMs, rows: rows.rows.length, outcome: "ok" });
    return rows;
  } catch (thrown) {
    const error = toAppError(thrown);
    const sqlState = sqlStateOf(error.details.cause);
    observe?.({
      ...finished,
      durationMs: performance.now() - startMs,
      rows: 0,
      outcome: error.code,
      ...(sqlState === undefined ? {} : { sqlState }),
    });
    throw error;
  }
}

/** As `readAsTenant`, in batches, without holding all rows. */
export function streamAsTenant(
  database: Database,
  tenant: Tenant,
  statement: BoundStatement,
  options: TenantReadOptions & { readonly batchRows: number },
): AsyncIterable<readonly (readonly unknown[])[]> {
  const { timeoutMs, signal, batchRows } = options;
  const request = { prologue: tenantPrologue(tenant, { timeoutMs }), statement, timeoutMs };
  return database.stream(signal === undefined ? request : { ...request, signal }, batchRows);
}
