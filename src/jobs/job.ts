import { createHash } from "node:crypto";
import { extentOf, type Principal } from "../tenant.ts";

export const PRIORITIES = ["high", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];
export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

/** A job as its owner sees it. Instants are ISO text. */
export interface Job {
  readonly job_id: string;
  readonly state: JobState;
  readonly priority: Priority;
  /** How far the running attempt is: its stage, and the rows that it has read. */
  readonly progress: { readonly stage: string | null; readonly rows: number };
  readonly attempts: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  /** Where it is done. */
  readonly result_id: string | null;
  /** Where it failed. */
  readonly error: { readonly code: string; readonly message: string; readonly next: string | null } | null;
}

/** Which job, to whoever may not see it: all that a queue carries. */
export interface JobHandle {
  readonly tenantId: number;
  readonly jobId: string;
}

/** Whose a job is: one user by two keys with different limits is two owners. */
export function ownerOf(principal: Principal): string {
  return hashOf([principal.user, extentOf(principal)]);
}

/** Names JSON, to know it again. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

/** True once a job will not change any more. */
export function isFinished({ state }: Pick<Job, "state">): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}
