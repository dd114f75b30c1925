import type { PoolClient } from "pg";
import type { JobHandle } from "./job.ts";
import { QUEUE_LIMITS } from "./limits.ts";
import type { Place } from "./queue.ts";

/** What an attempt runs with. */
export interface ClaimedJob {
  readonly spec: unknown;
  readonly user: string;
  readonly owner: string;
  readonly extent: string;
  readonly attempt: number;
}

export type Claim =
  | { readonly kind: "claimed"; readonly job: ClaimedJob }
  /** Ended, or never was. */
  | { readonly kind: "gone" }
  /** The tenant has enough running, or another of its jobs comes first; `missed` names one that may not be in line at all. */
  | { readonly kind: "wait"; readonly missed?: { readonly handle: JobHandle; readonly place: Place } };

/** Jobs that wait for their first attempt: one that is tried again has had its turn, and holds up nobody. */
const FRESH = "state = 'queued' and attempts = 0";

/** Orders and claims of one tenant take turns, so that what is counted stays true. */
export async function takeTurns(client: PoolClient, tenantId: number): Promise<void> {
  await client.query("select pg_advisory_xact_lock(hashtext('metricgate.jobs'), $1)", [tenantId]);
}

/**
 * Begins an attempt at the job that was handed out, in the caller's transaction. A tenant's jobs begin in the order of their
 * places, whatever the order in which workers ask for them.
 */
export async function claim(client: PoolClient, { tenantId, jobId }: JobHandle, runningPerTenant: number): Promise<Claim> {
  await takeTurns(client, tenantId);
  const { rows } = await client.query<{ state: string; attempts: number; running: number }>(
    `select j.state, j.attempts,
       (select count(*)::int from jobs.job o where o.tenant_id = $1 and o.state = 'running' and o.job_id <> $2) as running
     from jobs.job j where j.tenant_id = $1 and j.job_id = $2 and j.state in ('queued', 'running')`,
    [tenantId, jobId],
  );
  const [found] = rows;
  if (found === undefined) return { kind: "gone" };
  if (found.attempts >= QUEUE_LIMITS.attempts) return giveUp(client, { tenantId, jobId }, found.attempts);
  if (found.state === "queued") {
    const first = found.attempts === 0 ? await firstFresh(client, tenantId) : undefined;
    const isOvertaking = first !== undefined && first.job_id !== jobId;
    if (found.running >= runningPerTenant || isOvertaking) {
      await client.query("update jobs.job set put_off_at = now() where tenant_id = $1 and job_id = $2", [tenantId, jobId]);
      if (!isOvertaking || !first.isMissed) return { kind: "wait" };
      const { job_id: missedId, priority, turn } = first;
      return { kind: "wait", missed: { handle: { tenantId, jobId: missedId }, place: { priority, turn } } };
    }
  }
  const claimed = await client.query<ClaimedJob>(
    `update jobs.job set state = 'running', attempts = attempts + 1, started_at = clock_timestamp(), stage = null, rows_read = 0, put_off_at = null
     where tenant_id = $1 and job_id = $2 returning spec, user_name as "user", owner, extent, attempts as attempt`,
    [tenantId, jobId],
  );
  return { kind: "claimed", job: claimed.rows[0] as ClaimedJob };
}

/** The tenant's next job, where that was put off and there is a place for it now. */
export async function firstToRun(client: PoolClient, tenantId: number, runningPerTenant: number): Promise<JobHandle | undefined> {
  const first = await firstFresh(client, tenantId);
  if (first === undefined || !first.isPutOff) return undefined;
  const { rows } = await client.query<{ running: number }>(
    "select count(*)::int as running from jobs.job where tenant_id = $1 and state = 'running'",
    [tenantId],
  );
  return (rows[0]?.running ?? 0) < runningPerTenant ? { tenantId, jobId: first.job_id } : undefined;
}

interface FreshJob extends Place {
  readonly job_id: string;
  readonly isPutOff: boolean;
  /** Never put off and old: a server may have ended before it was in line. */
  readonly isMissed: boolean;
}

async function firstFresh(client: PoolClient, tenantId: number): Promise<FreshJob | undefined> {
  const { rows } = await client.query<FreshJob>(
    `select job_id, priority, turn, put_off_at is not null as "isPutOff",
       put_off_at is null and created_at < now() - $2 * interval '1 millisecond' as "isMissed"
     from jobs.job where tenant_id = $1 and ${FRESH} order by priority, turn, job_id limit 1`,
    [tenantId, QUEUE_LIMITS.missedMs],
  );
  return rows[0];
}

/** Its worker died each time: whatever it is, it is the job's own doing. */
async function giveUp(client: PoolClient, { tenantId, jobId }: JobHandle, attempts: number): Promise<Claim> {
  await client.query(
    `update jobs.job set state = 'failed', finished_at = now(), error_code = 'INTERNAL', error_message = $3, error_next = $4
     where tenant_id = $1 and job_id = $2`,
    [tenantId, jobId, `The job was ended ${attempts} times before it was done.`, "Ask for less, or tell the operator."],
  );
  return { kind: "gone" };
}
