import type { AnswerCache } from "./cache/answer-cache.ts";
import type { ResultStore } from "./cache/result-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { catalogViews } from "./catalog/narrow.ts";
import type { BoundStatement, Database, Rows } from "./db/database.ts";
import { drillDown } from "./drill.ts";
import { AppError, toAppError } from "./errors.ts";
import { createExecution, type Execution } from "./execute/execution.ts";
import { type GateLimits, INTERACTIVE_LIMITS, JOB_LIMITS } from "./execute/limits.ts";
import { createWarmUp, type WarmUp } from "./execute/warm-up.ts";
import { findIssues } from "./find.ts";
import type { JobDesk } from "./jobs/desk.ts";
import type { Job } from "./jobs/job.ts";
import { type KeptResults, keptResults } from "./kept-results.ts";
import { answerAtLength, type Taking } from "./long-answer.ts";
import type { Observe, Stage } from "./observe/observation.ts";
import { buildPlan } from "./plan/build.ts";
import type { Plan } from "./plan/plan.ts";
import { questionOf } from "./question.ts";
import type { DrillResult } from "./result/drill.ts";
import { basisOf, explainedResult, metaOf } from "./result/meta.ts";
import {
  approximateBytes,
  cacheSeconds,
  EXPORT_ROWS,
  INLINE_ROWS,
  pageOf,
  pageOfRows,
  readCursor,
  type Rowless,
  type StoredResult,
} from "./result/page.ts";
import type { Result, ValueList } from "./result/result.ts";
import type { SearchResult } from "./result/search.ts";
import { valueList } from "./result/value-list.ts";
import type { EmbeddingProvider } from "./search/embedding.ts";
import { jobCall } from "./spec/job-call.ts";
import { parseSpec } from "./spec/parse.ts";
import { MAX_FILTER_VALUES } from "./spec/shape.ts";
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
import { type KeptColumns, withResultValues } from "./spec/result-values.ts";
import type { SearchRequest } from "./spec/search-request.ts";
import type { Spec } from "./spec/spec.ts";
import { compile } from "./sql/compile.ts";
import type { Statement } from "./sql/fragment.ts";
import { compileDataVersion } from "./sql/state.ts";
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
  /** The issues that are about something, or like another one; NOT_FOUND for an issue that is not there. */
  search(principal: Principal, request: SearchRequest, options?: CallOptions): Promise<SearchResult>;
  /** Validates a spec within a job's limits and has it answered in the background. Throws BUSY, UNAVAILABLE. */
  startJob(principal: Principal, request: StartRequest): Promise<Job>;
  /** How a job stands, waiting for its end where asked; NOT_FOUND alike for absent, expired and foreign ones. */
  job(principal: Principal, request: JobStateRequest, options?: CallOptions): Promise<Job>;
  /** Ends a job and its running statement; the job as it then is. */
  cancelJob(principal: Principal, request: JobStateRequest): Promise<Job>;
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
  /** Absent: issues are found by words alone. */
  readonly embeddings?: EmbeddingProvider;
  /** Absent: nothing is done in the background. */
  readonly jobs?: JobDesk;
  /** Aborts when the process closes; ends what is done in the background. */
  readonly closed?: AbortSignal;
  /** In place of the limits of src/execute/limits.ts. */
  readonly gateLimits?: GateLimits;
}

type Call = PipelineParts &
  CallOptions & {
    readonly principal: Principal;
    readonly kept: KeptResults;
    readonly published: Catalog;
    readonly execution: Execution;
    readonly warmUp: WarmUp<Spec>;
  };

