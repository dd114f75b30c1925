import type { AuditEntry } from "../../src/audit/audit.ts";
import type { TestDatabase } from "../support/databases.ts";

/** An entry as `audited` makes one; what a test is about is given. */
export function entryOf(tenantId: number, changed: Partial<AuditEntry> = {}): AuditEntry {
  return {
    tenantId,
    principal: "tester",
    operation: "run",
    tool: "run_analytics_spec",
    transport: "stdio",
    spec: { measures: [{ name: "lead_time" }], limit: 100, note: "čas" },
    specHash: "00".repeat(32),
    problems: [],
    metricVersions: { lead_time: "1.0.0" },
    resultId: "res_1",
    rowCount: 3,
    durationMs: 12.5,
    outcome: "ok",
    traceId: null,
    ...changed,
  };
}

/** A whole trail of a tenant, read behind the walls. */
export function trailOf(get: () => TestDatabase, tenantId: number): Promise<readonly Record<string, unknown>[]> {
  return get().asSuperuser(async (client) => {
    const { rows } = await client.query<Record<string, unknown>>("select * from audit.entry where tenant_id = $1 order by seq", [tenantId]);
    return rows;
  });
}

/** Tampers as only a superuser can. */
export function tamper(get: () => TestDatabase, sql: string): Promise<void> {
  return get().asSuperuser(async (client) => void (await client.query(sql)));
}
