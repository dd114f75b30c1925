import { ecsFormat } from "@elastic/ecs-pino-format";
import { destination, pino } from "pino";
import type { DestinationStream, Logger } from "pino";
import { currentCall } from "./call.ts";
import type { Observation, Observe } from "./observation.ts";
import { scrub, scrubError } from "./scrub.ts";
import type { ScrubbedError } from "./scrub.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly version: string;
  /** Where lines go; standard error unless a test gives its own. */
  readonly destination?: DestinationStream;
}

export interface LogSink {
  readonly observe: Observe;
  /** Writes out what is buffered. */
  flush(): void;
}

interface Line {
  readonly level: Exclude<LogLevel, "silent">;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
const NANOSECONDS_PER_MS = 1_000_000;

/**
 * Observations as ECS lines on standard error. Only the fields named here are ever written, so a new field of an
 * observation stays out of the log until someone lists it. Lines are dropped, not waited for, when nobody reads.
 */
export function logSink(options: LogOptions): LogSink {
  const stderr = options.destination === undefined ? destination({ dest: 2, sync: false, maxLength: MAX_BUFFERED_BYTES }) : null;
  const logger: Logger = pino(
    {
      ...ecsFormat({ serviceName: "metricgate", serviceVersion: options.version, convertErr: false, apmIntegration: false }),
      level: options.level,
    },
    stderr ?? options.destination,
  );
  return {
    observe: (observation) => {
      const line = lineOf(observation);
      if (!logger.isLevelEnabled(line.level)) return;
      const call = currentCall();
      const fields = {
        "event.action": observation.kind,
        ...line.fields,
        ...(call === undefined ? {} : { "mcp.tool": call.tool, "mcp.request.id": call.requestId }),
      };
      logger[line.level](fields, line.message);
    },
    flush: () => stderr?.flushSync(),
  };
}

/** What a lost answer costs is said in docs/adr/0010. */
const WRITTEN = { kept: "written", later: "not written yet, trying again", lost: "not written, kept by this process alone" } as const;

function lineOf(observation: Observation): Line {
  switch (observation.kind) {
    case "server_started":
      return line("info", `serving over ${observation.transport}`, {
        "server.address": observation.address,
        "event.duration": nanoseconds(observation.startMs),
      });
    case "server_stopped":
      return line("info", `stopped serving over ${observation.transport}`, {});
    case "catalog_loaded":
      return line("info", `catalog ${observation.version}: ${observation.metrics} metrics, ${observation.dimensions} dimensions`, {});
    case "database_opened":
      return line("info", `database open (${observation.mode})`, {
        "db.role": observation.role,
        "event.duration": nanoseconds(observation.openMs),
      });
    case "database_lost":
      return line("error", `database lost (${observation.mode}): ${scrub(observation.reason)}`, {});
    case "one_operator_mode":
      return line("warn", "the embedded database is for one operator's machine: its logins are no wall between people", {});
    case "audit_failed":
      return line("error", "the audit trail could not be written", {
        ...tenantField(observation.tenantId),
        ...errorFields(scrubError(observation.error)),
      });
    case "redis_lost":
      return line("warn", `redis lost, going on without: ${scrub(observation.reason)}`, {});
    case "import_finished":
      return line("info", `imported ${observation.issues} issues, refused ${observation.refused}`, {
        "organization.id": String(observation.tenantId),
        "metricgate.instance": scrub(observation.instanceId),
        "event.duration": nanoseconds(observation.durationMs),
      });
    case "request_refused":
      return line("warn", `request refused: ${observation.reason}`, { "http.response.status_code": observation.status });
    case "unexpected_error":
      return line("error", `unexpected error in ${observation.where}`, errorFields(scrubError(observation.error)));
    case "queue_lost":
    case "answers_written":
    case "job_ended":
    case "task_ended":
    case "embedded":
      return backgroundLineOf(observation);
    default:
      return callLineOf(observation);
  }
}

type BackgroundKind = "queue_lost" | "answers_written" | "job_ended" | "task_ended" | "embedded";

/** What is done behind the calls. */
function backgroundLineOf(observation: Extract<Observation, { kind: BackgroundKind }>): Line {
  switch (observation.kind) {
    case "queue_lost":
      return line("warn", `job queue lost, trying again: ${scrub(observation.reason)}`, {});
    case "answers_written":
      return line(observation.outcome === "kept" ? "trace" : "warn", `answers ${WRITTEN[observation.outcome]}: ${observation.count}`, {
        ...tenantField(observation.tenantId),
        "event.duration": observation.durationMs === undefined ? undefined : nanoseconds(observation.durationMs),
        "error.code": observation.reason,
      });
    case "job_ended":
      return line("info", `job attempt ${observation.attempt} ended: ${observation.outcome}`, {
        ...tenantField(observation.tenantId),
        "event.duration": nanoseconds(observation.durationMs),
      });
    case "task_ended":
      // Every minute, and for each tenant.
      return line(
        observation.outcome === "ok" ? "debug" : levelOf(observation.outcome),
        `task ${observation.task}: ${observation.outcome}`,
        {
          ...tenantField(observation.tenantId ?? null),
          "event.duration": nanoseconds(observation.durationMs),
          "error.code": codeOf(observation.outcome),
        },
      );
    case "embedded":
      return line(
        observation.refused === 0 ? "info" : "warn",
        `embedded ${observation.embedded} issues, ${observation.pending} to go, ${observation.refused} refused`,
        tenantField(observation.tenantId),
      );
  }
}

type CallObservation = Extract<
  Observation,
  { kind: "tool_started" | "tool_called" | "stage_finished" | "query_finished" | "handle_looked_up" | "spec_refused" } | { kind: LimitKind }
>;
type LimitKind = "turn_taken" | "weighed" | "cache_asked" | "warmed_up" | "rate_limited";

function callLineOf(observation: CallObservation): Line {
  switch (observation.kind) {
    case "tool_started":
      return line("trace", `${observation.tool} called`, {});
    case "tool_called":
      return line(levelOf(observation.outcome), `${observation.tool}: ${observation.outcome}`, {
        ...tenantField(observation.tenantId),
        "event.outcome": outcomeOf(observation.outcome),
        "event.duration": nanoseconds(observation.durationMs),
        "error.code": codeOf(observation.outcome),
      });
    case "stage_finished":
      return line("trace", `${observation.stage} finished`, {
        ...tenantField(observation.tenantId),
        "event.duration": nanoseconds(observation.durationMs),
      });
    case "query_finished":
      return line(observation.outcome === "ok" ? "debug" : levelOf(observation.outcome), `query: ${observation.outcome}`, {
        ...tenantField(observation.tenantId),
        "event.outcome": outcomeOf(observation.outcome),
        "event.duration": nanoseconds(observation.durationMs),
        "db.response.returned_rows": observation.rows,
        "db.response.status_code": observation.sqlState,
        "error.code": codeOf(observation.outcome),
      });
    case "handle_looked_up":
      return line("trace", `${observation.what} ${observation.isFound ? "found" : "not found"} by its handle`, {
        ...tenantField(observation.tenantId),
        "event.duration": nanoseconds(observation.durationMs),
      });
    case "spec_refused":
      return line("info", "spec refused", { ...tenantField(observation.tenantId), "metricgate.problems": observation.codes });
    default:
      return limitLineOf(observation);
  }
}

function limitLineOf(observation: Extract<Observation, { kind: LimitKind }>): Line {
  const tenant = tenantField(observation.tenantId);
  switch (observation.kind) {
    case "turn_taken":
      return line(observation.outcome === "BUSY" ? "warn" : "trace", `turn: ${observation.outcome}`, {
        ...tenant,
        "event.duration": nanoseconds(observation.waitMs),
      });
    case "weighed":
      return line(observation.verdict === "refused" ? "info" : "trace", `weighed: ${observation.verdict}`, tenant);
    case "cache_asked":
      return line("trace", `cache: ${observation.outcome}`, tenant);
    case "warmed_up":
      return line("debug", `warm-up: ${observation.outcome}`, tenant);
    case "rate_limited":
      return line("warn", `rate limited by ${observation.scope}`, tenant);
  }
}

function line(level: Line["level"], message: string, fields: Line["fields"]): Line {
  return { level, message, fields };
}

function levelOf(outcome: string): Line["level"] {
  if (outcome === "ok") return "info";
  return outcome === "INTERNAL" || outcome === "UNAVAILABLE" || outcome === "AUDIT_UNAVAILABLE" ? "error" : "warn";
}

function outcomeOf(outcome: string): "success" | "failure" {
  return outcome === "ok" ? "success" : "failure";
}

function codeOf(outcome: string): string | undefined {
  return outcome === "ok" ? undefined : outcome;
}

function tenantField(tenantId: number | null): Record<string, string> {
  return tenantId === null ? {} : { "organization.id": String(tenantId) };
}

function nanoseconds(ms: number): number {
  return Math.round(ms * NANOSECONDS_PER_MS);
}

function errorFields(error: ScrubbedError): Record<string, unknown> {
  return { "error.type": error.type, "error.code": error.code, "error.message": error.message, "error.cause": error.cause };
}
