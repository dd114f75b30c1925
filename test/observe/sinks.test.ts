import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { expect, test } from "vitest";
import { currentCall, withinCall } from "../../src/observe/call.ts";
import { fanOut } from "../../src/observe/fan-out.ts";
import { metricsSink } from "../../src/observe/metrics.ts";
import { createObservers, wantsTraces } from "../../src/observe/observers.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { traceSink } from "../../src/observe/trace.ts";

const CALL = { tool: "run_analytics_spec", transport: "http", requestId: "3", protocolVersion: "2026-07-28" } as const;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

function traced(call: Parameters<typeof withinCall>[0] | null, observations: readonly Observation[]) {
  const exporter = new InMemorySpanExporter();
  const sink = traceSink({ version: "1", processor: new SimpleSpanProcessor({ exporter }) });
  const run = (): void => observations.forEach((observation) => sink.observe(observation));
  if (call === null) run();
  else withinCall(call, run);
  return { spans: exporter.getFinishedSpans(), sink };
}

const CALLED: readonly Observation[] = [
  { kind: "tool_started", tool: CALL.tool },
  { kind: "stage_finished", stage: "plan", tenantId: 7, durationMs: 2 },
  { kind: "query_finished", tenantId: 7, durationMs: 5, rows: 12, outcome: "ok" },
  { kind: "tool_called", tool: CALL.tool, tenantId: 7, durationMs: 9, outcome: "ok" },
];

test("a call is a span, its stages and statements are below it, and its parent is the client's", async () => {
  const { spans, sink } = traced({ ...CALL, traceparent: TRACEPARENT }, CALLED);
  const [plan, query, tool] = spans;
  expect(spans.map(({ name }) => name)).toEqual(["plan", "SELECT warehouse", "tools/call run_analytics_spec"]);
  expect(tool?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(tool?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  for (const span of [plan, query]) expect(span?.parentSpanContext?.spanId).toBe(tool?.spanContext().spanId);
  expect(tool?.attributes).toMatchObject({
    "mcp.method.name": "tools/call",
    "gen_ai.tool.name": CALL.tool,
    "network.transport": "tcp",
    "jsonrpc.request.id": "3",
    "mcp.protocol.version": "2026-07-28",
    "metricgate.tenant.id": 7,
  });
  expect(query?.attributes).toMatchObject({ "db.system.name": "postgresql", "db.response.returned_rows": 12 });
  expect(query?.duration[1]).toBeCloseTo(5e6, -6);
  await sink.close();
});

test("a failed call is marked with its code, and a forged parent is no parent", async () => {
  const failed: Observation[] = [
    { kind: "tool_started", tool: CALL.tool },
    { kind: "query_finished", tenantId: 7, durationMs: 5, rows: 0, outcome: "TIMEOUT", sqlState: "57014" },
    { kind: "tool_called", tool: CALL.tool, tenantId: null, durationMs: 9, outcome: "TIMEOUT" },
  ];
  const { spans, sink } = traced({ tool: CALL.tool, transport: "stdio", traceparent: "x'; drop" }, failed);
  const [query, tool] = spans;
  expect(tool?.parentSpanContext).toBeUndefined();
  expect(tool?.attributes).toMatchObject({ "error.type": "TIMEOUT", "network.transport": "pipe" });
  expect(tool?.status.code).toBe(2);
  expect(query?.attributes["db.response.status_code"]).toBe("57014");
  await sink.close();
});

test("what happens outside a call has spans of its own, and an end without a start has none", async () => {
  const { spans, sink } = traced(null, CALLED);
  expect(spans.map(({ name }) => name)).toEqual(["plan", "SELECT warehouse"]);
  await sink.close();
  const stray = traced(CALL, CALLED.slice(-1));
  expect(stray.spans).toEqual([]);
  await stray.sink.close();
});

test("counters are told in the Prometheus format, without tenants", async () => {
  const sink = metricsSink("1");
  const observations: readonly Observation[] = [
    ...CALLED,
    { kind: "tool_called", tool: "list_values", tenantId: 7, durationMs: 9, outcome: "TIMEOUT" },
    { kind: "query_finished", tenantId: 7, durationMs: 5, rows: 0, outcome: "TIMEOUT" },
    { kind: "spec_refused", tenantId: 7, codes: ["UNKNOWN_MEASURE", "BAD_VALUE", "BAD_VALUE"] },
    { kind: "catalog_loaded", version: "1.0.0", metrics: 39, dimensions: 29 },
    { kind: "request_refused", reason: "origin", status: 403 },
    { kind: "unexpected_error", where: "x", error: new Error("boom") },
    { kind: "audit_failed", tenantId: 7, error: new Error("away") },
    { kind: "server_stopped", transport: "http" },
  ];
  for (const observation of observations) sink.observe(observation);
  const text = await sink.text();
  expect(text).toMatch(/metricgate_spec_problems_total\{[^}]*code="BAD_VALUE"[^}]*\} 2/);
  expect(text).toMatch(/metricgate_catalog_metrics\{?[^\n]* 39/);
  expect(text).toMatch(/metricgate_tool_calls_total\{[^}]*tool="list_values",outcome="TIMEOUT"[^}]*\} 1/);
  expect(text).toMatch(/db_client_operation_duration_count\{[^}]*\} 1/);
  expect(text).toMatch(/db_client_operation_duration_bucket\{[^}]*le="0.005"[^}]*\} 1/);
  expect(text).toMatch(/metricgate_requests_refused_total\{[^}]*reason="origin"[^}]*\} 1/);
  expect(text).toMatch(/metricgate_audit_failures_total\{?[^\n]* 1/);
  expect(text).not.toMatch(/tenant/i);
  await sink.close();
});

test("a sink that throws harms nobody", () => {
  const heard: string[] = [];
  const observe = fanOut([
    () => {
      throw new Error("full");
    },
    ({ kind }) => heard.push(kind),
  ]);
  expect(() => observe({ kind: "server_stopped", transport: "stdio" })).not.toThrow();
  expect(heard).toEqual(["server_stopped"]);
});

test("traces are sent only when a collector is named", () => {
  expect(wantsTraces({})).toBe(false);
  expect(wantsTraces({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318" })).toBe(true);
  expect(wantsTraces({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://localhost:4318" })).toBe(true);
  expect(wantsTraces({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318", OTEL_TRACES_EXPORTER: "none" })).toBe(false);
  expect(wantsTraces({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318", OTEL_SDK_DISABLED: "true" })).toBe(false);
});

test("the observers are those that the settings ask for", async () => {
  const plain = await createObservers({ version: "1", logLevel: "silent", metrics: false, environment: {} });
  expect(plain.metricsText).toBeUndefined();
  await plain.close();
  const full = await createObservers({
    version: "1",
    logLevel: "silent",
    metrics: true,
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" },
  });
  full.observe({ kind: "catalog_loaded", version: "1", metrics: 5, dimensions: 2 });
  expect(await full.metricsText?.()).toContain("metricgate_catalog_metrics");
  await full.close();
});

test("a call is known within its work, after waiting too, and nowhere else", async () => {
  expect(currentCall()).toBeUndefined();
  await withinCall(CALL, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(currentCall()).toBe(CALL);
  });
  expect(currentCall()).toBeUndefined();
});
