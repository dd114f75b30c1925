import {
  createPostgresBackend,
  createRedisBackend,
  DelayedError,
  ErrorCode,
  type Job,
  type PostgresPoolConfig,
  type Queue,
  type QueueOptions,
  type Worker,
  withBackend,
  type WorkerOptions,
} from "bullmq";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import { settledWithin } from "../settled-within.ts";
import type { JobHandle } from "./job.ts";
import { QUEUE_LIMITS, TASK_LIMITS } from "./limits.ts";
import { patient, type Patience } from "./patient-backend.ts";
import type { QueuePage } from "./queue-page.ts";
import type { JobQueue, Place, Task, WorkerOptions as Work } from "./queue.ts";

/** Where the line is kept. */
export type QueueHome =
  /** A pool of the queue's login, whose search_path is BullMQ's schema. */
  | { readonly kind: "postgres"; readonly pool: Pool }
  /** `prefix` keeps the lines of several deployments on one Redis apart. */
  | { readonly kind: "redis"; readonly url: string; readonly prefix: string };

const NAME = "metricgate-jobs";
/** BullMQ's numbers end at 2^21 - 1; low ones come after every high one. */
const LOW = 1_000_000;
const LAST_TURN = LOW - 1;
/** Tasks come after all jobs, those for one tenant last. */
const TASK = 2 ** 21 - 2;
const TENANT_TASK = 2 ** 21 - 1;
/** How often BullMQ itself would try, and lose a worker: the row decides long before that. */
const BULL_ATTEMPTS = 1_000_000;
/** How long BullMQ waits before it tries again to tell how a job ended. */
const TELL_AGAIN_MS = 1_000;
/** How long a caller waits for the line at most. */
const REACHED_WITHIN_MS = 4_000;
/** How long what runs gets to be put back in line, and a connection to end in order. */
const CLOSE_WORKER_MS = 2_000;
const CLOSE_QUEUE_MS = 500;

const numberOf = ({ priority, turn }: Place): number => (priority === "high" ? 0 : LOW) + Math.min(Math.max(turn, 1), LAST_TURN);
const placeOf = (number: number): Place =>
  number > LOW ? { priority: "low", turn: number - LOW } : { priority: "high", turn: Math.max(number, 1) };
const keyOf = ({ tenantId, jobId }: JobHandle): string => `${tenantId}-${jobId}`;
/** Pauses between attempts, by what is tried. */
const BACKOFFS = {
  doubled: { firstMs: QUEUE_LIMITS.backoffMs, longestMs: QUEUE_LIMITS.longestBackoffMs },
  task: { firstMs: TASK_LIMITS.backoffMs, longestMs: TASK_LIMITS.longestBackoffMs },
} as const;

/** What an entry carries: whose turn it is, or which task. */
type Entry = JobHandle | Task;
type Process = (job: Job<Entry>, token?: string) => Promise<void>;

/** What differs between the two homes. */
interface Bull {
  readonly queue: Queue<Entry>;
  readonly worker: (process: Process, options: Omit<WorkerOptions, "connection">, patience: Patience) => Worker<Entry>;
}

/** The line on BullMQ, in our database or in Redis. Errors of a lost connection are observed; BullMQ connects again itself. */
export function bullQueue(home: QueueHome, observe: Observe): JobQueue {
  const { queue, worker: makeWorker } = home.kind === "postgres" ? onPostgres(home.pool) : onRedis(home);
  const lost = (error: unknown): void => observe({ kind: "queue_lost", reason: error instanceof Error ? error.message : String(error) });
  queue.on("error", lost);
  return {
    ...entries(queue),
    work: (work) => {
      const closing = new AbortController();
      const options = {
        concurrency: work.concurrency,
        lockDuration: QUEUE_LIMITS.lockMs,
        stalledInterval: QUEUE_LIMITS.stalledMs,
        maxStalledCount: BULL_ATTEMPTS,
        drainDelay: 1,
        runRetryDelay: TELL_AGAIN_MS,
        settings: { backoffStrategy: pauseMs },
      };
      const worker = makeWorker(processor(work, lost), options, { onError: lost, closing: closing.signal });
      worker.on("error", lost);
      return {
        close: () => {
          closing.abort();
          return end(worker, CLOSE_WORKER_MS, lost);
        },
      };
    },
    page: lookedAt(queue),
    close: () => end(queue, CLOSE_QUEUE_MS, lost),
  };
}

