import type { Database } from "../db/database.ts";

/** Bounds of waiting and running in the background; what one job may do is JOB_LIMITS of execute/limits.ts. */
export const QUEUE_LIMITS = {
  /** Jobs of one tenant that wait or run; one more is BUSY. */
  openPerTenant: 100,
  /** What a caller is then told to wait, in seconds. */
  retrySeconds: 30,
  /** How often a job is tried in all: after a failure that may pass, or when its worker died. */
  attempts: 3,
  /** Wait before the second attempt; doubled before the third, in milliseconds. */
  backoffMs: 1_000,
  /** And no longer than this, also while the job's row cannot be reached. */
  longestBackoffMs: 10_000,
  /** How often a running job is looked at for its cancellation, and tells how far it is, in milliseconds. */
  lookMs: 300,
  /** How long a job's place is left to a worker that does not renew it, and how often that is looked for, in milliseconds. */
  lockMs: 20_000,
  stalledMs: 5_000,
  /** How long a job whose tenant has enough running is put off at most, in milliseconds: the end of another calls it back. */
  putOffMs: 5_000,
  /** How long a waiting job may be missing in the line before it is put there again, in milliseconds. */
  missedMs: 10_000,
  /** How long jobs and what they found are kept, in hours. */
  keptHours: 24,
  /** Stored bytes of one tenant's results, compressed; the oldest leave first. */
  tenantBytes: 256 * 2 ** 20,
  /** Of one result. */
  resultBytes: 48 * 2 ** 20,
} as const;

/** Bounds of the answers of calls, which are written to the database behind the call. */
export const ANSWER_LIMITS = {
  /** Stored answers of one tenant, in number and in bytes; the oldest leave first. */
  perTenant: 5_000,
  tenantBytes: 64 * 2 ** 20,
  /** Answers of a tenant that a process writes before it looks again whether these are too many: by so many there may be more for a while. */
  unlooked: 100,
  /** Up to so many rows are kept beside the answer, more in a compressed piece of their own. */
  fewRows: 100,
  /** Answers that wait to be written, in number and in bytes as they are in memory; of more the oldest are never written. */
  waiting: 2_000,
  waitingBytes: 32 * 2 ** 20,
  /** Pause after a write that failed; doubled with each further one, up to the longest, in milliseconds. */
  backoffMs: 1_000,
  longestBackoffMs: 30_000,
} as const;

/** When answers are written, and how many in one transaction. */
export interface WritePace {
  /** Once none has come for so long, in milliseconds. */
  readonly idleMs: number;
  /** No later than this after the first that waits. */
  readonly longestMs: number;
  readonly batch: number;
}

/** The embedded database's one session is left to those who wait for an answer. */
export const WRITE_PACE: Readonly<Record<Database["mode"], WritePace>> = {
  native: { idleMs: 30, longestMs: 250, batch: 50 },
  embedded: { idleMs: 300, longestMs: 3_000, batch: 10 },
};

/** Bounds of what the clock asks for of one tenant. */
export const TASK_LIMITS = {
  /** After so long a task makes way for jobs and other tenants, and goes on behind them, in milliseconds. */
  sliceMs: 2_000,
  /** How long a task that failed is put off; doubled with each further failure, up to the longest, in milliseconds. */
  backoffMs: 5_000,
  longestBackoffMs: 600_000,
} as const;

/** Jobs that one process runs at once, and of these one tenant's over all processes. Embedded: one session serves all. */
export const WORKER_LIMITS: Readonly<Record<Database["mode"], { readonly running: number; readonly runningPerTenant: number }>> = {
  native: { running: 3, runningPerTenant: 2 },
  embedded: { running: 1, runningPerTenant: 1 },
};
