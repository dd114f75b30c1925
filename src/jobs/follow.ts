import { setTimeout as sleep } from "node:timers/promises";
import { toAppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";
import type { JobEvents } from "./desk.ts";
import { isFinished, type Job } from "./job.ts";
import type { JobStore } from "./job-store.ts";

/** How often a followed job is looked at, in milliseconds: soon at first, then at leisure. */
const LOOK_FIRST_MS = 500;
const LOOK_LAST_MS = 2_000;
/** Jobs that one process follows; of more its clients hear when they ask. */
const MAX_FOLLOWED = 200;

/** Follows jobs that clients of this process ordered or asked for, until they end: whoever runs them may be another process. */
export type Follow = (principal: Principal, job: Job) => void;

export interface FollowParts {
  readonly store: Pick<JobStore, "find">;
  readonly events: JobEvents;
  readonly observe: Observe;
  /** Aborting ends it all. */
  readonly closing: AbortSignal;
}

export function follower(parts: FollowParts): Follow {
  const followed = new Set<string>();
  return (principal, job) => {
    const key = `${principal.tenant.id} ${job.job_id}`;
    if (isFinished(job) || followed.has(key) || followed.size >= MAX_FOLLOWED || parts.closing.aborted) return;
    followed.add(key);
    void followJob(principal, job, parts).finally(() => followed.delete(key));
  };
}

/** Tells of each move that nobody here has told of. Never rejects. */
async function followJob(principal: Principal, first: Job, { store, events, observe, closing }: FollowParts): Promise<void> {
  const handle = { tenantId: principal.tenant.id, jobId: first.job_id };
  let isToldOf = false;
  const stop = events.listen(({ tenantId, jobId }) => {
    if (tenantId === handle.tenantId && jobId === handle.jobId) isToldOf = true;
  });
  try {
    let known = stateOf(first);
    for (let lookMs = LOOK_FIRST_MS; ; lookMs = Math.min(lookMs * 2, LOOK_LAST_MS)) {
      await sleep(lookMs, undefined, { signal: closing });
      // It runs here.
      if (isToldOf) isToldOf = false;
      else {
        const job = await look(principal, handle.jobId, { store, observe });
        if (job === "gone") return;
        if (job === "unknown" || stateOf(job) === known) continue;
        known = stateOf(job);
        events.moved(handle);
        if (isFinished(job)) return;
      }
    }
  } catch {
    // Only the pause rejects: this process closes.
  } finally {
    stop();
  }
}

async function look(
  principal: Principal,
  jobId: string,
  { store, observe }: Pick<FollowParts, "store" | "observe">,
): Promise<Job | "gone" | "unknown"> {
  try {
    return (await store.find(principal, jobId))?.job ?? "gone";
  } catch (error) {
    observe({ kind: "queue_lost", reason: toAppError(error).message });
    return "unknown";
  }
}

const stateOf = ({ state, progress, attempts }: Job): string => JSON.stringify([state, progress, attempts]);
