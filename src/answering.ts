import { AppError } from "./errors.ts";
import { type Call, stage } from "./call.ts";
import { INTERACTIVE_LIMITS, JOB_LIMITS } from "./execute/limits.ts";
import { columnsOf } from "./kept-results.ts";
import { answerAtLength, type Taking } from "./long-answer.ts";
import type { Stage } from "./observe/observation.ts";
import { buildPlan } from "./plan/build.ts";
import type { Plan } from "./plan/plan.ts";
import { questionOf } from "./question.ts";
import { basisOf, explainedResult, metaOf } from "./result/meta.ts";
import { approximateBytes, cacheSeconds, INLINE_ROWS, pageOf, type Rowless, type StoredResult } from "./result/page.ts";
import type { Result } from "./result/result.ts";
import { jobCall } from "./spec/job-call.ts";
import { parseSpec } from "./spec/parse.ts";
import { withResultValues } from "./spec/result-values.ts";
import type { Spec } from "./spec/spec.ts";
import { compile } from "./sql/compile.ts";
import type { Statement } from "./sql/fragment.ts";
import { compileDataVersion } from "./sql/state.ts";

/** Unknown JSON → parse → plan → compile → execute → shape → an answer. */
export async function answerSpec(input: unknown, call: Call): Promise<Result> {
  const { catalog, results, principal, execution, signal } = call;
  const startMs = performance.now();
  const spec = await stage(call, "parse", () => readSpec(input, call));
  const charts = await chartsFor(spec, call);
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
  call.warmUp.asked(principal, spec, expiresAtMs);
  const queryTimeMs = Math.round((performance.now() - startMs) * 10) / 10;
  const plain: StoredResult = { answer, queryTimeMs, cached, expiresAtMs, basis: basisOf(plan), meta: metaOf(spec, answer, catalog) };
  const stored = charts === undefined ? plain : charts.noted(plain);
  const id = results.put(principal, stored, approximateBytes(answer.rows));
  const page = pageOf(id, stored, { offset: 0, limit: INLINE_ROWS, cacheSeconds: cacheSeconds(stored, Date.now()) });
  return charts === undefined ? page : charts.withUri(page);
}

/** What a spec's wish for a chart adds to its answer; undefined of a spec without one. Throws SPEC_INVALID where no rows could fulfil it. */
export async function chartsFor({ chart, ...rest }: Spec, call: Call) {
  if (chart === null) return undefined;
  // Loaded here: most questions wish for no chart.
  const { checkWish, noteOf, withChartUri } = await import("./draw.ts");
  checkWish({ ...rest, chart }, call);
  const noted = (stored: StoredResult): StoredResult => ({ ...stored, meta: { ...stored.meta, chart: noteOf(stored, chart, call) } });
  return { noted, withUri: withChartUri };
}

/** Asks a question again for nobody in particular, with today's ranges, so that the next to ask finds it answered. */
export async function refreshAnswer(spec: Spec, call: Call, untilMs: number): Promise<boolean> {
  const plan = await planned(spec, call);
  const statement = await compiled(plan, call);
  const question = questionOf({ spec, plan, statement }, { ...call, timed: (_name, work) => Promise.resolve(work()) });
  return call.execution.refresh(question, untilMs);
}

function planned(spec: Spec, call: Call): Promise<Plan> {
  const { catalog, now, principal } = call;
  return stage(call, "plan", () => buildPlan(spec, { catalog, now: now(), weekStart: principal.tenant.weekStart }));
}

function compiled(plan: Plan, call: Call): Promise<Statement> {
  return stage(call, "compile", () => compile(plan, call.principal, call.catalog));
}

/** The spec as it is meant, its filters filled from the results that they name. Throws SPEC_INVALID with every problem. */
export async function readSpec(input: unknown, call: Call, maxRows: number = INTERACTIVE_LIMITS.rows): Promise<Spec> {
  const { published, principal, observe } = call;
  const { tenant } = principal;
  const filled = await withFilledFilters(input, call);
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
async function withFilledFilters(input: unknown, { kept, principal }: Call) {
  if (typeof input !== "object" || input === null || !("filters" in input)) return { input, problems: [] };
  const { filters, problems } = await withResultValues(input.filters, columnsOf(kept, principal));
  return { input: { ...input, filters }, problems };
}

export async function answerJobSpec(input: unknown, call: Call, taking: Taking): Promise<Rowless> {
  const spec = await stage(call, "parse", () => readSpec(input, call, JOB_LIMITS.rows));
  const asking = { ...call, timed: <T>(name: Stage, work: () => T | Promise<T>) => stage(call, name, work) };
  const { execution } = call;
  const plan = await planned(spec, call);
  const statement = await compiled(plan, call);
  return answerAtLength({ spec, plan, statement }, asking, { ...taking, execution, database: await call.database() });
}
