import type { AnswerCache } from "./cache/answer-cache.ts";
import { type Call, stage } from "./call.ts";
import type { ResultStore } from "./cache/result-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { catalogViews } from "./catalog/narrow.ts";
import type { Chart } from "./chart/chart.ts";
import type { Renderer } from "./chart/render/pool.ts";
import type { BoundStatement, Database, Rows } from "./db/database.ts";
import { AppError, toAppError } from "./errors.ts";
import { createExecution, type ReadOptions } from "./execute/execution.ts";
import { type GateLimits, INTERACTIVE_LIMITS, JOB_LIMITS } from "./execute/limits.ts";
import { createWarmUp, type WarmUp } from "./execute/warm-up.ts";
import type { JobDesk } from "./jobs/desk.ts";
import type { Job } from "./jobs/job.ts";
import { columnsOf, keptResults } from "./kept-results.ts";
import type { Taking } from "./long-answer.ts";
import type { Observe, Stage } from "./observe/observation.ts";
import type { DrillResult } from "./result/drill.ts";
import { cacheSeconds, EXPORT_ROWS, INLINE_ROWS, pageOfRows, readCursor, type Rowless, type StoredResult } from "./result/page.ts";
import type { Result, ValueList } from "./result/result.ts";
import type { SearchResult } from "./result/search.ts";
import { valueList } from "./result/value-list.ts";
import type { ChartByIdRequest, ChartRequest } from "./spec/chart.ts";
import type { EmbeddingProvider } from "./search/embedding.ts";
import {
  type DrillRequest,
  type JobStateRequest,
  type PageRequest,
  parseJobState,
  parsePageLimit,
  parseStart,
  parseValuesRequest,
  type StartRequest,
  type ValuesRequest,
} from "./spec/requests.ts";
import type { SearchRequest } from "./spec/search-request.ts";
import type { Spec } from "./spec/spec.ts";
import { compileValues } from "./sql/values.ts";
import type { Principal } from "./tenant.ts";

/** How one call is bounded and followed. */
export interface CallOptions {
  /** Aborting ends the running statement in the database. */
  readonly signal?: AbortSignal;
  /** Told as each stage begins, for progress notifications. */
  readonly onStage?: (stage: Stage) => void;
}

/** The product behind every edge (MCP, HTTP, command line). Its methods throw AppError and only AppError. */
export interface Pipeline {
  /** All that can be asked here. */
  readonly catalog: Catalog;
  /** What this principal can ask; the same object at every call. */
  catalogFor(principal: Principal): Catalog;
  /** Validates `input` as an AnalyticsSpec and answers it; with `dry_run` explains it instead (`meta.explanation`). */
  run(principal: Principal, input: unknown, options?: CallOptions): Promise<Result>;
  /** A page of a stored result; NOT_FOUND alike for absent, expired and foreign handles. */
  page(principal: Principal, request: PageRequest): Promise<Result>;
  values(principal: Principal, request: ValuesRequest, options?: CallOptions): Promise<ValueList>;
  /** The issues behind one number of a stored result; NOT_FOUND as for `page`. */
  drill(principal: Principal, request: DrillRequest, options?: CallOptions): Promise<DrillResult>;
  /** A stored result as a picture; NOT_FOUND as for `page`. */
  chart(principal: Principal, request: ChartRequest | ChartByIdRequest, options?: CallOptions): Promise<Chart>;
  /** The issues that are about something, or like another one; NOT_FOUND for an issue that is not there. */
  search(principal: Principal, request: SearchRequest, options?: CallOptions): Promise<SearchResult>;
  /** Validates a spec within a job's limits and has it answered in the background. Throws BUSY, UNAVAILABLE. */
  startJob(principal: Principal, request: StartRequest): Promise<Job>;
  /** How a job stands, waiting for its end where asked; NOT_FOUND alike for absent, expired and foreign ones. */
  job(principal: Principal, request: JobStateRequest, options?: CallOptions): Promise<Job>;
  /** Ends a job and its running statement; the job as it then is. */
  cancelJob(principal: Principal, request: JobStateRequest): Promise<Job>;
  /** Has popular answers that are about to expire made anew, in idle moments; for the clock. Returns at once. */
  keepWarm(): void;
  /** Answers a job's spec: for the worker, which stores the rows that `onRows` takes. */
  answerJob(principal: Principal, input: unknown, options: Taking & CallOptions): Promise<Rowless>;
}

/** What the product is made of; built once by app.ts. */
export interface PipelineParts {
  readonly catalog: Catalog;
  /** Opens behind the first answers that need no data. */
  readonly database: () => Promise<Database>;
  readonly results: ResultStore<StoredResult>;
  readonly observe: Observe;
  readonly now: () => Date;
  /** Answers kept for a few minutes; absent: none. */
  readonly cache?: AnswerCache;
  /** Draws charts; absent: none are drawn here. */
  readonly renderer?: Renderer;
  /** Absent: issues are found by words alone. */
  readonly embeddings?: EmbeddingProvider;
  /** Absent: nothing is done in the background. */
  readonly jobs?: JobDesk;
  /** Aborts when the process closes; ends what is done in the background. */
  readonly closed?: AbortSignal;
  /** In place of the limits of src/execute/limits.ts. */
  readonly gateLimits?: GateLimits;
}

/** What answers is loaded with the first question: a client that starts a server waits for its lists only. */
const answering = () => import("./answering.ts");

