import { fanOut } from "./fan-out.ts";
import { logSink } from "./log.ts";
import type { LogLevel } from "./log.ts";
import type { MetricsSink } from "./metrics.ts";
import type { Observe } from "./observation.ts";

export interface ObserverOptions {
  readonly version: string;
  readonly logLevel: LogLevel;
  /** Counts for `/metrics`; without it nothing is counted. */
  readonly metrics: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Observers {
  readonly observe: Observe;
  /** Prometheus text, when metrics were asked for. */
  readonly metricsText?: () => Promise<string>;
  /** Sends and writes what is buffered. */
  close(): Promise<void>;
}

/** The sinks that the settings ask for. OpenTelemetry is loaded only when used: it costs a start more than all else here. */
export async function createObservers(options: ObserverOptions): Promise<Observers> {
  const log = logSink({ level: options.logLevel, version: options.version });
  const metrics: MetricsSink | null = options.metrics ? (await import("./metrics.ts")).metricsSink(options.version) : null;
  const trace = wantsTraces(options.environment) ? (await import("./trace.ts")).traceSink({ version: options.version }) : null;
  const sinks = [log.observe, ...(metrics === null ? [] : [metrics.observe]), ...(trace === null ? [] : [trace.observe])];
  return {
    observe: fanOut(sinks),
    ...(metrics === null ? {} : { metricsText: metrics.text }),
    close: async () => {
      await Promise.allSettled([metrics?.close(), trace?.close()]);
      log.flush();
    },
  };
}

/** True when the standard variables name a collector for traces. */
export function wantsTraces(environment: Readonly<Record<string, string | undefined>>): boolean {
  if (environment["OTEL_SDK_DISABLED"] === "true" || environment["OTEL_TRACES_EXPORTER"] === "none") return false;
  return Boolean(environment["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]);
}
