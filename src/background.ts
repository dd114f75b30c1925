import { createHash } from "node:crypto";
import { restorePrincipal } from "./auth/restore.ts";
import type { Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import { type AnswerWriter, answerWriter } from "./jobs/answer-writer.ts";
import { type JobDesk, jobDesk, type JobEvents, jobEvents } from "./jobs/desk.ts";
import { follower } from "./jobs/follow.ts";
import { jobStore } from "./jobs/job-store.ts";
import { WORKER_LIMITS, WRITE_PACE } from "./jobs/limits.ts";
import type { JobQueue } from "./jobs/queue.ts";
import { storedResults } from "./jobs/results.ts";
import { runTask, type TaskName, type TaskParts, TASKS } from "./jobs/tasks.ts";
import type { JobWorker, WorkerParts } from "./jobs/worker.ts";
import { must } from "./must.ts";
import type { Observe } from "./observe/observation.ts";
import { onceOpen } from "./once-open.ts";
import type { Pipeline } from "./pipeline.ts";
import { settledWithin } from "./settled-within.ts";

/** What is done in the background, put together: where jobs are ordered, who runs them, and who writes down what calls were answered. */
export interface Background {
  readonly desk: JobDesk;
  readonly answers: Pick<AnswerWriter, "keep">;
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
  /** See TaskParts. */
  readonly keepWarm?: () => void;
  /** What is done tenant by tenant; a task that none of it is for is not scheduled. */
  readonly tenantTasks?: TaskParts["tenantTasks"];
  /** In place of TASKS. */
  readonly tasks?: Readonly<Record<string, string>>;
}

/** How long a step of closing may take that waits for a database. */
const CLOSE_MS = 1_000;

export function openBackground({
  config,
  database,
  observe,
  tenantTasks = {},
  keepWarm = () => undefined,
  tasks = scheduled(tenantTasks),
}: BackgroundParts): Background {
  const events = jobEvents();
  const store = jobStore(database, observe);
  const answers = answerWriter({ database, observe, pace: WRITE_PACE[config.databaseUrl === undefined ? "embedded" : "native"] });
  const closing = new AbortController();
  const follow = follower({ store, events, observe, closing: closing.signal });
  let worker: JobWorker | undefined;
  let working: Promise<void> | undefined;
  const line = lineOf({ config, database, observe });
  const queue = line.get;
  return {
    desk: jobDesk({ store, results: storedResults(database, observe), queue, events, follow }),
    answers,
    events,
    work: async (answer, afterMs = 0) => {
      await settledWithin(line.isUsed, afterMs);
      return closing.signal.aborted ? undefined : (working ??= begin(answer));
    },
    waiting: async () => (await queue()).count(),
    page: async (path, base) => (await queue()).page(path, base),
    close,
  };

  async function close(): Promise<void> {
    closing.abort();
    const written = settledWithin(answers.close(), CLOSE_MS);
    // What failed to begin was told to whoever began it; what hangs ends with the process.
    if (working !== undefined) await settledWithin(working, CLOSE_MS);
    await worker?.close();
    await settledWithin(line.close(), CLOSE_MS);
    await written;
  }

  async function begin(answer: Pipeline["answerJob"]): Promise<void> {
    const [jobs, opened, { startWorker }] = await Promise.all([queue(), database(), import("./jobs/worker.ts")]);
    if (closing.signal.aborted) return;
    const tenantIds = async (): Promise<readonly number[]> => (await tenantDirectory(opened).list()).map(({ id }) => id);
    const tasked = { store, queue: jobs, tenantIds, tenantTasks, keepWarm };
    worker = startWorker({
      ...tasked,
      events,
      answer,
      observe,
      limits: WORKER_LIMITS[opened.mode],
      principalOf: principalsOf(opened),
    });
    await jobs.schedule(tasks);
    await catchUp(tasked);
  }
}

/** What was left out of the line while nobody worked. */
async function catchUp(parts: TaskParts): Promise<void> {
  await runTask("put_in_line", parts);
  for (const task of Object.keys(parts.tenantTasks)) await runTask(task as TaskName, parts);
}

/** Whom a job is for, as its row says. */
function principalsOf(database: Database): WorkerParts["principalOf"] {
  return async (tenantId, job) => {
    const tenants = await tenantDirectory(database).list();
    const tenant = tenants.find(({ id }) => id === tenantId);
    return restorePrincipal(must(tenant, "the job's tenant"), job.user, job.extent);
  };
}

/** What the clock has to ask for here. */
function scheduled(tenantTasks: TaskParts["tenantTasks"]): Readonly<Record<string, string>> {
  const { embed, ...rest } = TASKS;
  return tenantTasks.embed === undefined ? rest : { ...rest, embed };
}

/** The line of jobs, opened at its first use. `isUsed` settles then, or when it is closed. */
function lineOf(parts: BackgroundParts) {
  const used = Promise.withResolvers<void>();
  const opened = onceOpen(() => openQueue(parts));
  const using =
    <T>(use: () => Promise<T>) =>
    (): Promise<T> => {
      used.resolve();
      return use();
    };
  return { isUsed: used.promise, get: using(opened.get), close: using(opened.close) };
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
