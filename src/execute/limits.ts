/** Bounds of one call (CONTRACT.md section 3). This file is the only place where the bounds of running are numbers. */
export const INTERACTIVE_LIMITS = { rows: 1_000, timeoutMs: 30_000 } as const;

/** Bounds of one job; what waits and runs beside it is in src/jobs/limits.ts. */
export const JOB_LIMITS = {
  rows: 100_000,
  timeoutMs: 300_000,
  /** Rows fetched at once, and kept in one piece. */
  batchRows: 1_000,
} as const;

/** How long a reading transaction waits for a lock (a migration's, an import's), in milliseconds. */
export const LOCK_TIMEOUT_MS = 2_000;

/** What may run and wait in front of the database, in one process. */
export interface GateLimits {
  /** Statements that run at once. */
  readonly running: number;
  /** Of these, one tenant's. */
  readonly runningPerTenant: number;
  /** Calls of one tenant that wait; one more is BUSY at once. */
  readonly waitingPerTenant: number;
  /** How long a call waits before it is BUSY, in milliseconds. */
  readonly waitMs: number;
}

/** What a call is told to wait that found no place, in seconds. */
export const BUSY_RETRY_SECONDS = 5;

/**
 * Native: two less than the pool, which keeps connections for reading the data's version. Two a tenant: see bench/fairness.
 * Embedded: one session serves all, so a second statement would only wait inside instead of outside.
 */
export const GATE_LIMITS: Readonly<Record<"native" | "embedded", GateLimits>> = {
  native: { running: 8, runningPerTenant: 2, waitingPerTenant: 200, waitMs: 10_000 },
  embedded: { running: 1, runningPerTenant: 1, waitingPerTenant: 200, waitMs: 10_000 },
};

/** Reading the version of a tenant's data, before every answer: takes the connections that GATE_LIMITS leaves, and never long. */
export const VERSION_LIMITS: GateLimits = { running: 2, runningPerTenant: 1, waitingPerTenant: 1_000, waitMs: 5_000 };

/**
 * What is too heavy while a conversation waits; calibrated on real data by bench/admission (docs/adr/0008). Work is the planner's cost,
 * corrected by what it cannot know: how many buckets there are, and how many groups each has.
 */
export const ADMISSION_LIMITS = {
  /** Up to this a statement simply runs; about 5 s. */
  work: 2_000_000,
  /** Beyond this it is refused unseen. */
  hopelessWork: 100_000_000,
  /** Between the two it gets this long to prove the estimate wrong, in milliseconds. */
  trialMs: 8_000,
  /** Rows × buckets of a tenant up to which no statement can be heavy, so that none is explained. */
  smallWork: 300_000,
  /** Rows of one table that are counted at most, to know that a tenant is small. */
  countedRows: 20_000,
  /** How long an estimate is remembered, and how many are. */
  rememberMs: 600_000,
  /** How long a question whose trial ran out of time is refused at once: not for ever, since the machine may just have been busy. */
  rememberFailureMs: 120_000,
  remembered: 5_000,
  /** Bound on explaining and on reading what the data is like, in milliseconds. */
  lookMs: 5_000,
} as const;

/** When a statement may run by a plan that the server keeps, which spares up to 1.4 ms of planning (bench/overhead). */
export const KEPT_PLAN_LIMITS = {
  /** A statement that took longer when planned for its own values is planned so always: planning is a small part of it. */
  freshMs: 20,
  /** By a kept plan it gets this many times as long as it took, and at least so many milliseconds, before it is planned afresh. */
  slower: 4,
  leastMs: 50,
  /** How long it is remembered how long a statement took, and of how many. */
  rememberMs: 600_000,
  remembered: 5_000,
} as const;

/** How long and how much answers are kept. */
export const CACHE_LIMITS = {
  lifetimeMs: 300_000,
  maxBytes: 64 * 2 ** 20,
  /** One tenant's part of it. */
  maxTenantBytes: 16 * 2 ** 20,
  /** A larger answer is not kept. */
  maxEntryBytes: 2 ** 20,
} as const;

/** Answers made afresh in the background when a tenant's data has changed. */
export const WARM_UP_LIMITS = {
  /** Specs of a tenant that are run again, the most asked first. */
  specs: 5,
  /** Specs whose asking is counted, per tenant, and tenants. */
  countedSpecs: 50,
  countedTenants: 200,
  /** How often a spec must have been asked. */
  minAsked: 2,
  /** A tenant that asked nothing for so long is left alone, in milliseconds. */
  idleMs: 3_600_000,
  /** Answers that expire so soon are made anew by the clock, for a tenant that asked something as lately as this, in milliseconds. */
  soonMs: 90_000,
  latelyMs: 900_000,
  /** How often a free moment is looked for, and for how long, in milliseconds. */
  lookAgainMs: 250,
  giveUpMs: 60_000,
} as const;