export function createPipeline(parts: PipelineParts): Pipeline {
  const viewOf = catalogViews(parts.catalog);
  const catalogFor = ({ allowed }: Principal): Catalog => viewOf(allowed.metrics);
  const warmUp: WarmUp<Spec> = createWarmUp({
    ...parts,
    refresh: async (principal, spec, untilMs) => (await answering()).refreshAnswer(spec, inside(principal), untilMs),
  });
  const kept = keptResults(parts.results, parts.jobs);
  const execution = createExecution({ ...parts, onDataVersion: warmUp.noticed, nowMs: () => Date.now() });
  const inside = (principal: Principal, options: CallOptions = {}): Call => ({
    ...parts,
    ...options,
    principal,
    kept,
    published: catalogFor(principal),
    execution,
    warmUp,
  });
  return {
    catalog: parts.catalog,
    catalogFor,
    run: (principal, input, options) => onlyAppErrors(async () => (await answering()).answerSpec(input, inside(principal, options))),
    page: (principal, request) => onlyAppErrors(() => readPage(request, inside(principal))),
    values: (principal, request, options) => onlyAppErrors(() => listValues(request, inside(principal, options))),
    drill: (principal, request, options) => onlyAppErrors(() => openNumber(request, inside(principal, options))),
    chart: (principal, request, options) => onlyAppErrors(() => draw(request, inside(principal, options))),
    search: (principal, request, options) => onlyAppErrors(() => search(request, inside(principal, options))),
    startJob: (principal, request) => onlyAppErrors(() => startJob(request, inside(principal))),
    job: (principal, request, options) => onlyAppErrors(() => jobState(request, inside(principal, options))),
    cancelJob: (principal, request) => onlyAppErrors(() => deskOf(parts).cancel(principal, parseJobState(request).jobId)),
    keepWarm: warmUp.again,
    answerJob: (principal, input, options) =>
      onlyAppErrors(async () => (await answering()).answerJobSpec(input, inside(principal, options), options)),
  };
}

async function onlyAppErrors<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toAppError(error);
  }
}

async function draw(request: ChartRequest | ChartByIdRequest, call: Call): Promise<Chart> {
  const { renderer, principal, catalog, signal } = call;
  if (renderer === undefined)
    throw new AppError("UNAVAILABLE", "This process draws no charts.", { next: "Ask a server (`metricgate serve`)." });
  const { drawChart } = await import("./draw.ts");
  return stage(call, "chart", () =>
    drawChart(request, { catalog, principal, results: call.kept, renderer, ...(signal === undefined ? {} : { signal }) }),
  );
}

async function startJob(request: StartRequest, call: Call): Promise<Job> {
  const { priority, idempotencyKey } = parseStart(request);
  const { chartsFor, readSpec } = await answering();
  const spec = { ...(await readSpec(request.spec, call, JOB_LIMITS.rows)), dry_run: false };
  await chartsFor(spec, call);
  return deskOf(call).start(call.principal, { spec, priority, idempotencyKey });
}

function jobState(request: JobStateRequest, call: Call): Promise<Job> {
  const { jobId, waitMs } = parseJobState(request);
  const { signal, onStage } = call;
  return deskOf(call).get(call.principal, jobId, {
    waitMs,
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ progress }) => void (progress.stage !== null && onStage?.(progress.stage as Stage)),
  });
}

function deskOf({ jobs }: Pick<PipelineParts, "jobs">): JobDesk {
  if (jobs !== undefined) return jobs;
  throw new AppError("UNAVAILABLE", "This process has no background jobs.", { next: "Ask a server (`metricgate serve`)." });
}

async function readPage(request: PageRequest, call: Call): Promise<Result> {
  const { result_id: id, cursor, limit, isExport } = request;
  const count = isExport ? EXPORT_ROWS : parsePageLimit(limit, { default: INLINE_ROWS, max: INTERACTIVE_LIMITS.rows });
  const offset = cursor === undefined || cursor === null ? 0 : readCursor(cursor);
  const found = await call.kept.page(call.principal, id, { offset: offset ?? 0, limit: count });
  if (!found)
    throw new AppError("NOT_FOUND", "There is no result with this id.", {
      next: "Run the spec again; results are kept for a day.",
    });
  if (offset === undefined || (offset > 0 && offset >= found.rowCount))
    throw new AppError("NOT_FOUND", "This cursor is not one of this result's.", { next: "Leave out cursor for the first page." });
  const { stored, rows, rowCount } = found;
  const page = pageOfRows(id, stored, { rows, offset, of: rowCount, cacheSeconds: cacheSeconds(stored, Date.now()) });
  return page.meta.spec.chart === null ? page : (await import("./draw.ts")).withChartUri(page);
}

async function listValues(request: ValuesRequest, call: Call): Promise<ValueList> {
  const wanted = parseValuesRequest(request, call.published);
  const statement = compileValues(wanted, call.principal, call.catalog);
  return valueList(wanted.dimension, await call.execution.read(call.principal.tenant, statement, { signal: call.signal }));
}

async function openNumber(request: DrillRequest, call: Call): Promise<DrillResult> {
  const { drillDown } = await import("./drill.ts");
  return drillDown(request, { ...call, results: call.kept, read: reader(call) });
}

async function search(request: SearchRequest, call: Call): Promise<SearchResult> {
  const { findIssues } = await import("./find.ts");
  return findIssues(request, { ...call, keptColumns: columnsOf(call.kept, call.principal), read: reader(call) });
}

/** Reads for the caller's tenant, in turn. */
function reader(call: Call): (statement: BoundStatement, options?: Pick<ReadOptions, "keepPlan">) => Promise<Rows> {
  const { principal, execution, signal } = call;
  return (statement, options) => stage(call, "execute", () => execution.read(principal.tenant, statement, { ...options, signal }));
}
