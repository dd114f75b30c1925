import type { AnswerCache } from "../cache/answer-cache.ts";
import type { BoundStatement, Database, Rows } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import type { Principal, Tenant } from "../tenant.ts";
import {
  type Admission,
  admissionNote,
  createAdmission,
  type Look,
  tooLarge,
  type Weighable,
  type Weighing,
  type Span,
} from "./admission.ts";
import { answerKey } from "./answer-key.ts";
import { fairGate, type Gate } from "./fair-gate.ts";
import { ADMISSION_LIMITS, CACHE_LIMITS, GATE_LIMITS, type GateLimits, INTERACTIVE_LIMITS, VERSION_LIMITS } from "./limits.ts";
import { type Bounds, createPlanning } from "./planning.ts";
import { singleFlight } from "./single-flight.ts";
import { readAsTenant } from "./tenant-transaction.ts";

/** A statement with all that running it well needs to know. */
export interface Question<T> {
  readonly principal: Principal;
  readonly statement: BoundStatement;
  /** What the answer shows besides its rows; part of its cache key. JSON. */
  readonly about: unknown;
  /** The call that asks the same as a background job. */
  readonly asJob: string;
  /** Reads which data the tenant has: version and microsecond of its import, or no row. */
  readonly versionStatement: BoundStatement;
  /** The same, when its reading has begun: while a question is compiled, the database is idle. */
  readonly version?: Promise<DataVersion | null>;
  /** Reads what the data is like: first day, last day, rows of the largest table. */
  readonly shapeStatement: () => BoundStatement;
  /** What decides how heavy it is: estimates are remembered under it. JSON. */
  readonly weightKey: unknown;
  readonly weigh: (span: Span | null) => Weighing;
  /** Surrounds the running of the statement, for timing. */
  readonly timed: (run: () => Promise<Rows>) => Promise<Rows>;
  /** Makes the answer of the rows; `read` runs further statements under the same bounds. */
  readonly finish: (rows: Rows, read: Look) => Promise<Finished<T>>;
}

export interface Finished<T> {
  /** JSON. */
  readonly value: T;
  /** False where something was left out that another time may have: such an answer is not kept. */
  readonly isWhole: boolean;
  /** The data's version as the statement saw it. */
  readonly dataVersion: string | null;
}

export interface Answered<T> {
  readonly value: T;
  readonly cached: boolean;
  /** Until when a repeated question may be answered from the cache, in milliseconds since 1970; null where it is not kept. */
  readonly expiresAtMs: number | null;
}

/** How one statement is read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** As ReadRequest.keepPlan: only for a statement whose plan for any values is known to be good for all. */
  readonly keepPlan?: boolean;
}

/** How statements are run: in fair turn, admitted by weight, cached, and once for all who ask the same at once. */
export interface Execution {
  /** One statement, in turn. Throws AppError BUSY, TIMEOUT, CANCELLED, UNAVAILABLE, INTERNAL. */
  read(tenant: Tenant, statement: BoundStatement, options?: ReadOptions): Promise<Rows>;
  /** Begins to read which data the tenant has, for a question that is still being compiled. Never rejects unheard. */
  versionOf(tenant: Tenant, statement: BoundStatement, signal?: AbortSignal): Promise<DataVersion | null>;
  /** As `read`, and TOO_LARGE. Aborting ends the statement unless somebody else waits for the same answer. */
  answer<T>(question: Question<T>, signal?: AbortSignal): Promise<Answered<T>>;
  /** What the planner guesses, and whether the question would be admitted; in turn. */
  explain(question: Question<unknown>, signal?: AbortSignal): Promise<{ rows: number; cost: number; work: number; admission: string }>;
  /** Makes an answer anew while nobody asks, unless it is kept beyond `untilMs`: false where there was no free moment for it. */
  refresh(question: Question<unknown>, untilMs: number): Promise<boolean>;
}

export interface ExecutionParts {
  readonly database: () => Promise<Database>;
  readonly observe: Observe;
  /** Absent: nothing is kept. */
  readonly cache?: AnswerCache;
  /** Told at each question which data the tenant has. */
  readonly onDataVersion?: (tenantId: number, version: string) => void;
  /** Aborts when the process closes; ends a refresh. */
  readonly closed?: AbortSignal;
  /** In place of GATE_LIMITS. */
  readonly gateLimits?: GateLimits;
  readonly nowMs?: () => number;
}

