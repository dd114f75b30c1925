import { AppError } from "../errors.ts";
import type { Principal } from "../tenant.ts";
import type { Follow } from "./follow.ts";
import { hashOf, isFinished, type Job, type JobHandle, type Priority } from "./job.ts";
import type { JobStore } from "./job-store.ts";
import { QUEUE_LIMITS } from "./limits.ts";
import type { JobQueue } from "./queue.ts";
import type { StoredPage, StoredResults } from "./results.ts";

/** A question to be answered later. */
export interface JobRequest {
  /** Canonical. JSON. */
  readonly spec: unknown;
  readonly priority: Priority;
  readonly idempotencyKey: string | null;
}

export interface WaitOptions {
  /** At most so long, in milliseconds, until the job has ended. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  /** Told how the job stands whenever it has moved. */
  readonly onProgress?: (job: Job) => void;
}

/** Where callers order jobs and ask for them. Somebody else's job is NOT_FOUND, like one that never was. */
export interface JobDesk {
  /** Throws BUSY where the tenant has too many, SPEC_INVALID for a key used otherwise, UNAVAILABLE. */
  start(principal: Principal, request: JobRequest): Promise<Job>;
  get(principal: Principal, jobId: string, options: WaitOptions): Promise<Job>;
  /** The job as it then is: cancelled, or as it ended before. */
  cancel(principal: Principal, jobId: string): Promise<Job>;
  /** Rows of what a job found; undefined where there is no such result for this caller. */
  page(
    principal: Principal,
    resultId: string,
    bounds: { readonly offset: number; readonly limit: number },
  ): Promise<StoredPage | undefined>;
}

/** What happens to jobs in this process, for whoever waits for one. */
export interface JobEvents {
  /** A job has moved. */
  readonly moved: (handle: JobHandle) => void;
  readonly listen: (listener: (handle: JobHandle) => void) => () => void;
  /** Ends a job that this process runs. */
  readonly end: (handle: JobHandle) => void;
  readonly onEnd: (listener: (handle: JobHandle) => void) => () => void;
}

export function jobEvents(): JobEvents {
  const listeners = new Set<(handle: JobHandle) => void>();
  const enders = new Set<(handle: JobHandle) => void>();
  const on = (set: Set<(handle: JobHandle) => void>) => (listener: (handle: JobHandle) => void) => {
    set.add(listener);
    return () => void set.delete(listener);
  };
  return {
    moved: (handle) => listeners.forEach((listener) => listener(handle)),
    listen: on(listeners),
    end: (handle) => enders.forEach((ender) => ender(handle)),
    onEnd: on(enders),
  };
}

export interface DeskParts {
  readonly store: JobStore;
  readonly results: StoredResults;
  readonly queue: () => Promise<JobQueue>;
  readonly events: JobEvents;
  readonly follow: Follow;
}

const LOOK_FIRST_MS = 100;
const LOOK_LAST_MS = 1_000;

export function jobDesk({ store, results, queue, events, follow }: DeskParts): JobDesk {
  return {
    start: async (principal, request) => {
      const line = await queue();
      const next = await line.next();
      const { job, place } = await store.order({ ...request, specHash: hashOf(request.spec), principal, next });
      const handle = { tenantId: principal.tenant.id, jobId: job.job_id };
      follow(principal, job);
      // Also where it was ordered before: the line takes a job once, and whoever died in between had not put it there.
      if (job.state !== "queued") return job;
      try {
        await line.add(handle, place);
      } catch (error) {
        await store.forget(handle);
        throw error;
      }
      events.moved(handle);
      return job;
    },
    get: async (principal, jobId, options) => {
      const job = await waitFor(principal, jobId, { ...options, store, queue, events });
      follow(principal, job);
      return job;
    },
    cancel: async (principal, jobId) => {
      if (!isJobId(jobId)) throw noSuchJob();
      const job = await store.cancel(principal, jobId);
      if (job === undefined) throw noSuchJob();
      const handle = { tenantId: principal.tenant.id, jobId };
      events.end(handle);
      events.moved(handle);
      return job;
    },
    page: (principal, resultId, bounds) => results.page(principal, resultId, bounds),
  };
}

async function waitFor(
  principal: Principal,
  jobId: string,
  { waitMs, signal, onProgress, store, queue, events }: WaitOptions & Pick<DeskParts, "store" | "queue" | "events">,
): Promise<Job> {
  if (!isJobId(jobId)) throw noSuchJob();
  const deadlineMs = performance.now() + waitMs;
  let lookMs = LOOK_FIRST_MS;
  let told = "";
  for (;;) {
    const found = await store.find(principal, jobId);
    if (found === undefined) throw noSuchJob();
    const { job, place } = found;
    const now = JSON.stringify([job.state, job.progress]);
    if (now !== told) onProgress?.(job);
    told = now;
    if (job.state === "queued" && Date.now() - Date.parse(job.created_at) > QUEUE_LIMITS.missedMs)
      await (await queue()).add({ tenantId: principal.tenant.id, jobId }, place);
    const leftMs = deadlineMs - performance.now();
    if (isFinished(job) || leftMs <= 0 || signal?.aborted === true) return job;
    await moved({ tenantId: principal.tenant.id, jobId }, events, { ms: Math.min(lookMs, leftMs), signal });
    lookMs = Math.min(lookMs * 2, LOOK_LAST_MS);
  }
}

/** Settles when the job moves in this process, after `ms`, or when the caller has gone. */
function moved(
  handle: JobHandle,
  events: JobEvents,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = events.listen(({ tenantId, jobId }) => {
    if (tenantId === handle.tenantId && jobId === handle.jobId) resolve();
  });
  const onAbort = (): void => resolve();
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    stop();
    signal?.removeEventListener("abort", onAbort);
  });
}

const isJobId = (text: string): boolean => /^job_[\w-]{22}$/.test(text);

function noSuchJob(): AppError {
  return new AppError("NOT_FOUND", "There is no job with this id.", {
    next: `Start it with start_job; jobs are kept for ${QUEUE_LIMITS.keptHours} hours.`,
  });
}