/** What is put in line and taken out again. */
function entries(queue: Queue<Entry>): Pick<JobQueue, "add" | "addTask" | "callBack" | "next" | "count" | "schedule"> {
  return {
    add: (job, place) =>
      reachable(async () => {
        await queue.add("job", job, {
          jobId: keyOf(job),
          priority: numberOf(place),
          attempts: BULL_ATTEMPTS,
          backoff: { type: "doubled" },
          removeOnComplete: true,
          removeOnFail: true,
        });
      }),
    addTask: (task) =>
      reachable(async () => {
        await queue.add("task", task, {
          jobId: `${task.tenantId}-${task.task}`,
          priority: TENANT_TASK,
          attempts: BULL_ATTEMPTS,
          backoff: { type: "task" },
          removeOnComplete: true,
          removeOnFail: true,
        });
      }),
    callBack: (job) =>
      reachable(async () => {
        const found = await queue.getJob(keyOf(job));
        if (found === undefined || !(await found.isDelayed())) return;
        // It may have come back by itself meanwhile.
        await found.promote().catch(() => undefined);
      }),
    next: () =>
      reachable(async () => {
        const [first] = await queue.getPrioritized(0, 0);
        return first === undefined || "task" in first.data ? undefined : placeOf(first.priority ?? 1);
      }),
    count: () =>
      reachable(async () => {
        const counts = await queue.getJobCounts("prioritized", "wait", "delayed");
        const waiting = Object.values(counts).reduce((sum, count) => sum + count, 0);
        // The next run of each task waits in line too.
        return Math.max(0, waiting - (await queue.getJobSchedulersCount()));
      }),
    schedule: (tasks) =>
      reachable(async () => {
        const opts = { priority: TASK, attempts: 1, removeOnComplete: true, removeOnFail: true };
        for (const [task, pattern] of Object.entries(tasks))
          await unlessScheduled(queue.upsertJobScheduler(task, { pattern, tz: "UTC" }, { name: "task", data: { task }, opts }));
      }),
  };
}

/** A task whose run of this very moment is there was scheduled by another process, and is run on. Throws what else fails. */
async function unlessScheduled(scheduling: Promise<unknown>): Promise<void> {
  try {
    await scheduling;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code !== ErrorCode.SchedulerJobIdCollision && code !== ErrorCode.SchedulerJobSlotsBusy) throw error;
  }
}

/** The page is loaded when somebody looks, since it brings a second copy of BullMQ; a process has one address, so one page. */
function lookedAt(queue: Queue<Entry>): JobQueue["page"] {
  let page: Promise<QueuePage> | undefined;
  return (path, base) =>
    reachable(async () => {
      page ??= import("./queue-page.ts").then(({ queuePage }) => queuePage(queue as never, base));
      return (await page)(path);
    });
}

/** A failed try is repeated ever later, a job's up to 10 s: an outage of the database must not put it off for hours. */
function pauseMs(attempts = 1, type = "doubled"): number {
  const { firstMs, longestMs } = type === "task" ? BACKOFFS.task : BACKOFFS.doubled;
  return Math.min(firstMs * 2 ** (attempts - 1), longestMs);
}

/** Ends in order where that can be had in time: BullMQ would wait for a peer that is gone for as long as it takes. */
async function end(bull: Pick<Queue, "close" | "disconnect">, withinMs: number, lost: (error: unknown) => void): Promise<void> {
  const closed = bull.close().catch(lost);
  if (!(await settledWithin(closed, withinMs))) void bull.disconnect().catch(lost);
}

function processor({ handle, task }: Work, lost: (error: unknown) => void): Process {
  return async (job, token) => {
    const tell = (progress: object): void => void job.updateProgress(progress).catch(lost);
    const handled = await ("task" in job.data ? task(job.data, tell) : handle(job.data));
    if (handled.kind === "later") {
      await job.moveToDelayed(Date.now() + handled.afterMs, token);
      await handled.onceAside?.();
      throw new DelayedError();
    }
    if (handled.kind === "retry") throw new Error(handled.reason ?? "to be tried again");
  };
}

function onPostgres(pool: Pool): Bull {
  // Its types know a pool by another name.
  const options = { connection: pool as unknown as PostgresPoolConfig };
  return {
    queue: new (withBackend(createPostgresBackend).Queue)(NAME, options) as unknown as Queue<Entry>,
    worker: (process, more, patience) => {
      // Not told that it listens, it gives its connection no name: it would do so while that connection is busy.
      const classes = withBackend(
        patient((name: string, own: Parameters<typeof createPostgresBackend>[1]) => createPostgresBackend(name, own), patience),
      );
      return new classes.Worker(NAME, process as never, { ...more, ...options } as never) as unknown as Worker<Entry>;
    },
  };
}

function onRedis({ url, prefix }: Extract<QueueHome, { kind: "redis" }>): Bull {
  // A caller who waits is told at once that Redis is away; a worker waits for its return.
  const asking: QueueOptions = { connection: { url, enableOfflineQueue: true, maxRetriesPerRequest: 1, connectTimeout: 2_000 }, prefix };
  const working = { connection: { url, maxRetriesPerRequest: null }, prefix };
  return {
    queue: new (withBackend(createRedisBackend).Queue)<JobHandle>(NAME, asking),
    worker: (process, more, patience) =>
      new (withBackend(patient(createRedisBackend, patience)).Worker)<Entry>(NAME, process, { ...more, ...working }),
  };
}

async function reachable<T>(work: () => Promise<T>): Promise<T> {
  // Before it was connected for the first time, BullMQ waits for that as long as it takes.
  const late = new AbortController();
  const lateness = sleep(REACHED_WITHIN_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`no answer within ${REACHED_WITHIN_MS} ms`);
  });
  const working = work();
  try {
    return await Promise.race([working, lateness]);
  } catch (cause) {
    // Whatever becomes of it now: the caller was told.
    working.catch(() => undefined);
    throw new AppError("UNAVAILABLE", "The queue of background jobs cannot be reached.", {
      cause,
      retryAfterSeconds: 5,
      next: "Try again shortly; if it persists, tell the operator that the job queue is away.",
    });
  } finally {
    lateness.catch(() => undefined);
    late.abort();
  }
}