/** Which data a tenant has. */
export interface DataVersion {
  readonly number: string;
  /** Tells also databases apart that share a cache. */
  readonly token: string;
}

/** What a statement is read with. */
interface Reading {
  readonly database: Database;
  readonly tenant: Tenant;
  readonly signal?: AbortSignal;
}

export function createExecution(parts: ExecutionParts): Execution {
  return new BoundedExecution(parts);
}

class BoundedExecution implements Execution {
  readonly #parts: ExecutionParts;
  readonly #admission: Admission;
  readonly #planning = createPlanning();
  readonly #flights = singleFlight<Answered<unknown>>();
  readonly #gates = new Map<Database["mode"], Gate>();
  readonly #versionGate = fairGate(VERSION_LIMITS);

  constructor(parts: ExecutionParts) {
    this.#parts = parts;
    this.#admission = createAdmission(parts.observe);
  }

  async read(tenant: Tenant, statement: BoundStatement, { signal, keepPlan = false }: ReadOptions = {}): Promise<Rows> {
    return this.#readInTurn(statement, await this.#reading(tenant, signal), { ...INTERACTIVE_LIMITS, keepPlan });
  }

  versionOf(tenant: Tenant, statement: BoundStatement, signal?: AbortSignal): Promise<DataVersion | null> {
    const reading = this.#reading(tenant, signal).then((begun) => this.#readVersion(statement, begun));
    // Heard when the question is asked; should compiling fail, nobody asks.
    reading.catch(() => undefined);
    return reading;
  }

