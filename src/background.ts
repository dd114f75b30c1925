import { createHash } from "node:crypto";
import { restorePrincipal } from "./auth/restore.ts";
import type { Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import { type JobDesk, jobDesk, type JobEvents, jobEvents } from "./jobs/desk.ts";
import { follower } from "./jobs/follow.ts";
import { jobStore } from "./jobs/job-store.ts";
import { WORKER_LIMITS } from "./jobs/limits.ts";
import type { JobQueue } from "./jobs/queue.ts";
import { storedResults } from "./jobs/results.ts";
import { runTask, TASKS } from "./jobs/tasks.ts";
import type { JobWorker } from "./jobs/worker.ts";
import { must } from "./must.ts";
import type { Observe } from "./observe/observation.ts";
import { onceOpen } from "./once-open.ts";
import type { Pipeline } from "./pipeline.ts";
import { settledWithin } from "./settled-within.ts";

/** Background jobs, put together: where they are ordered, and who runs them. */
export interface Background {
  readonly desk: JobDesk;
  readonly events: JobEvents;
  /**
   * Begins to run jobs in this process, and puts in line what was left out of it: after `afterMs`, or as soon as the line is
   * used here.
   */
  work(answer: Pipeline["answerJob"], afterMs?: number): Promise<void>;
  /** Jobs in line. Throws UNAVAILABLE where that cannot be reached. */
  waiting(): Promise<number>;
  /** See JobQueue.page. */
  page(path: string, base: string): Promise<Response>;
  close(): Promise<void>;
}

export interface BackgroundParts {
  readonly config: Pick<Config, "databaseUrl" | "dataDir" | "redisUrl">;
  readonly database: () => Promise<Database>;
  readonly observe: Observe;
  /** In place of TASKS. */
  readonly tasks?: Readonly<Record<string, string>>;
}

/** How long a step of closing may take that waits for a database. */
const CLOSE_MS = 1_000;

export function openBackground({ config, database, observe, tasks = TASKS }: BackgroundParts): Background {
  const events = jobEvents();
  const store = jobStore(database, observe);
  const closing = new AbortController();
  const follow = follower({ store, events, observe, closing: closing.signal });
  let worker: JobWorker | undefined;
  let working: Promise<void> | undefined;
  const used = Promise.withResolvers<void>();
  const lineOnce = onceOpen(() => openQueue({ config, database, observe }));
  const queue = (): Promise<JobQueue> => {
    used.resolve();
    return lineOnce.get();
  };
  return {
    desk: jobDesk({ store, results: storedResults(database, observe), queue, events, follow }),
    events,
    work: async (answer, afterMs = 0) => {
      await settledWithin(used.promise, afterMs);
      return closing.signal.aborted ? undefined : (working ??= begin(answer));
    },
    waiting: async () => (await queue()).count(),
    page: async (path, base) => (await queue()).page(path, base),
    close: async () => {
      closing.abort();
      used.resolve();
      // What failed to begin was told to whoever began it; what hangs ends with the process.
      if (working !== undefined) await settledWithin(working, CLOSE_MS);
      await worker?.close();
      await settledWithin(lineOnce.close(), CLOSE_MS);
    },
  };

  async function begin(answer: Pipeline["answerJob"]): Promise<void> {
    const [line, opened, { startWorker }] = await Promise.all([queue(), database(), import("./jobs/worker.ts")]);
    if (closing.signal.aborted) return;
    const tenantIds = async (): Promise<readonly number[]> => (await tenantDirectory(opened).list()).map(({ id }) => id);
    worker = startWorker({
      store,
      queue: line,
      events,
      answer,
      observe,
      tenantIds,
      limits: WORKER_LIMITS[opened.mode],
      principalOf: async (tenantId, job) => {
        const tenants = await tenantDirectory(opened).list();
        const tenant = tenants.find(({ id }) => id === tenantId);
        return restorePrincipal(must(tenant, "the job's tenant"), job.user, job.extent);
      },
    });
    await line.schedule(tasks);
    // What was left out of the line while nobody worked.
    await runTask("put_in_line", { store, queue: line, tenantIds });
  }
}

/** Loaded when first used: a start over stdio waits for what it imports. */
async function openQueue({ config, database, observe }: BackgroundParts): Promise<JobQueue> {
  const { bullQueue } = await import("./jobs/bull-queue.ts");
  const { redisUrl } = config;
  if (redisUrl === undefined) return bullQueue({ kind: "postgres", pool: (await database()).pool("queue") }, observe);
  return bullQueue({ kind: "redis", url: redisUrl, prefix: prefixOf(config) }, observe);
}

/** Names the database that the jobs are in, so that two deployments on one Redis do not take each other's. */
function prefixOf({ databaseUrl, dataDir }: BackgroundParts["config"]): string {
  const { hostname, port, pathname, search } = new URL(databaseUrl ?? `file://${dataDir}`);
  const name = createHash("sha256")
    .update(JSON.stringify([hostname, port, pathname, search]))
    .digest("hex");
  return `{metricgate:${name.slice(0, 16)}}`;
}
