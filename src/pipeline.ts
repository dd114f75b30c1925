import type { ResultStore } from "./cache/result-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { catalogViews } from "./catalog/narrow.ts";
import type { Database, Rows } from "./db/database.ts";
import { AppError, toAppError } from "./errors.ts";
import { readEstimate } from "./execute/estimate.ts";
import { INTERACTIVE_LIMITS } from "./execute/limits.ts";
import { readAsTenant } from "./execute/tenant-transaction.ts";
import type { Observe, Stage } from "./observe/observation.ts";
import { buildPlan } from "./plan/build.ts";
import { explainedResult, metaOf } from "./result/meta.ts";
import { withNearestValues } from "./result/missing-values.ts";
import { approximateBytes, INLINE_ROWS, pageOf, readCursor, type StoredResult } from "./result/page.ts";
import type { Result, ValueList } from "./result/result.ts";
import { type Answer, shape } from "./result/shape.ts";
import { parseSpec } from "./spec/parse.ts";
import { type PageRequest, parsePageLimit, parseValuesRequest, type ValuesRequest } from "./spec/requests.ts";
import type { Spec } from "./spec/spec.ts";
import { compile } from "./sql/compile.ts";
import type { Statement } from "./sql/fragment.ts";
import { compileValues, explained } from "./sql/values.ts";
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
}

/** What the product is made of; built once by app.ts. */
export interface PipelineParts {
  readonly catalog: Catalog;
  /** Opens behind the first answers that need no data. */
  readonly database: () => Promise<Database>;
  readonly results: ResultStore<StoredResult>;
  readonly observe: Observe;
  readonly now: () => Date;
}

type Call = PipelineParts & CallOptions & { readonly principal: Principal; readonly published: Catalog };

export function createPipeline(parts: PipelineParts): Pipeline {
  const viewOf = catalogViews(parts.catalog);
  const catalogFor = ({ allowed }: Principal): Catalog => viewOf(allowed.metrics);
  const callOf = (principal: Principal, options: CallOptions = {}): Call => ({
    ...parts,
    ...options,
    principal,
    published: catalogFor(principal),
  });
  return {
    catalog: parts.catalog,
    catalogFor,
    run: (principal, input, options) => onlyAppErrors(() => runSpec(input, callOf(principal, options))),
    page: (principal, request) => onlyAppErrors(() => readPage(request, callOf(principal))),
    values: (principal, request, options) => onlyAppErrors(() => listValues(request, callOf(principal, options))),
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
  const { catalog, results, principal } = call;
  const { tenant } = principal;
  const spec = await stage(call, "parse", () => parse(input, call));
  const plan = await stage(call, "plan", () => buildPlan(spec, { catalog, now: call.now(), weekStart: tenant.weekStart }));
  const statement = await stage(call, "compile", () => compile(plan, principal, catalog));
  if (spec.dry_run) {
    const estimate = readEstimate(await stage(call, "execute", () => execute(explained(statement), call)));
    return explainedResult({ plan, statement: statement.text, estimate }, { spec, plan, catalog });
  }
  const startMs = performance.now();
  const rows = await stage(call, "execute", () => execute(statement, call));
  const queryTimeMs = Math.round((performance.now() - startMs) * 10) / 10;
  const answer = await stage(call, "shape", () => complete(shape(rows, { spec, plan, catalog }), call));
  const stored: StoredResult = { answer, queryTimeMs, meta: metaOf(spec, answer, catalog) };
  const id = results.put(principal, stored, approximateBytes(answer.rows));
  return pageOf(id, stored, { offset: 0, limit: INLINE_ROWS });
}

function parse(input: unknown, { published, principal, observe }: Call): Spec {
  const { tenant } = principal;
  const parsed = parseSpec(input, { catalog: published, defaultTimezone: tenant.timezone, maxRows: INTERACTIVE_LIMITS.rows });
  if ("spec" in parsed) return parsed.spec;
  observe({ kind: "spec_refused", tenantId: tenant.id, codes: parsed.problems.map((problem) => problem.code) });
  const count = parsed.problems.length === 1 ? "a problem" : `${parsed.problems.length} problems`;
  const next = "Mend the spec and call again; list_metrics and list_values give valid names.";
  throw new AppError("SPEC_INVALID", `The spec has ${count}; nothing was run.`, { problems: parsed.problems, next });
}

async function execute(statement: Statement, { database, principal, signal, observe }: Call): Promise<Rows> {
  const options = { timeoutMs: INTERACTIVE_LIMITS.timeoutMs, observe, ...(signal === undefined ? {} : { signal }) };
  return readAsTenant(await database(), principal.tenant, statement, options);
}

/** Looks up what was probably meant by filter values that the data does not have. */
async function complete(answer: Answer, call: Call): Promise<Answer> {
  // The answer stands without the hint, so a look-up that fails takes only the hint away.
  const known = (dimension: string) =>
    listValues({ dimension, limit: 200 }, call).then(
      ({ values }) => values.map(({ value }) => value),
      () => [],
    );
  return withNearestValues(answer, known);
}

function readPage({ result_id: id, cursor, limit }: PageRequest, { results, principal }: Call): Result {
  const count = parsePageLimit(limit, { default: INLINE_ROWS, max: INTERACTIVE_LIMITS.rows });
  const stored = results.get(principal, id);
  const offset = cursor === undefined || cursor === null ? 0 : readCursor(cursor);
  if (!stored)
    throw new AppError("NOT_FOUND", "There is no result with this id.", {
      next: "Run the spec again; results are kept for a day, or until the server restarts.",
    });
  if (offset === undefined || (offset > 0 && offset >= stored.answer.rows.length))
    throw new AppError("NOT_FOUND", "This cursor is not one of this result's.", { next: "Leave out cursor for the first page." });
  return pageOf(id, stored, { offset, limit: count });
}

async function listValues(request: ValuesRequest, call: Call): Promise<ValueList> {
  const wanted = parseValuesRequest(request, call.published);
  const { rows } = await execute(compileValues(wanted, call.principal, call.catalog), call);
  const values = rows.map(([value, issues]) => ({ value: value as string | null, issues: Number(issues) }));
  const total = Number(rows[0]?.[2] ?? 0);
  return { dimension: wanted.dimension, values, total, truncated: values.length < total };
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
