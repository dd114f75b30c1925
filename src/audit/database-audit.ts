import type { Database } from "../db/database.ts";
import { tenantContext } from "../db/tenant-context.ts";
import { AppError } from "../errors.ts";
import type { Audit, AuditEntry } from "./audit.ts";

/** How long an entry may take before its answer is withheld, in milliseconds. */
const TIMEOUT_MS = 5_000;

/** The trail in the database: a short transaction of its own under a login that may append and do nothing else. */
export function databaseAudit(database: () => Promise<Database>): Audit {
  return {
    append: async (entry) => {
      try {
        const { append } = await database();
        await append({
          prologue: `BEGIN READ WRITE; ${tenantContext(entry.tenantId)}`,
          statement: { text: "select audit.append($1::jsonb)", values: [JSON.stringify(rowOf(entry))] },
          timeoutMs: TIMEOUT_MS,
          keepPlan: true,
        });
      } catch (cause) {
        throw new AppError("AUDIT_UNAVAILABLE", "The call could not be recorded, so its answer is withheld.", {
          cause,
          retryAfterSeconds: 2,
          next: "Try again shortly; if it persists, tell the operator that the audit trail cannot be written.",
        });
      }
    },
  };
}

/** By the names of audit.entry's columns; number, time and hashes are the database's. */
function rowOf(entry: AuditEntry): Readonly<Record<string, unknown>> {
  return {
    principal: entry.principal,
    operation: entry.operation,
    tool: entry.tool,
    transport: entry.transport,
    spec: entry.spec,
    spec_hash: entry.specHash,
    problems: entry.problems,
    metric_versions: entry.metricVersions,
    result_id: entry.resultId,
    row_count: entry.rowCount,
    duration_ms: entry.durationMs,
    outcome: entry.outcome,
    trace_id: entry.traceId,
  };
}
