import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Context, Span, TextMapPropagator, Tracer } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { SpanProcessor } from "@opentelemetry/sdk-trace";
import { currentCall } from "./call.ts";
import type { Call } from "./call.ts";
import type { Observation, Observe } from "./observation.ts";

export interface TraceSink {
  readonly observe: Observe;
  /** Sends what is buffered and stops. */
  close(): Promise<void>;
}

export interface TraceOptions {
  readonly version: string;
  /** Replaces the exporter that the OTEL_ variables describe. */
  readonly processor?: SpanProcessor;
}

/** Observations as spans: one server span a tool call, below it one per stage and one per statement. */
export function traceSink(options: TraceOptions): TraceSink {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": process.env["OTEL_SERVICE_NAME"] ?? "metricgate",
      "service.version": options.version,
    }),
    spanProcessors: [options.processor ?? new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer("metricgate", options.version);
  const spans = new WeakMap<Call, Span>();
  const propagator = new W3CTraceContextPropagator();
  return {
    observe: (observation) => {
      const call = currentCall();
      if (observation.kind === "tool_started" && call !== undefined) spans.set(call, startSpan(tracer, propagator, call));
      else if (observation.kind === "tool_called" && call !== undefined) endSpan(spans.get(call), observation);
      else childSpan(tracer, call === undefined ? undefined : spans.get(call), observation);
    },
    close: () => provider.shutdown(),
  };
}

function startSpan(tracer: Tracer, propagator: TextMapPropagator, call: Call): Span {
  const parent = propagator.extract(
    ROOT_CONTEXT,
    { traceparent: call.traceparent, tracestate: call.tracestate },
    {
      keys: (carrier) => Object.keys(carrier),
      get: (carrier: Record<string, string | undefined>, key) => carrier[key],
    },
  );
  return tracer.startSpan(
    `tools/call ${call.tool}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.tool,
        "network.transport": call.transport === "stdio" ? "pipe" : "tcp",
        ...(call.protocolVersion === undefined ? {} : { "mcp.protocol.version": call.protocolVersion }),
        ...(call.requestId === undefined ? {} : { "jsonrpc.request.id": call.requestId }),
      },
    },
    parent,
  );
}

function endSpan(span: Span | undefined, observation: Extract<Observation, { kind: "tool_called" }>): void {
  if (span === undefined) return;
  if (observation.tenantId !== null) span.setAttribute("metricgate.tenant.id", observation.tenantId);
  markOutcome(span, observation.outcome);
  span.end();
}

/** Stages and statements are observed when they end, so that their spans are dated back by their duration. */
function childSpan(tracer: Tracer, parent: Span | undefined, observation: Observation): void {
  if (observation.kind !== "stage_finished" && observation.kind !== "query_finished") return;
  const context: Context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
  const endMs = Date.now();
  const startTime = endMs - observation.durationMs;
  if (observation.kind === "stage_finished") {
    tracer
      .startSpan(observation.stage, { kind: SpanKind.INTERNAL, startTime, attributes: { "metricgate.stage": observation.stage } }, context)
      .end(endMs);
    return;
  }
  const span = tracer.startSpan(
    "SELECT warehouse",
    {
      kind: SpanKind.CLIENT,
      startTime,
      attributes: {
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
        "db.namespace": "warehouse",
        "db.response.returned_rows": observation.rows,
        ...(observation.sqlState === undefined ? {} : { "db.response.status_code": observation.sqlState }),
      },
    },
    context,
  );
  markOutcome(span, observation.outcome);
  span.end(endMs);
}

function markOutcome(span: Span, outcome: string): void {
  if (outcome === "ok") return;
  span.setAttribute("error.type", outcome);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
