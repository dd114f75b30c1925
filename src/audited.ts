import type { Audit, AuditEntry } from "./audit/audit.ts";
import { hashOfJson } from "./audit/canonical-json.ts";
import { scrubbed } from "./audit/scrubbed.ts";
import type { Chart } from "./chart/chart.ts";
import { AppError, type ErrorCode, toAppError } from "./errors.ts";
import { type Call, currentCall } from "./observe/call.ts";
import type { Observe } from "./observe/observation.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Job } from "./jobs/job.ts";
import type { DrillResult } from "./result/drill.ts";
import type { Cell, Result, ResultMeta, ValueList } from "./result/result.ts";
import type { SearchResult } from "./result/search.ts";
import type { ChartByIdRequest, ChartRequest } from "./spec/chart.ts";
import type { DrillRequest, ValuesRequest } from "./spec/requests.ts";
import type { SearchRequest } from "./spec/search-request.ts";
import type { Principal } from "./tenant.ts";

/** Told as they are when the trail is away too: they carry no data, and say better what is wrong. */
const OF_THE_DATABASE: readonly ErrorCode[] = ["UNAVAILABLE", "BUSY", "TIMEOUT"];

/** What is kept of a query's text: enough to know it by. */
const MAX_QUERY_CHARACTERS = 300;

/** What an entry says of an answer. */
type Told = Pick<AuditEntry, "spec" | "specHash" | "metricVersions" | "resultId" | "rowCount">;

interface Asked {
  readonly operation: AuditEntry["operation"];
  readonly principal: Principal;
  /** As the caller wrote it; of a refused call only its hash is kept. */
  readonly input: unknown;
}

/**
 * The same pipeline, every call of which is recorded before its answer is handed on. What cannot be recorded is not
 * answered: AUDIT_UNAVAILABLE, and nothing of the data. Calls refused as RATE_LIMITED are not recorded, so that they
 * stay cheap.
 */
export function audited(pipeline: Pipeline, audit: Audit, observe: Observe): Pipeline {
  const record = (entry: AuditEntry): Promise<void> =>
    audit.append(entry).catch((thrown: unknown) => {
      const error = toAppError(thrown);
      observe({ kind: "audit_failed", tenantId: entry.tenantId, error: error.details.cause ?? error });
      throw error.code === "AUDIT_UNAVAILABLE" ? error : new AppError("AUDIT_UNAVAILABLE", error.message, { cause: error });
    });
  const call = recorder(record);
  // Each method by name: one that the pipeline gains is no Pipeline here until it is recorded too.
  return {
    catalog: pipeline.catalog,
    catalogFor: pipeline.catalogFor,
    run: (principal, input, options) =>
      call({ operation: "run", principal, input }, () => pipeline.run(principal, input, options), ofResult),
    page: (principal, request) => call({ operation: "page", principal, input: request }, () => pipeline.page(principal, request), ofResult),
    values: (principal, request, options) =>
      call({ operation: "values", principal, input: request }, () => pipeline.values(principal, request, options), ofValues(request)),
    drill: (principal, request, options) =>
      call({ operation: "drill", principal, input: request }, () => pipeline.drill(principal, request, options), ofDrill(request)),
    chart: (principal, request, options) =>
      call({ operation: "chart", principal, input: request }, () => pipeline.chart(principal, request, options), ofChart(request)),
    search: (principal, request, options) =>
      call({ operation: "search", principal, input: request }, () => pipeline.search(principal, request, options), ofSearch(request)),
    startJob: (principal, request) =>
      call({ operation: "start_job", principal, input: request }, () => pipeline.startJob(principal, request), ofJob(request)),
    // Tells nothing of the data, and is asked again and again.
    job: pipeline.job,
    cancelJob: (principal, request) =>
      call({ operation: "cancel_job", principal, input: request }, () => pipeline.cancelJob(principal, request), ofJob(request)),
    // Nobody asks, and nothing leaves.
    keepWarm: pipeline.keepWarm,
    answerJob: (principal, input, options) => {
      let rowCount = 0;
      const onRows = (rows: readonly (readonly Cell[])[]): Promise<void> => {
        rowCount += rows.length;
        return options.onRows(rows);
      };
      return call(
        { operation: "job", principal, input },
        () => pipeline.answerJob(principal, input, { ...options, onRows }),
        ({ meta }) => ofAnswer(meta, { resultId: null, rowCount }),
      );
    },
  };
}

