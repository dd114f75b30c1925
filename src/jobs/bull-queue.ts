import {
  createPostgresBackend,
  createRedisBackend,
  DelayedError,
  type Job,
  type PostgresPoolConfig,
  type Queue,
  type QueueOptions,
  type Worker,
  withBackend,
  type WorkerOptions,
} from "bullmq";
import type { Pool } from "pg";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import { settledWithin } from "../settled-within.ts";
import type { JobHandle } from "./job.ts";
import { QUEUE_LIMITS } from "./limits.ts";
import { patient, type Patience } from "./patient-backend.ts";
import type { JobQueue, Place, WorkerOptions as Work } from "./queue.ts";

/** Where the line is kept. */
export type QueueHome =
  /** A pool of the queue's login, whose search_path is BullMQ's schema. */
  | { readonly kind: "postgres"; readonly pool: Pool }
  /** `prefix` keeps the lines of several deployments on one Redis apart. */
  | { readonly kind: "redis"; readonly url: string; readonly prefix: string };

const NAME = "metricgate-jobs";
/** BullMQ's numbers end at 2^21; low ones come after every high one. */
const LOW = 1_000_000;
const LAST_TURN = LOW - 1;
/** How often BullMQ itself would try, and lose a worker: the row decides long before that. */
const BULL_ATTEMPTS = 1_000_000;
/** How long BullMQ waits before it tries again to tell how a job ended. */
const TELL_AGAIN_MS = 1_000;
/** How long what runs gets to be put back in line, and a connection to end in order. */
const CLOSE_WORKER_MS = 2_000;
const CLOSE_QUEUE_MS = 500;

const numberOf = ({ priority, turn }: Place): number => (priority === "high" ? 0 : LOW) + Math.min(Math.max(turn, 1), LAST_TURN);
const placeOf = (number: number): Place =>
  number > LOW ? { priority: "low", turn: number - LOW } : { priority: "high", turn: Math.max(number, 1) };
const keyOf = ({ tenantId, jobId }: JobHandle): string => `${tenantId}-${jobId}`;

type Process = (job: Job<JobHandle>, token?: string) => Promise<void>;

/** What differs between the two homes. */
interface Bull {
  readonly queue: Queue<JobHandle>;
  readonly worker: (process: Process, options: Omit<WorkerOptions, "connection">, patience: Patience) => Worker<JobHandle>;
}

/** The line on BullMQ, in our database or in Redis. Errors of a lost connection are observed; BullMQ connects again itself. */
export function bullQueue(home: QueueHome, observe: Observe): JobQueue {
  const { queue, worker: makeWorker } = home.kind === "postgres" ? onPostgres(home.pool) : onRedis(home);
  const lost = (error: unknown): void => observe({ kind: "queue_lost", reason: error instanceof Error ? error.message : String(error) });
  queue.on("error", lost);
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
        return first === undefined ? undefined : placeOf(first.priority ?? 1);
      }),
    work: (work) => {
      const closing = new AbortController();
      const options = {
        concurrency: work.concurrency,
        lockDuration: QUEUE_LIMITS.lockMs,
        stalledInterval: QUEUE_LIMITS.stalledMs,
        maxStalledCount: BULL_ATTEMPTS,
        drainDelay: 1,
        runRetryDelay: TELL_AGAIN_MS,
        settings: { backoffStrategy: doubled },
      };
      const worker = makeWorker(processor(work), options, { onError: lost, closing: closing.signal });
      worker.on("error", lost);
      return {
        close: () => {
          closing.abort();
          return end(worker, CLOSE_WORKER_MS, lost);
        },
      };
    },
    close: () => end(queue, CLOSE_QUEUE_MS, lost),
  };
}

/** A failed try is repeated ever later, up to 10 s: an outage of the database must not put a job off for hours. */
function doubled(attempts = 1): number {
  return Math.min(QUEUE_LIMITS.backoffMs * 2 ** (attempts - 1), QUEUE_LIMITS.longestBackoffMs);
}

/** Ends in order where that can be had in time: BullMQ would wait for a peer that is gone for as long as it takes. */
async function end(bull: Pick<Queue, "close" | "disconnect">, withinMs: number, lost: (error: unknown) => void): Promise<void> {
  const closed = bull.close().catch(lost);
  if (!(await settledWithin(closed, withinMs))) void bull.disconnect().catch(lost);
}

function processor({ handle }: Work): Process {
  return async (job, token) => {
    const handled = await handle(job.data);
    if (handled.kind === "later") {
      await job.moveToDelayed(Date.now() + handled.afterMs, token);
      await handled.onceAside();
      throw new DelayedError();
    }
    if (handled.kind === "retry") throw new Error("to be tried again");
  };
}

function onPostgres(pool: Pool): Bull {
  // Its types know a pool by another name.
  const options = { connection: pool as unknown as PostgresPoolConfig };
  return {
    queue: new (withBackend(createPostgresBackend).Queue)(NAME, options) as unknown as Queue<JobHandle>,
    worker: (process, more, patience) => {
      // Not told that it listens, it gives its connection no name: it would do so while that connection is busy.
      const classes = withBackend(
        patient((name: string, own: Parameters<typeof createPostgresBackend>[1]) => createPostgresBackend(name, own), patience),
      );
      return new classes.Worker(NAME, process as never, { ...more, ...options } as never) as unknown as Worker<JobHandle>;
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
      new (withBackend(patient(createRedisBackend, patience)).Worker)<JobHandle>(NAME, process, { ...more, ...working }),
  };
}

async function reachable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new AppError("UNAVAILABLE", "The queue of background jobs cannot be reached.", {
      cause,
      retryAfterSeconds: 5,
      next: "Try again shortly; if it persists, tell the operator that the job queue is away.",
    });
  }
}
