import { LRUCache } from "lru-cache";
import type { BoundStatement, Rows } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import type { Tenant } from "../tenant.ts";
import { type Estimate, readEstimate, workOf } from "./estimate.ts";
import { ADMISSION_LIMITS } from "./limits.ts";

/** First and last day of a tenant's data, as the planning stage takes them. */
export interface Span {
  readonly firstDay: string;
  readonly lastDay: string;
}

/** What is explained to know how heavy a question is. */
export interface Weighing {
  /** Buckets of the answer. */
  readonly buckets: number;
  /** Statement to explain; not yet an EXPLAIN. */
  readonly statement: BoundStatement;
  /** Statement whose rows are the answer's groups; null where there is one. */
  readonly groups: BoundStatement | null;
  /** Whether a row can count under several groups, so that the tables' rows do not bound the answer's. */
  readonly multiplies: boolean;
}

/** A question as admission sees it. */
export interface Weighable {
  readonly tenant: Tenant;
  /** Names the tenant's present data; null where it has none. */
  readonly dataVersion: string | null;
  /** What decides how heavy it is: an estimate is remembered under it. JSON. */
  readonly about: unknown;
  readonly shapeStatement: () => BoundStatement;
  readonly weigh: (span: Span | null) => Weighing;
}

export type Verdict =
  /** Not explained: the tenant's data cannot make any statement heavy. */
  | { readonly kind: "small" }
  | { readonly kind: "admitted"; readonly work: number }
  /** Looks too heavy; may run for `trialMs` to prove the estimate wrong. */
  | { readonly kind: "trial"; readonly work: number }
  | { readonly kind: "refused"; readonly work: number };

/** Runs a statement as the question's tenant, bounded by ADMISSION_LIMITS.lookMs. */
export type Look = (statement: BoundStatement) => Promise<Rows>;

/** Judges how heavy a question is before it runs. */
export interface Admission {
  judge(question: Weighable, look: Look): Promise<Verdict>;
  /** Explains in any case, for a dry run. */
  explain(question: Weighable, look: Look): Promise<{ readonly estimate: Estimate; readonly work: number; readonly verdict: Verdict }>;
  /** Remembers that a trial ran out of time, so that the same question is refused at once. */
  failed(question: Weighable, work: number): void;
}

interface DataShape {
  readonly span: Span | null;
  readonly mostRows: number;
}

/** One process's admission, with what it remembers of estimates and of the data they were made on. */
export function createAdmission(observe: Observe): Admission {
  const { rememberMs, rememberFailureMs, remembered } = ADMISSION_LIMITS;
  const verdicts = new LRUCache<string, Verdict>({ max: remembered, ttl: rememberMs });
  const shapes = new LRUCache<string, DataShape>({ max: remembered, ttl: rememberMs });
  const shapeOf = async ({ tenant, dataVersion, shapeStatement }: Weighable, look: Look): Promise<DataShape> => {
    const key = `${tenant.id} ${dataVersion}`;
    const known = shapes.get(key);
    if (known !== undefined) return known;
    const shape = readShape(await look(shapeStatement()));
    if (dataVersion !== null) shapes.set(key, shape);
    return shape;
  };
  const judge = async (question: Weighable, look: Look): Promise<Verdict> => {
    const { dataVersion, tenant } = question;
    const key = JSON.stringify([tenant.id, dataVersion, question.about]);
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const { span, mostRows } = await shapeOf(question, look);
    const weighing = question.weigh(span);
    if (isSmall(mostRows, weighing)) return { kind: "small" };
    const verdict = verdictOf((await weighed(weighing, look)).work);
    if (dataVersion !== null) verdicts.set(key, verdict);
    return verdict;
  };
  return {
    judge: async (question, look) => {
      const verdict = await judge(question, look);
      observe({ kind: "weighed", tenantId: question.tenant.id, verdict: verdict.kind });
      return verdict;
    },
    explain: async (question, look) => {
      const { span, mostRows } = await shapeOf(question, look);
      const weighing = question.weigh(span);
      const { estimate, work } = await weighed(weighing, look);
      return { estimate, work, verdict: isSmall(mostRows, weighing) ? { kind: "small" } : verdictOf(work) };
    },
    failed: ({ tenant, dataVersion, about }, work) => {
      if (dataVersion !== null)
        verdicts.set(JSON.stringify([tenant.id, dataVersion, about]), { kind: "refused", work }, { ttl: rememberFailureMs });
    },
  };
}

async function weighed(
  { statement, groups, buckets }: Weighing,
  look: Look,
): Promise<{ readonly estimate: Estimate; readonly work: number }> {
  const estimate = await explain(statement, look);
  // The rows put together bound the groups, so that these need a look of their own only where it could matter.
  const bound = groups === null ? 1 : estimate.stackedRows;
  const isWithin = workOf(estimate, { buckets, groups: bound }) <= ADMISSION_LIMITS.work;
  const count = groups === null || isWithin ? bound : (await explain(groups, look)).stackedRows;
  return { estimate, work: workOf(estimate, { buckets, groups: count }) };
}

async function explain({ text, values }: BoundStatement, look: Look): Promise<Estimate> {
  return readEstimate(await look({ text: `explain (format json) ${text}`, values }));
}

function readShape({ rows }: Rows): DataShape {
  const [firstDay, lastDay, mostRows] = rows[0] ?? [];
  const span = typeof firstDay === "string" && typeof lastDay === "string" ? { firstDay, lastDay } : null;
  return { span, mostRows: Number(mostRows ?? 0) };
}

/** Each row lands in at most one group of each bucket, so rows × buckets bound what can be computed. */
function isSmall(mostRows: number, { buckets, multiplies }: Weighing): boolean {
  return !multiplies && mostRows <= ADMISSION_LIMITS.countedRows && mostRows * buckets <= ADMISSION_LIMITS.smallWork;
}

function verdictOf(work: number): Verdict {
  if (work <= ADMISSION_LIMITS.work) return { kind: "admitted", work };
  return { kind: work <= ADMISSION_LIMITS.hopelessWork ? "trial" : "refused", work };
}

/** The one place that says what to do with a question that is too heavy for a conversation. */
export function tooLarge(work: number, asJob: string): AppError {
  const { work: limit, trialMs, hopelessWork } = ADMISSION_LIMITS;
  const tried = work <= hopelessWork ? `, and ${trialMs / 1000} s did not suffice to answer it all the same` : "";
  return new AppError(
    "TOO_LARGE",
    `The question is estimated at ${inWords(work)} units of work; while a conversation waits ${inWords(limit)} are the limit${tried}.`,
    { next: `Call ${asJob}, then get_job; or ask for a shorter time range, a coarser grain, fewer dimensions, or one project.` },
  );
}

/** What a dry run says of it, one sentence. */
export function admissionNote(verdict: Verdict): string {
  const { work: limit, trialMs } = ADMISSION_LIMITS;
  if (verdict.kind === "small") return "It would run: the tenant's data is small.";
  const estimated = `estimated at ${inWords(verdict.work)} units of work, limit ${inWords(limit)}`;
  if (verdict.kind === "admitted") return `It would run: ${estimated}.`;
  if (verdict.kind === "trial") return `It would be tried for ${trialMs / 1000} s and then refused as TOO_LARGE: ${estimated}.`;
  return `It would be refused as TOO_LARGE: ${estimated}.`;
}

function inWords(work: number): string {
  return Math.round(work).toLocaleString("en-US");
}
