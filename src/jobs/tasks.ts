import type { JobStore } from "./job-store.ts";
import type { JobQueue } from "./queue.ts";

/** What is done by the clock, by whichever worker comes to it first: when, as cron says it, in UTC. */
export const TASKS = {
  /** Jobs whose server ended, or whose line was lost, before they were run. */
  put_in_line: "*/10 * * * *",
  /** Jobs and results that are past their day; of a tenant that asks again they leave sooner. */
  clean_up: "17 3 * * *",
} as const;

export type TaskName = keyof typeof TASKS;

export interface TaskParts {
  readonly store: Pick<JobStore, "open" | "purge">;
  readonly queue: Pick<JobQueue, "add">;
  readonly tenantIds: () => Promise<readonly number[]>;
}

/** Runs one task for every tenant, one after the other, each inside its own wall. Throws what the database does. */
export async function runTask(name: TaskName, { store, queue, tenantIds }: TaskParts): Promise<void> {
  for (const tenantId of await tenantIds()) {
    if (name === "clean_up") await store.purge(tenantId);
    else for (const { handle, place } of await store.open(tenantId)) await queue.add(handle, place);
  }
}

export function isTask(name: string): name is TaskName {
  return Object.hasOwn(TASKS, name);
}
