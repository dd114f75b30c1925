import { type ErrorCode, toAppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import type { JobStore } from "./job-store.ts";
import { TASK_LIMITS } from "./limits.ts";
import type { Handled, JobQueue, Task } from "./queue.ts";

/** What is done by the clock, by whichever worker comes to it first: when, as cron says it, in UTC. */
export const TASKS = {
  /** Jobs whose server ended, or whose line was lost, before they were run. */
  put_in_line: "*/10 * * * *",
  /** Jobs and results that are past their day; of a tenant that asks again they leave sooner. */
  clean_up: "17 3 * * *",
  /** Popular answers are made anew before they expire, by the process that comes to it, of what it was asked. */
  warm_up: "* * * * *",
  /** What imports brought is embedded: puts a task of its own in line for each tenant. */
  embed: "* * * * *",
} as const;

export type TaskName = keyof typeof TASKS;

/** How one slice of a tenant's task is bounded and followed. */
export interface SliceOptions {
  /** No more is begun after this instant, in milliseconds of `performance.now()`. */
  readonly untilMs: number;
  readonly signal: AbortSignal;
  /** Numbers that operators are shown. */
  readonly onProgress: (progress: object) => void;
}

/** One slice of a task for one tenant; `more` where something is left to do. Throws AppError. */
export type TenantTask = (tenantId: number, options: SliceOptions) => Promise<"done" | "more">;

export interface TaskParts {
  readonly store: Pick<JobStore, "open" | "purge">;
  readonly queue: Pick<JobQueue, "add" | "addTask">;
  readonly tenantIds: () => Promise<readonly number[]>;
  /** What is done tenant by tenant, by its name in TASKS; what is absent is not done. */
  readonly tenantTasks: Readonly<Partial<Record<TaskName, TenantTask>>>;
  /** Begins what `warm_up` asks for; absent: nothing. */
  readonly keepWarm?: () => void;
}

/** Runs one task for every tenant, one after the other, each inside its own wall, or puts it in line for each. Throws what the database does. */
export async function runTask(task: TaskName, { store, queue, tenantIds, tenantTasks, keepWarm }: TaskParts): Promise<void> {
  if (task === "warm_up") return keepWarm?.();
  const isOfTenant = tenantTasks[task] !== undefined;
  for (const tenantId of await tenantIds()) {
    if (isOfTenant) await queue.addTask({ task, tenantId });
    else if (task === "clean_up") await store.purge(tenantId);
    else if (task === "put_in_line") for (const { handle, place } of await store.open(tenantId)) await queue.add(handle, place);
  }
}

/** One run of what the clock asks for. What fails for all tenants comes again at its next time; for one tenant it is tried again, ever later. Never rejects. */
export async function handleTask(
  { task, tenantId }: Task,
  { signal, onProgress }: Pick<SliceOptions, "signal" | "onProgress">,
  parts: TaskParts & { readonly observe: Observe },
): Promise<Handled> {
  const startMs = performance.now();
  const told = { kind: "task_ended", task, ...(tenantId === undefined ? {} : { tenantId }) } as const;
  const ended = (outcome: "ok" | ErrorCode): void => parts.observe({ ...told, outcome, durationMs: performance.now() - startMs });
  try {
    // Scheduled by a release that had it.
    if (!isTask(task)) return { kind: "finished" };
    const slice = { untilMs: startMs + TASK_LIMITS.sliceMs, signal, onProgress };
    const left = tenantId === undefined ? await runTask(task, parts) : await parts.tenantTasks[task]?.(tenantId, slice);
    ended("ok");
    return left === "more" ? { kind: "later", afterMs: 1 } : { kind: "finished" };
  } catch (thrown) {
    if (tenantId !== undefined && signal.aborted) return { kind: "later", afterMs: 1 };
    const error = toAppError(thrown);
    ended(error.code);
    if (error.code === "INTERNAL") parts.observe({ kind: "unexpected_error", where: task, error: error.details.cause ?? error });
    return tenantId === undefined ? { kind: "finished" } : { kind: "retry", reason: error.message };
  }
}

function isTask(name: string): name is TaskName {
  return Object.hasOwn(TASKS, name);
}
