/**
 * What recording a call costs: `node bench/audit/run.ts`, on the embedded database and, with TEST_DATABASE_URL set, on a
 * native one. Latency of one append at a time; appends a second of one tenant and of twenty, sixteen in flight.
 */
import type { AuditEntry } from "../../src/audit/audit.ts";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import { verifyTenant } from "../../src/audit/verify.ts";
import { openEmbeddedForTest, openNativeForTest, type TestDatabase } from "../../test/support/databases.ts";

const [WARM_UP, ONE_BY_ONE, TOGETHER, IN_FLIGHT] = [50, 500, 2_000, 16];

function entryOf(tenantId: number): AuditEntry {
  const filter = { field: "issue_type", op: "in", values: ["Bug", "Story"] };
  return {
    tenantId,
    principal: "ann@example.com",
    operation: "run",
    tool: "run_analytics_spec",
    transport: "http",
    spec: { datasource: "warehouse", measures: [{ name: "lead_time", agg: "p85", as: "lead_time" }], filters: [filter], limit: 100 },
    specHash: "0f".repeat(32),
    problems: [],
    metricVersions: { lead_time: "1.0.0" },
    resultId: "res_0123456789abcdef",
    rowCount: 12,
    durationMs: 7.5,
    outcome: "ok",
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  };
}

async function perSecond(append: (entry: AuditEntry) => Promise<void>, tenants: number): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < TOGETHER) await append(entryOf(2 + (next++ % tenants)));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return Math.round(TOGETHER / ((performance.now() - startMs) / 1000));
}

async function measure(name: string, opened: TestDatabase): Promise<void> {
  const { append } = databaseAudit(() => Promise.resolve(opened.database));
  for (let i = 0; i < WARM_UP; i += 1) await append(entryOf(1));
  const times: number[] = [];
  for (let i = 0; i < ONE_BY_ONE; i += 1) {
    const startMs = performance.now();
    await append(entryOf(1));
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2);
  const [one, twenty] = [await perSecond(append, 1), await perSecond(append, 20)];
  const startMs = performance.now();
  const { rows, broken } = await verifyTenant(opened.database, 2);
  const verifyMs = (performance.now() - startMs).toFixed(0);
  process.stdout.write(
    `${name}: one append p50 ${at(0.5)} ms, p95 ${at(0.95)} ms; ${one}/s of one tenant, ${twenty}/s of twenty; ` +
      `${rows} rows verified in ${verifyMs} ms${broken === undefined ? "" : ", BROKEN"}\n`,
  );
  await opened.close();
}

await measure("embedded", await openEmbeddedForTest());
const url = process.env["TEST_DATABASE_URL"];
if (url !== undefined) await measure("native", await openNativeForTest(url));
