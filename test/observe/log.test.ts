import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { withinCall } from "../../src/observe/call.ts";
import { logSink } from "../../src/observe/log.ts";
import type { LogLevel } from "../../src/observe/log.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { scrub, scrubError } from "../../src/observe/scrub.ts";

function logged(observations: readonly unknown[], level: LogLevel = "trace"): Record<string, unknown>[] {
  const lines: string[] = [];
  const sink = logSink({ level, version: "1.2.3", destination: { write: (line) => void lines.push(line) } });
  for (const observation of observations) sink.observe(observation as Observation);
  sink.flush();
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const CANARIES = [
  "eve@example.com",
  "hunter2",
  "sk-live-4f9a8b7c6d5e4f3a2b1c0d9e",
  "mgk_0f9a_short",
  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF",
  "postgres://admin:pw@db.internal:5432/x",
  "/srv/app/secret/key.pem",
];

const EVERY: readonly Observation[] = [
  { kind: "server_started", transport: "http", address: "127.0.0.1:1", startMs: 12 },
  { kind: "server_stopped", transport: "http" },
  { kind: "catalog_loaded", version: "1.0.0", metrics: 3, dimensions: 2 },
  { kind: "database_opened", mode: "embedded", openMs: 5, role: "leader" },
  { kind: "database_lost", mode: "native", reason: "terminated" },
  { kind: "tool_started", tool: "list_metrics" },
  { kind: "tool_called", tool: "list_metrics", tenantId: 7, durationMs: 1.5, outcome: "ok" },
  { kind: "tool_called", tool: "list_metrics", tenantId: null, durationMs: 1.5, outcome: "INTERNAL" },
  { kind: "stage_finished", stage: "plan", tenantId: 7, durationMs: 0.1 },
  { kind: "query_finished", tenantId: 7, durationMs: 2, rows: 9, outcome: "ok" },
  { kind: "query_finished", tenantId: 7, durationMs: 2, rows: 0, outcome: "TIMEOUT", sqlState: "57014" },
  { kind: "spec_refused", tenantId: 7, codes: ["UNKNOWN_MEASURE"] },
  { kind: "import_finished", tenantId: 7, instanceId: "i", issues: 1, refused: 0, durationMs: 3 },
  { kind: "request_refused", reason: "host", status: 403 },
  { kind: "unexpected_error", where: "x", error: new Error("boom") },
  { kind: "audit_failed", tenantId: 7, error: new Error("permission denied at /srv/app/secret/key.pem") },
  { kind: "one_operator_mode" },
  { kind: "answers_written", tenantId: 7, count: 2, outcome: "kept", durationMs: 3 },
  { kind: "answers_written", tenantId: null, count: 2, outcome: "lost", reason: "BUSY" },
  { kind: "task_ended", task: "embed", tenantId: 7, outcome: "UNAVAILABLE", durationMs: 3 },
  { kind: "task_ended", task: "clean_up", outcome: "ok", durationMs: 3 },
  { kind: "embedded", tenantId: 7, embedded: 3, pending: 0, refused: 1 },
];

test("every kind of observation is one ECS line", () => {
  const lines = logged(EVERY);
  expect(lines.map((line) => line["event.action"])).toEqual(EVERY.map(({ kind }) => kind));
  for (const line of lines) {
    expect(line).toHaveProperty("@timestamp");
    expect(line).toHaveProperty("ecs.version");
    expect(line["service.name"]).toBe("metricgate");
    expect(typeof line["message"]).toBe("string");
  }
  expect(lines[6]).toMatchObject({ "organization.id": "7", "event.outcome": "success", "event.duration": 1_500_000 });
  expect(lines[7]).toMatchObject({ "log.level": "error", "error.code": "INTERNAL" });
  expect(lines[7]).not.toHaveProperty("organization.id");
  expect(lines[15]).toMatchObject({ "log.level": "error", "organization.id": "7", "error.message": "permission denied at [path]" });
  expect(lines[16]).toMatchObject({ "log.level": "warn" });
  expect(lines.slice(17).map((line) => [line["log.level"], line["organization.id"], line["error.code"]])).toEqual([
    ["trace", "7", undefined],
    ["warn", undefined, "BUSY"],
    ["error", "7", "UNAVAILABLE"],
    ["debug", undefined, undefined],
    ["warn", "7", undefined],
  ]);
  expect(lines[10]).toMatchObject({ "db.response.status_code": "57014", "log.level": "warn" });
});

test("a field that is not listed is never written", () => {
  const text = JSON.stringify(
    logged(
      EVERY.map((observation) => ({ ...observation, spec: "canary-value", email: "canary-value", nested: { token: "canary-value" } })),
    ),
  );
  expect(text).not.toContain("canary-value");
});

test("no secret survives in an error, at any depth", () => {
  const errors = CANARIES.flatMap((canary) => [
    new Error(`failed for ${canary}: password=hunter2`),
    new Error("outer", { cause: new Error(`token: ${canary}`) }),
    Object.assign(new Error("x"), { code: canary, detail: canary, config: { headers: { authorization: `Bearer ${canary}` } } }),
    new AppError("INTERNAL", "Bad.", { cause: `Authorization: Bearer ${canary}` }),
    `plain ${canary}`,
  ]);
  const text = JSON.stringify(logged(errors.map((error) => ({ kind: "unexpected_error", where: "test", error }))));
  for (const canary of CANARIES.filter((one) => one !== "hunter2")) expect(text, canary).not.toContain(canary);
  expect(text).not.toContain("password=hunter2");
});

test("a line is a line, whatever is in it", () => {
  const [line] = logged([{ kind: "database_lost", mode: "native", reason: 'a\n{"forged":true}\u001b[31m\u2028' }]);
  expect(line?.["message"]).toBe('database lost (native): a {"forged":true} [31m ');
});

test("lines below the level are not written, and a call's lines name it", () => {
  expect(logged(EVERY, "error").map((line) => line["event.action"])).toEqual([
    "database_lost",
    "tool_called",
    "unexpected_error",
    "audit_failed",
    "task_ended",
  ]);
  expect(logged(EVERY, "silent")).toEqual([]);
  const lines: string[] = [];
  const sink = logSink({ level: "trace", version: "1", destination: { write: (line) => void lines.push(line) } });
  withinCall({ tool: "list_values", transport: "http", requestId: "5" }, () =>
    sink.observe({ kind: "stage_finished", stage: "plan", tenantId: 1, durationMs: 1 }),
  );
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ "mcp.tool": "list_values", "mcp.request.id": "5" });
});

test("text is bounded, and an endless chain of causes too", () => {
  expect(scrub("a".repeat(2000)).length).toBeLessThanOrEqual(501);
  const error = new Error("a");
  error.cause = error;
  expect(JSON.stringify(scrubError(error)).length).toBeLessThan(500);
  expect(scrubError(undefined)).toEqual({ type: "undefined", message: "undefined" });
  expect(scrub("relation issue_42 does not exist")).toBe("relation issue_42 does not exist");
});