  async answer<T>(question: Question<T>, signal?: AbortSignal): Promise<Answered<T>> {
    const { tenant } = question.principal;
    const reading = await this.#reading(tenant, signal);
    const version = await this.#versionFor(question, reading);
    // Data that was never imported by us has no version, so that no key could tell it from what it becomes.
    if (version === null) {
      this.#noted(tenant, "off");
      return { value: (await this.#compute(question, version, reading)).value, cached: false, expiresAtMs: null };
    }
    const key = answerKey({ ...question, dataVersion: version.token });
    const kept = await this.#parts.cache?.get(tenant.id, key);
    if (kept !== undefined) {
      this.#noted(tenant, "hit");
      return { value: JSON.parse(kept.text) as T, cached: true, expiresAtMs: kept.expiresAtMs };
    }
    const start = async (ends: AbortSignal): Promise<Answered<T>> => {
      const finished = await this.#compute(question, version, { ...reading, signal: ends });
      return { value: finished.value, cached: false, expiresAtMs: await this.#keep(key, question, { finished, version }) };
    };
    const { done, isFirst } = this.#flights.join(key, start, signal);
    this.#noted(tenant, isFirst ? (this.#parts.cache === undefined ? "off" : "miss") : "joined");
    return (await done) as Answered<T>;
  }

  async explain(question: Question<unknown>, signal?: AbortSignal): ReturnType<Execution["explain"]> {
    const reading = await this.#reading(question.principal.tenant, signal);
    const version = await this.#versionFor(question, reading);
    return this.#inTurn(reading, async () => {
      const { estimate, work, verdict } = await this.#admission.explain(weighableOf(question, version), this.#looking(reading));
      return { rows: estimate.rows, cost: estimate.cost, work, admission: admissionNote(verdict) };
    });
  }

  async refresh(question: Question<unknown>, untilMs: number): Promise<boolean> {
    const { cache, closed } = this.#parts;
    const reading = await this.#reading(question.principal.tenant);
    const version = await this.#versionFor(question, reading);
    if (version === null || cache === undefined) return true;
    const key = answerKey({ ...question, dataVersion: version.token });
    const kept = await cache.get(reading.tenant.id, key);
    if (kept !== undefined && kept.expiresAtMs > untilMs) return true;
    const running = this.#gateOf(reading.database).runIdle(async (signal) => {
      const idle = { ...reading, signal: closed === undefined ? signal : AbortSignal.any([signal, closed]) };
      const rows = await this.#runAdmitted(question, version, idle);
      await this.#keep(key, question, { finished: await question.finish(rows, this.#looking(idle)), version });
    });
    await running;
    return running !== undefined;
  }

  async #reading(tenant: Tenant, signal?: AbortSignal): Promise<Reading> {
    return { database: await this.#parts.database(), tenant, ...(signal === undefined ? {} : { signal }) };
  }

  #gateOf({ mode }: Database): Gate {
    const { observe, gateLimits } = this.#parts;
    const gate = this.#gates.get(mode) ?? fairGate(gateLimits ?? GATE_LIMITS[mode], { observe });
    this.#gates.set(mode, gate);
    return gate;
  }

  #inTurn<T>(reading: Reading, work: () => Promise<T>): Promise<T> {
    return this.#gateOf(reading.database).run(reading.tenant.id, work, reading.signal);
  }

  #run(statement: BoundStatement, { database, tenant, signal }: Reading, bounds: Bounds): Promise<Rows> {
    const { observe } = this.#parts;
    return readAsTenant(database, tenant, statement, { ...bounds, observe, ...(signal === undefined ? {} : { signal }) });
  }

  #readInTurn(statement: BoundStatement, reading: Reading, bounds: Bounds): Promise<Rows> {
    return this.#inTurn(reading, () => this.#run(statement, reading, bounds));
  }

  #looking(reading: Reading): Look {
    return (statement) => this.#run(statement, reading, { timeoutMs: ADMISSION_LIMITS.lookMs });
  }

  #versionFor({ version, versionStatement }: Question<unknown>, reading: Reading): Promise<DataVersion | null> {
    return version ?? this.#readVersion(versionStatement, reading);
  }

  /** Past the queue of statements; but the embedded database has one session for all. */
  async #readVersion(statement: BoundStatement, reading: Reading): Promise<DataVersion | null> {
    const gate = reading.database.mode === "embedded" ? this.#gateOf(reading.database) : this.#versionGate;
    const bounds: Bounds = { timeoutMs: ADMISSION_LIMITS.lookMs, keepPlan: true };
    const { rows } = await gate.run(reading.tenant.id, () => this.#run(statement, reading, bounds), reading.signal);
    const [number, importedAt] = rows[0] ?? [];
    if (typeof number !== "string" || typeof importedAt !== "string") return null;
    const token = `${number}@${importedAt}`;
    this.#parts.onDataVersion?.(reading.tenant.id, token);
    return { number, token };
  }

  async #compute<T>(question: Question<T>, version: DataVersion | null, reading: Reading): Promise<Finished<T>> {
    const rows = await this.#inTurn(reading, () => this.#runAdmitted(question, version, reading));
    return question.finish(rows, (statement) => this.#readInTurn(statement, reading, INTERACTIVE_LIMITS));
  }

  /** Runs what may run; one that looks too heavy only for as long as a light one would need. */
  #runAdmitted(question: Question<unknown>, version: DataVersion | null, reading: Reading): Promise<Rows> {
    const weighable = weighableOf(question, version);
    const run = (bounds: Bounds): Promise<Rows> => this.#run(question.statement, reading, bounds);
    return question.timed(async () => {
      const verdict = await this.#admission.judge(weighable, this.#looking(reading));
      if (verdict.kind === "refused") throw tooLarge(verdict.work, question.asJob);
      if (verdict.kind !== "trial") return reading.database.keepsPlans ? this.#planning.run(weighable, run) : run(INTERACTIVE_LIMITS);
      try {
        return await run({ timeoutMs: ADMISSION_LIMITS.trialMs });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "TIMEOUT") throw error;
        this.#admission.failed(weighable, verdict.work);
        throw tooLarge(verdict.work, question.asJob);
      }
    });
  }

  /** Keeps an answer that is whole and of the very data its key names; says until when. */
  async #keep(
    key: string,
    { principal }: Question<unknown>,
    { finished, version }: { readonly finished: Finished<unknown>; readonly version: DataVersion },
  ): Promise<number | null> {
    const { cache, nowMs = Date.now } = this.#parts;
    if (cache === undefined || !finished.isWhole || finished.dataVersion !== version.number) return null;
    const expiresAtMs = nowMs() + CACHE_LIMITS.lifetimeMs;
    await cache.put(principal.tenant.id, key, { text: JSON.stringify(finished.value), expiresAtMs });
    return expiresAtMs;
  }

  #noted({ id }: Tenant, outcome: "hit" | "miss" | "joined" | "off"): void {
    this.#parts.observe({ kind: "cache_asked", tenantId: id, outcome });
  }
}

function weighableOf(question: Question<unknown>, version: DataVersion | null): Weighable {
  const { principal, weightKey, shapeStatement, weigh } = question;
  return { tenant: principal.tenant, dataVersion: version?.token ?? null, about: weightKey, shapeStatement, weigh };
}
