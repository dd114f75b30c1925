import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AggregationType, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import type { ViewOptions } from "@opentelemetry/sdk-metrics";
import { currentCall } from "./call.ts";
import type { Observation, Observe } from "./observation.ts";

export interface MetricsSink {
  readonly observe: Observe;
  /** The current values in the Prometheus text format. */
  text(): Promise<string>;
  close(): Promise<void>;
}

/** Bounds in seconds: from a compile to a job. */
const DURATION_BOUNDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 300];

class OnDemandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Observations as OpenTelemetry metrics, read on demand. No label carries a tenant, a name from its data or free text. */
export function metricsSink(version: string): MetricsSink {
  const reader = new OnDemandReader();
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": "metricgate", "service.version": version }),
    readers: [reader],
    views: ["db.client.operation.duration", "mcp.server.operation.duration", "metricgate.stage.duration", "metricgate.turn.wait"].map(
      secondsView,
    ),
  });
  const record = recorder(provider);
  const serializer = new PrometheusSerializer(undefined, false);
  return {
    observe: record,
    text: async () => serializer.serialize((await reader.collect()).resourceMetrics),
    close: () => provider.shutdown(),
  };
}

function secondsView(instrumentName: string): ViewOptions {
  return { instrumentName, aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: DURATION_BOUNDS } } };
}

function recorder(provider: MeterProvider): Observe {
  const meter = provider.getMeter("metricgate");
  const toolDuration = meter.createHistogram("mcp.server.operation.duration", { unit: "s", description: "Duration of a tool call." });
  const queryDuration = meter.createHistogram("db.client.operation.duration", {
    unit: "s",
    description: "Duration of a database statement.",
  });
  const stageDuration = meter.createHistogram("metricgate.stage.duration", { unit: "s", description: "Duration of a pipeline stage." });
  const toolCalls = meter.createCounter("metricgate.tool.calls", { description: "Tool calls by tool and outcome." });
  const problems = meter.createCounter("metricgate.spec.problems", { description: "Problems found in specs, by code." });
  const refused = meter.createCounter("metricgate.requests.refused", { description: "Requests turned away before any tool saw them." });
  const unexpected = meter.createCounter("metricgate.errors.unexpected", { description: "Errors nobody planned for." });
  const unaudited = meter.createCounter("metricgate.audit.failures", { description: "Calls that could not be recorded." });
  const metrics = meter.createGauge("metricgate.catalog.metrics", { description: "Metrics in the catalog." });
  const dimensions = meter.createGauge("metricgate.catalog.dimensions", { description: "Dimensions in the catalog." });

  const recordLimit = limitRecorder(provider);

  return (observation: Observation) => {
    recordLimit(observation);
    switch (observation.kind) {
      case "tool_called":
        toolCalls.add(1, { tool: observation.tool, outcome: observation.outcome });
        toolDuration.record(observation.durationMs / 1000, {
          "mcp.method.name": "tools/call",
          "gen_ai.tool.name": observation.tool,
          "network.transport": currentCall()?.transport === "stdio" ? "pipe" : "tcp",
          ...(observation.outcome === "ok" ? {} : { "error.type": observation.outcome }),
        });
        return;
      case "query_finished":
        queryDuration.record(observation.durationMs / 1000, {
          "db.system.name": "postgresql",
          "db.operation.name": "SELECT",
          ...(observation.outcome === "ok" ? {} : { "error.type": observation.outcome }),
        });
        return;
      case "stage_finished":
        return stageDuration.record(observation.durationMs / 1000, { stage: observation.stage });
      case "spec_refused":
        for (const code of observation.codes) problems.add(1, { code });
        return;
      case "request_refused":
        return refused.add(1, { reason: observation.reason });
      case "unexpected_error":
        return unexpected.add(1);
      case "audit_failed":
        return unaudited.add(1);
      case "catalog_loaded":
        metrics.record(observation.metrics);
        dimensions.record(observation.dimensions);
        return;
      default:
        return;
    }
  };
}

/** What limits, the cache and the queue did. */
function limitRecorder(provider: MeterProvider): Observe {
  const meter = provider.getMeter("metricgate");
  const waits = meter.createHistogram("metricgate.turn.wait", {
    unit: "s",
    description: "Time a call waited for its turn at the database.",
  });
  const weighed = meter.createCounter("metricgate.statements.weighed", { description: "Statements by what their weight was found to be." });
  const cache = meter.createCounter("metricgate.cache.asked", { description: "Answers asked of the cache, by outcome." });
  const warmed = meter.createCounter("metricgate.cache.warmed", { description: "Answers made afresh in the background." });
  const written = meter.createCounter("metricgate.answers.written", {
    description: "Answers of calls that were written to the database, put off, or left to this process alone.",
  });
  const limited = meter.createCounter("metricgate.calls.rate_limited", { description: "Calls over a rate limit, by whose." });
  return (observation: Observation) => {
    switch (observation.kind) {
      case "turn_taken":
        return waits.record(observation.waitMs / 1000, { outcome: observation.outcome });
      case "weighed":
        return weighed.add(1, { verdict: observation.verdict });
      case "cache_asked":
        return cache.add(1, { outcome: observation.outcome });
      case "warmed_up":
        return warmed.add(1, { outcome: observation.outcome });
      case "answers_written":
        return written.add(observation.count, { outcome: observation.outcome });
      case "rate_limited":
        return limited.add(1, { scope: observation.scope });
      default:
        return;
    }
  };
}