export function createPipeline(parts: PipelineParts): Pipeline {
  const viewOf = catalogViews(parts.catalog);
  const catalogFor = ({ allowed }: Principal): Catalog => viewOf(allowed.metrics);
  const warmUp: WarmUp<Spec> = createWarmUp({ ...parts, refresh: (principal, spec) => refresh(spec, inside(principal)) });
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
    run: (principal, input, options) => onlyAppErrors(() => runSpec(input, inside(principal, options))),
    page: (principal, request) => onlyAppErrors(() => readPage(request, inside(principal))),
    values: (principal, request, options) => onlyAppErrors(() => listValues(request, inside(principal, options))),
    drill: (principal, request, options) => onlyAppErrors(() => openNumber(request, inside(principal, options))),
    search: (principal, request, options) => onlyAppErrors(() => search(request, inside(principal, options))),
    startJob: (principal, request) => onlyAppErrors(() => startJob(request, inside(principal))),
    job: (principal, request, options) => onlyAppErrors(() => jobState(request, inside(principal, options))),
    cancelJob: (principal, request) => onlyAppErrors(() => deskOf(parts).cancel(principal, parseJobState(request).jobId)),
    answerJob: (principal, input, options) => onlyAppErrors(() => answerJob(input, inside(principal, options), options)),
  };
}

async function onlyAppErrors<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toAppError(error);
  }
}

/** Unknown JSON → parse → plan → compile → execute → shape → an answer. */
async function runSpec(input: unknown, call: Call): Promise<Result> {
  const { catalog, results, principal, execution, signal } = call;
  const startMs = performance.now();
  const spec = await stage(call, "parse", () => parse(input, call));
  const plan = await planned(spec, call);
  // Nothing can be refused from here on without a look at the data: while the statement is written, its version is read.
  const version = execution.versionOf(principal.tenant, compileDataVersion(principal, catalog), signal);
  const statement = await compiled(plan, call);
  const question = questionOf({ spec, plan, statement }, { ...call, version, timed: (name, work) => stage(call, name, work) });
  if (spec.dry_run) {
    const { admission, ...estimate } = await stage(call, "execute", () => execution.explain(question, signal));
    return explainedResult({ plan, statement: statement.text, estimate, admission }, { spec, plan, catalog });
  }
  const { value: answer, cached, expiresAtMs } = await execution.answer(question, signal);
  call.warmUp.asked(principal, spec);
  const queryTimeMs = Math.round((performance.now() - startMs) * 10) / 10;
  const stored: StoredResult = { answer, queryTimeMs, cached, expiresAtMs, basis: basisOf(plan), meta: metaOf(spec, answer, catalog) };
  const id = results.put(principal, stored, approximateBytes(answer.rows));
  return pageOf(id, stored, { offset: 0, limit: INLINE_ROWS, cacheSeconds: cacheSeconds(stored, Date.now()) });
}

/** Asks a question again for nobody in particular, with today's ranges, so that the next to ask finds it answered. */
async function refresh(spec: Spec, call: Call): Promise<boolean> {
  const plan = await planned(spec, call);
  const statement = await compiled(plan, call);
  return call.execution.refresh(questionOf({ spec, plan, statement }, { ...call, timed: (_name, work) => Promise.resolve(work()) }));
}

function planned(spec: Spec, call: Call): Promise<Plan> {
  const { catalog, now, principal } = call;
  return stage(call, "plan", () => buildPlan(spec, { catalog, now: now(), weekStart: principal.tenant.weekStart }));
}

function compiled(plan: Plan, call: Call): Promise<Statement> {
  return stage(call, "compile", () => compile(plan, call.principal, call.catalog));
}

