import { setTimeout as sleep } from "node:timers/promises";
import { AppError, type ErrorCode, toAppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";
import type { JobEvents } from "./desk.ts";
import type { JobHandle } from "./job.ts";
import type { Claim, ClaimedJob } from "./claim.ts";
import type { Attempt, JobStore } from "./job-store.ts";
import { QUEUE_LIMITS } from "./limits.ts";
import type { Handled, JobQueue } from "./queue.ts";
import { resultPacker } from "./results.ts";
import { handleTask, type TaskParts } from "./tasks.ts";

/** How one attempt is bounded and followed. */
export interface AttemptOptions {
  readonly signal: AbortSignal;
  readonly onStage: (stage: string) => void;
  /** Takes the answer's rows as they come; the next ones come when it has settled. */
  readonly onRows: (rows: readonly (readonly unknown[])[]) => Promise<void>;
}

/** Answers a job's spec through the product's pipeline: all of the answer but its rows, which went to `onRows`. */
export type AnswerJob = (principal: Principal, spec: unknown, options: AttemptOptions) => Promise<unknown>;

export interface WorkerParts {
  readonly store: JobStore;
  readonly queue: JobQueue;
  readonly events: JobEvents;
  readonly answer: AnswerJob;
  /** Whom the job is for, by the tenant under whose wall its row was found. Throws where the tenant is gone. */
  readonly principalOf: (tenantId: number, job: ClaimedJob) => Promise<Principal>;
  readonly tenantIds: TaskParts["tenantIds"];
  readonly tenantTasks: TaskParts["tenantTasks"];
  readonly limits: { readonly running: number; readonly runningPerTenant: number };
  readonly observe: Observe;
}

/** Runs jobs until it is closed; what runs then is put back in line. */
export interface JobWorker {
  close(): Promise<void>;
}

/** Failures that may be gone at the next attempt; a wrong or too large question stays so. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "BUSY", "AUDIT_UNAVAILABLE"]);

const keyOf = ({ tenantId, jobId }: JobHandle): string => `${tenantId} ${jobId}`;

export function startWorker(parts: WorkerParts): JobWorker {
  const running = new Map<string, { readonly controller: AbortController; readonly handled: Promise<Handled> }>();
  const closing = new AbortController();
  const stop = parts.events.onEnd((handle) => running.get(keyOf(handle))?.controller.abort());
  const worker = parts.queue.work({
    concurrency: parts.limits.running,
    handle: (handle) => {
      const key = keyOf(handle);
      // Handed out again because its place was not renewed in time: it runs here all the same.
      const same = running.get(key);
      if (same !== undefined) return same.handled;
      const controller = new AbortController();
      const handled = handleJob(handle, controller, parts, () => closing.signal.aborted).finally(() => running.delete(key));
      running.set(key, { controller, handled });
      return handled;
    },
    task: (task, onProgress) => handleTask(task, { signal: closing.signal, onProgress }, parts),
  });
  return {
    close: async () => {
      closing.abort();
      for (const { controller } of running.values()) controller.abort();
      await worker.close();
      stop();
    },
  };
}

async function handleJob(handle: JobHandle, controller: AbortController, parts: WorkerParts, isClosing: () => boolean): Promise<Handled> {
  const { store, events, observe, limits } = parts;
  if (isClosing()) return { kind: "retry" };
  const claim = await store.claim(handle, limits.runningPerTenant);
  events.moved(handle);
  if (claim.kind === "gone") return { kind: "finished" };
  if (claim.kind === "wait") return putOff(handle, claim, parts);
  // Whoever came before its turn was put off, though there is a place.
  await callNext(handle, parts);
  const attempt: Attempt = { ...handle, attempt: claim.job.attempt };
  const startMs = performance.now();
  const ended = (outcome: "ok" | ErrorCode): void =>
    observe({ kind: "job_ended", tenantId: handle.tenantId, attempt: attempt.attempt, outcome, durationMs: performance.now() - startMs });
  try {
    const isDone = await runAttempt(attempt, claim.job, controller, parts);
    ended(isDone ? "ok" : "CANCELLED");
    return { kind: "finished" };
  } catch (thrown) {
    const error = toAppError(thrown);
    ended(error.code);
    if (error.code === "INTERNAL") observe({ kind: "unexpected_error", where: "job", error: error.details.cause ?? error });
    return await afterFailure(attempt, error, parts, isClosing());
  } finally {
    events.moved(handle);
    await callNext(handle, parts);
  }
}

async function putOff(handle: JobHandle, { missed }: Extract<Claim, { kind: "wait" }>, parts: WorkerParts): Promise<Handled> {
  if (missed !== undefined) await parts.queue.add(missed.handle, missed.place);
  // A place may have become free before there was anybody to call back.
  return { kind: "later", afterMs: QUEUE_LIMITS.putOffMs, onceAside: () => callNext(handle, parts) };
}

/** Calls the tenant's next job back, where it was put off and there is a place for it. */
async function callNext({ tenantId }: JobHandle, { store, queue, limits, observe }: WorkerParts): Promise<void> {
  try {
    const next = await store.firstToRun(tenantId, limits.runningPerTenant);
    if (next !== undefined) await queue.callBack(next);
  } catch (error) {
    // It comes back by itself, a little later.
    observe({ kind: "queue_lost", reason: toAppError(error).message });
  }
}

/** True where the job is done and its result stored; false where somebody had ended it by then. */
async function runAttempt(attempt: Attempt, job: ClaimedJob, controller: AbortController, parts: WorkerParts): Promise<boolean> {
  const { store, events, answer, principalOf } = parts;
  const state = { stage: "parse", rows: 0 };
  const over = new AbortController();
  const followed = follow(attempt, state, { controller, over: over.signal }, parts);
  try {
    const principal = await principalOf(attempt.tenantId, job);
    const packer = resultPacker();
    const found = await answer(principal, job.spec, {
      signal: controller.signal,
      onStage: (stage) => {
        state.stage = stage;
      },
      onRows: async (rows) => {
        state.rows += rows.length;
        events.moved(attempt);
        await packer.add(rows);
      },
    });
    if (controller.signal.aborted) throw new AppError("CANCELLED", "The job was cancelled.");
    return await store.done(attempt, job.owner, packer.pack(found));
  } finally {
    over.abort();
    await followed;
  }
}

/** Notes how far the attempt is, and ends it where it is no longer wanted: cancelled, also by another process. */
async function follow(
  attempt: Attempt,
  state: { readonly stage: string; readonly rows: number },
  { controller, over }: { readonly controller: AbortController; readonly over: AbortSignal },
  { store, observe }: WorkerParts,
): Promise<void> {
  while (!over.aborted) {
    await sleep(QUEUE_LIMITS.lookMs, undefined, { signal: over }).catch(() => undefined); // over: nothing more to look for
    if (over.aborted) return;
    try {
      if (!(await store.progress(attempt, state.stage, state.rows))) controller.abort();
    } catch (error) {
      // The next look may get through; the attempt itself meets the same trouble.
      observe({ kind: "queue_lost", reason: toAppError(error).message });
    }
  }
}

async function afterFailure(attempt: Attempt, error: AppError, { store }: WorkerParts, isClosing: boolean): Promise<Handled> {
  const isOurs = isClosing && error.code === "CANCELLED";
  if (isOurs || (PASSING.has(error.code) && attempt.attempt < QUEUE_LIMITS.attempts))
    return (await store.putBack(attempt, !isOurs)) ? { kind: "retry" } : { kind: "finished" };
  // Writes nothing where it was cancelled: the row says so already.
  await store.failed(attempt, error);
  return { kind: "finished" };
}
