import type { JobHandle, Priority } from "./job.ts";

/** Where a job stands in line: a smaller turn comes earlier, and every high one before every low one. */
export interface Place {
  readonly priority: Priority;
  readonly turn: number;
}

/** How a job that was handed out ended. */
export type Handled =
  | { readonly kind: "finished" }
  /** Again, after a pause that grows with the attempts; operators are shown why. */
  | { readonly kind: "retry"; readonly reason?: string }
  /** Not now, but after a while or when it is called back; `onceAside` runs when it can be. */
  | { readonly kind: "later"; readonly afterMs: number; readonly onceAside?: () => Promise<void> };

/** What the clock asks for: for all tenants, or for one. */
export interface Task {
  readonly task: string;
  readonly tenantId?: number;
}

export interface WorkerOptions {
  /** Jobs at once. */
  readonly concurrency: number;
  readonly handle: (job: JobHandle) => Promise<Handled>;
  /** Does what the clock asks for, by the name that it was scheduled under; of one tenant where it was put in line for that. */
  readonly task: (task: Task, onProgress: (progress: object) => void) => Promise<Handled>;
}

/**
 * The line in which jobs wait. It carries ids only and may hand a job out twice (a worker that seemed dead was not);
 * which attempt counts is decided by the job's row.
 */
export interface JobQueue {
  /** Adds a job unless it is in line. Throws AppError UNAVAILABLE. */
  add(job: JobHandle, place: Place): Promise<void>;
  /** Adds a task for one tenant, behind all jobs, unless it is in line. Throws AppError UNAVAILABLE. */
  addTask(task: Required<Task>): Promise<void>;
  /** Calls a job back that was put off; nothing where it was not. */
  callBack(job: JobHandle): Promise<void>;
  /** The place of whoever is next; undefined where nobody waits. */
  next(): Promise<Place | undefined>;
  /** Jobs in line, and tasks for one tenant. Throws AppError UNAVAILABLE. */
  count(): Promise<number>;
  /** Has tasks done again and again, each by one worker: name → when, as cron says it, in UTC. Repeating it changes nothing. */
  schedule(tasks: Readonly<Record<string, string>>): Promise<void>;
  /** The page on which operators look at the line: what is at a path, with its query, below `base`, where its links begin. Throws AppError UNAVAILABLE. */
  page(path: string, base: string): Promise<Response>;
  /** Begins to hand out jobs; `close` waits for those that run. */
  work(options: WorkerOptions): { close(): Promise<void> };
  close(): Promise<void>;
}