async function parse(input: unknown, call: Call, maxRows: number = INTERACTIVE_LIMITS.rows): Promise<Spec> {
  const { published, principal, observe } = call;
  const { tenant } = principal;
  const filled = await withFilledFilters(input, columnsOf(call));
  const read = parseSpec(filled.input, { catalog: published, defaultTimezone: tenant.timezone, maxRows });
  if ("spec" in read && filled.problems.length === 0) return read.spec;
  const parsed = { problems: [...filled.problems, ...("spec" in read ? [] : read.problems)] };
  observe({ kind: "spec_refused", tenantId: tenant.id, codes: parsed.problems.map((problem) => problem.code) });
  const count = parsed.problems.length === 1 ? "a problem" : `${parsed.problems.length} problems`;
  const isLong = parsed.problems.every(({ code, path }) => code === "LIMIT_EXCEEDED" && path === "limit") && maxRows < JOB_LIMITS.rows;
  const next = isLong
    ? `For up to ${JOB_LIMITS.rows} rows call ${jobCall(input)}, then get_job.`
    : "Mend the spec and call again; list_metrics and list_values give valid names.";
  throw new AppError("SPEC_INVALID", `The spec has ${count}; nothing was run.`, { problems: parsed.problems, next });
}

/** A spec whose filters may name kept results. */
async function withFilledFilters(input: unknown, kept: ReturnType<typeof columnsOf>) {
  if (typeof input !== "object" || input === null || !("filters" in input)) return { input, problems: [] };
  const { filters, problems } = await withResultValues(input.filters, kept);
  return { input: { ...input, filters }, problems };
}

/** The columns of the caller's own results: as many rows as a filter takes, and one more. */
function columnsOf({ kept, principal }: Call): (id: string) => Promise<KeptColumns | undefined> {
  return async (id) => {
    const found = await kept.page(principal, id, { offset: 0, limit: MAX_FILTER_VALUES + 1 });
    return found && { columns: found.stored.answer.columns, rows: found.rows };
  };
}

async function answerJob(input: unknown, call: Call, taking: Taking): Promise<Rowless> {
  const spec = await stage(call, "parse", () => parse(input, call, JOB_LIMITS.rows));
  const asking = { ...call, timed: <T>(name: Stage, work: () => T | Promise<T>) => stage(call, name, work) };
  const { execution } = call;
  const plan = await planned(spec, call);
  const statement = await compiled(plan, call);
  return answerAtLength({ spec, plan, statement }, asking, { ...taking, execution, database: await call.database() });
}

async function startJob(request: StartRequest, call: Call): Promise<Job> {
  const { priority, idempotencyKey } = parseStart(request);
  const spec = { ...(await parse(request.spec, call, JOB_LIMITS.rows)), dry_run: false };
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
      next: "Run the spec again; results are kept for a day, or until the server restarts.",
    });
  if (offset === undefined || (offset > 0 && offset >= found.rowCount))
    throw new AppError("NOT_FOUND", "This cursor is not one of this result's.", { next: "Leave out cursor for the first page." });
  const { stored, rows, rowCount } = found;
  return pageOfRows(id, stored, { rows, offset, of: rowCount, cacheSeconds: cacheSeconds(stored, Date.now()) });
}

async function listValues(request: ValuesRequest, call: Call): Promise<ValueList> {
  const wanted = parseValuesRequest(request, call.published);
  const statement = compileValues(wanted, call.principal, call.catalog);
  return valueList(wanted.dimension, await call.execution.read(call.principal.tenant, statement, call.signal));
}

function openNumber(request: DrillRequest, call: Call): Promise<DrillResult> {
  return drillDown(request, { ...call, results: call.kept, read: reader(call) });
}

function search(request: SearchRequest, call: Call): Promise<SearchResult> {
  return findIssues(request, { ...call, keptColumns: columnsOf(call), read: reader(call) });
}

/** Reads for the caller's tenant, in turn. */
function reader(call: Call): (statement: BoundStatement) => Promise<Rows> {
  const { principal, execution, signal } = call;
  return (statement) => stage(call, "execute", () => execution.read(principal.tenant, statement, signal));
}

/** Runs one stage, timed. */
async function stage<T>({ onStage, observe, principal }: Call, name: Stage, work: () => T | Promise<T>): Promise<T> {
  onStage?.(name);
  const startMs = performance.now();
  try {
    return await work();
  } finally {
    observe({ kind: "stage_finished", stage: name, tenantId: principal.tenant.id, durationMs: performance.now() - startMs });
  }
}
