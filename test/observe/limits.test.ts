import { expect, test } from "vitest";
import { metricsSink } from "../../src/observe/metrics.ts";

test("queue, weights, cache and limits are counted, and no count names a tenant", async () => {
  const sink = metricsSink("1");
  sink.observe({ kind: "turn_taken", tenantId: 4711, waitMs: 40, outcome: "ok" });
  sink.observe({ kind: "turn_taken", tenantId: 4711, waitMs: 9, outcome: "BUSY" });
  sink.observe({ kind: "weighed", tenantId: 4711, verdict: "refused" });
  for (const outcome of ["hit", "hit", "miss", "joined", "off"] as const) sink.observe({ kind: "cache_asked", tenantId: 4711, outcome });
  sink.observe({ kind: "warmed_up", tenantId: 4711, outcome: "done" });
  sink.observe({ kind: "rate_limited", tenantId: 4711, scope: "tenant" });
  sink.observe({ kind: "answers_written", tenantId: 4711, count: 3, outcome: "lost", reason: "BUSY" });
  const text = await sink.text();
  for (const line of [
    /^metricgate_cache_asked_total\{outcome="hit",[^}]*\} 2$/m,
    /^metricgate_cache_asked_total\{outcome="joined",[^}]*\} 1$/m,
    /^metricgate_statements_weighed_total\{verdict="refused",[^}]*\} 1$/m,
    /^metricgate_cache_warmed_total\{outcome="done",[^}]*\} 1$/m,
    /^metricgate_answers_written_total\{outcome="lost",[^}]*\} 3$/m,
    /^metricgate_calls_rate_limited_total\{scope="tenant",[^}]*\} 1$/m,
    /^metricgate_turn_wait(_seconds)?_count\{outcome="BUSY",[^}]*\} 1$/m,
    /^metricgate_turn_wait(_seconds)?_bucket\{outcome="ok",[^}]*le="0\.05"\} 1$/m,
  ])
    expect(text).toMatch(line);
  expect(text).not.toContain("4711");
  await sink.close();
});