function ofValues(request: ValuesRequest) {
  return ({ values }: ValueList): Told => ({
    spec: scrubbed({ dimension: request.dimension, search: request.search ?? null, limit: request.limit ?? null }),
    specHash: hashOfJson(request),
    metricVersions: {},
    resultId: null,
    rowCount: values.length,
  });
}

function ofChart(request: ChartRequest | ChartByIdRequest) {
  return ({ rowCount, type, meta: { result_id: resultId, metrics_used } }: Chart): Told => ({
    spec: scrubbed({ ...request, type }),
    specHash: hashOfJson(request),
    metricVersions: Object.fromEntries(metrics_used.map(({ name, version }) => [name, version])),
    resultId,
    rowCount,
  });
}

function ofDrill(request: DrillRequest) {
  return ({ data, meta: { result_id: resultId, row, measure } }: DrillResult): Told => ({
    spec: scrubbed({ row, measure: measure.as, limit: request.limit ?? null }),
    specHash: hashOfJson(request),
    metricVersions: { [measure.name]: measure.version },
    resultId,
    rowCount: data.rows.length,
  });
}

function ofSearch(request: SearchRequest) {
  const { queries, similar_to: similarTo, filters, limit } = request;
  return ({ data, meta: { result_id: resultId } }: SearchResult): Told => ({
    spec: scrubbed({
      queries: (queries ?? []).map((query) => query.slice(0, MAX_QUERY_CHARACTERS)),
      similar_to: similarTo ?? null,
      filters: filters ?? null,
      limit: limit ?? null,
    }),
    specHash: hashOfJson(request),
    metricVersions: {},
    resultId,
    rowCount: data.hits.length,
  });
}

function ofJob(request: unknown) {
  return ({ result_id }: Job): Told => ({
    spec: scrubbed(request),
    specHash: hashOfJson(request),
    metricVersions: {},
    resultId: result_id,
    rowCount: 0,
  });
}

function ofResult({ data, meta }: Result): Told {
  return ofAnswer(meta, { resultId: meta.result_id === "" ? null : meta.result_id, rowCount: data.rows.length });
}

function ofAnswer(meta: Pick<ResultMeta, "spec" | "metrics_used">, { resultId, rowCount }: Pick<Told, "resultId" | "rowCount">): Told {
  return {
    spec: scrubbed(meta.spec),
    specHash: hashOfJson(meta.spec),
    metricVersions: Object.fromEntries(meta.metrics_used.map(({ name, version }) => [name, version])),
    resultId,
    rowCount,
  };
}

/** Runs one call and records how it ended before anybody hears of it. */
function recorder(record: (entry: AuditEntry) => Promise<void>) {
  return async <T>(asked: Asked, work: () => Promise<T>, tell: (answer: T) => Told): Promise<T> => {
    const startMs = performance.now();
    let answer: T;
    try {
      answer = await work();
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === "RATE_LIMITED") throw error;
      await record(failed(asked, error, performance.now() - startMs)).catch((refusal: unknown) => {
        throw OF_THE_DATABASE.includes(error.code) ? error : refusal;
      });
      throw error;
    }
    await record({ ...about(asked, performance.now() - startMs), ...tell(answer), problems: [], outcome: "ok" });
    return answer;
  };
}

/** Of a call that failed nothing is kept that its caller wrote: it may be anything. */
function failed(asked: Asked, { code, details }: AppError, durationMs: number): AuditEntry {
  return {
    ...about(asked, durationMs),
    spec: null,
    specHash: hashOfJson(asked.input),
    metricVersions: {},
    resultId: null,
    rowCount: null,
    problems: (details.problems ?? []).map((problem) => problem.code),
    outcome: code,
  };
}

function about({ operation, principal }: Asked, durationMs: number) {
  const call = currentCall();
  return {
    tenantId: principal.tenant.id,
    principal: principal.user,
    operation,
    tool: call?.tool ?? null,
    transport: call?.transport ?? null,
    durationMs: Math.round(durationMs * 10) / 10,
    traceId: traceIdOf(call),
  };
}

/** Checked: the header is the client's own text. */
function traceIdOf(call: Call | undefined): string | null {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(call?.traceparent ?? "")?.[1] ?? null;
}
