import { randomBytes } from "node:crypto";
import type { PoolClient } from "pg";
import type { Database } from "../db/database.ts";
import { withTenantWrite } from "../db/tenant-session.ts";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import { extentOf, type Principal } from "../tenant.ts";
import { type Claim, claim, firstToRun, takeTurns } from "./claim.ts";
import { type Job, type JobHandle, ownerOf, type Priority } from "./job.ts";
import { QUEUE_LIMITS } from "./limits.ts";
import { observeLookUps } from "./look-up.ts";
import type { Place } from "./queue.ts";
import { insertResult, makeRoom, type PackedResult } from "./results.ts";

/** A new job. */
export interface JobOrder {
  readonly principal: Principal;
  readonly spec: unknown;
  readonly specHash: string;
  readonly priority: Priority;
  readonly idempotencyKey: string | null;
  /** See `Place`: whoever comes now does not come before who is next. */
  readonly next: Place | undefined;
}

/** An attempt's number makes sure that one which was given up writes nothing any more. */
export interface Attempt extends JobHandle {
  readonly attempt: number;
}

/** The rows of jobs, each under its tenant's wall; what is not the caller's is not there. Errors are the database port's. */
export interface JobStore {
  /** The job of the order, or the one that its idempotency key made before. Throws BUSY, and SPEC_INVALID for a key used otherwise. */
  order(order: JobOrder): Promise<{ readonly job: Job; readonly place: Place; readonly isNew: boolean }>;
  find(principal: Principal, jobId: string): Promise<{ readonly job: Job; readonly place: Place } | undefined>;
  /** Ends a job that is not finished; the job as it then is. */
  cancel(principal: Principal, jobId: string): Promise<Job | undefined>;
  claim(handle: JobHandle, runningPerTenant: number): Promise<Claim>;
  /** Notes how far an attempt is; false where it is no longer wanted. */
  progress(attempt: Attempt, stage: string, rows: number): Promise<boolean>;
  /** Each returns false where the attempt is no longer wanted, and then writes nothing. */
  done(attempt: Attempt, owner: string, result: PackedResult): Promise<boolean>;
  failed(attempt: Attempt, error: AppError): Promise<boolean>;
  /** Back in line; `isCounted` says whether it was an attempt at all. */
  putBack(attempt: Attempt, isCounted: boolean): Promise<boolean>;
  /** The tenant's next job, where that was put off and may run now. */
  firstToRun(tenantId: number, runningPerTenant: number): Promise<JobHandle | undefined>;
  /** Takes back an order that could not be put in line. */
  forget(handle: JobHandle): Promise<void>;
  /** Finished jobs past their day leave, and what they found. */
  purge(tenantId: number): Promise<void>;
  /** What waits or runs, with its place. */
  open(tenantId: number): Promise<readonly { readonly handle: JobHandle; readonly place: Place }[]>;
}

const JOB_COLUMNS = `job_id, state, priority, turn, stage, rows_read, attempts, created_at, started_at, finished_at, error_code, error_message,
  error_next, result_id, spec_hash`;
const OPEN = "state in ('queued', 'running')";

interface JobRow {
  readonly job_id: string;
  readonly state: Job["state"];
  readonly priority: Priority;
  readonly turn: number;
  readonly stage: string | null;
  readonly rows_read: number;
  readonly attempts: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly error_next: string | null;
  readonly result_id: string | null;
  readonly spec_hash: string;
}

type Within = <T>(tenantId: number, work: (client: PoolClient) => Promise<T>) => Promise<T>;

export function jobStore(database: () => Promise<Database>, observe: Observe): JobStore {
  const within: Within = async (tenantId, work) => withTenantWrite(await database(), tenantId, work, "jobs");
  const looked = observeLookUps("job", observe);
  return {
    order: (order) => within(order.principal.tenant.id, (client) => place(client, order)),
    find: (principal, jobId) =>
      looked(principal, () =>
        within(principal.tenant.id, async (client) => {
          const row = await findOwn(client, principal, jobId);
          return row && { job: toJob(row), place: { priority: row.priority, turn: row.turn } };
        }),
      ),
    cancel: (principal, jobId) =>
      looked(principal, () =>
        within(principal.tenant.id, async (client) => {
          await client.query(
            `update jobs.job set state = 'cancelled', finished_at = now() where tenant_id = $1 and owner = $2 and job_id = $3 and ${OPEN}`,
            [principal.tenant.id, ownerOf(principal), jobId],
          );
          const row = await findOwn(client, principal, jobId);
          return row && toJob(row);
        }),
      ),
    claim: (handle, runningPerTenant) => within(handle.tenantId, (client) => claim(client, handle, runningPerTenant)),
    ...attempts(within),
    firstToRun: (tenantId, runningPerTenant) => within(tenantId, (client) => firstToRun(client, tenantId, runningPerTenant)),
    forget: ({ tenantId, jobId }) =>
      within(tenantId, async (client) => {
        await client.query("delete from jobs.job where tenant_id = $1 and job_id = $2 and state = 'queued'", [tenantId, jobId]);
      }),
    purge: (tenantId) => within(tenantId, (client) => purge(client, tenantId)),
    open: (tenantId) =>
      within(tenantId, async (client) => {
        const { rows } = await client.query<JobRow>(
          `select ${JOB_COLUMNS} from jobs.job where tenant_id = $1 and ${OPEN} order by priority, turn`,
          [tenantId],
        );
        return rows.map(({ job_id: jobId, priority, turn }) => ({ handle: { tenantId, jobId }, place: { priority, turn } }));
      }),
  };
}

/** What attempts write. */
function attempts(within: Within): Pick<JobStore, "progress" | "done" | "failed" | "putBack"> {
  /** One update of an attempt that is still wanted. */
  const ofAttempt = ({ tenantId, jobId, attempt }: Attempt, set: string, values: readonly unknown[] = []): Promise<boolean> =>
    within(tenantId, async (client) => {
      const text = `update jobs.job set ${set} where tenant_id = $1 and job_id = $2 and attempts = $3 and state = 'running'`;
      return (await client.query(text, [tenantId, jobId, attempt, ...values])).rowCount === 1;
    });
  return {
    progress: (attempt, stage, rows) => ofAttempt(attempt, "stage = $4, rows_read = $5", [stage, rows]),
    done: (attempt, owner, result) =>
      within(attempt.tenantId, async (client) => {
        const { tenantId, jobId } = attempt;
        const ended = await client.query(
          `update jobs.job set state = 'done', finished_at = now(), result_id = $4, rows_read = $5
           where tenant_id = $1 and job_id = $2 and attempts = $3 and state = 'running'`,
          [tenantId, jobId, attempt.attempt, result.id, result.rowCount],
        );
        if (ended.rowCount !== 1) return false;
        await insertResult(client, { tenantId, jobId, owner }, result);
        await makeRoom(client, tenantId, "job");
        return true;
      }),
    failed: (attempt, { code, message, details }) =>
      ofAttempt(attempt, "state = 'failed', finished_at = now(), error_code = $4, error_message = $5, error_next = $6", [
        code,
        message,
        details.next ?? null,
      ]),
    putBack: (attempt, isCounted) =>
      ofAttempt(attempt, "state = 'queued', stage = null, rows_read = 0, attempts = attempts - $4::int", [isCounted ? 0 : 1]),
  };
}

/** Finished jobs leave, and what they found with them. */
async function purge(client: PoolClient, tenantId: number): Promise<void> {
  await client.query("delete from jobs.job where tenant_id = $1 and finished_at < now() - $2 * interval '1 hour'", [
    tenantId,
    QUEUE_LIMITS.keptHours,
  ]);
  await client.query("delete from jobs.result where tenant_id = $1 and expires_at < now()", [tenantId]);
}

async function place(client: PoolClient, order: JobOrder): ReturnType<JobStore["order"]> {
  const { principal, priority, next, idempotencyKey } = order;
  const tenantId = principal.tenant.id;
  await takeTurns(client, tenantId);
  await purge(client, tenantId);
  const before = idempotencyKey === null ? undefined : await findByKey(client, order);
  if (before !== undefined) return { job: toJob(before), place: { priority: before.priority, turn: before.turn }, isNew: false };
  const { rows } = await client.query<{ open: number; turn: number }>(
    `select count(*)::int as open, coalesce(max(turn) filter (where state = 'queued' and priority = $2), 0) as turn
     from jobs.job where tenant_id = $1 and ${OPEN}`,
    [tenantId, priority],
  );
  const { open = 0, turn: own = 0 } = rows[0] ?? {};
  if (open >= QUEUE_LIMITS.openPerTenant) throw tooManyOpen();
  // In turn over the tenants: a tenant's own jobs follow one another, and start no earlier than who is next now.
  const turn = Math.max(own + 1, next?.priority === priority ? next.turn : 1);
  const inserted = await client.query<JobRow>(
    `insert into jobs.job (tenant_id, job_id, user_name, extent, owner, spec, priority, turn, idempotency_key, spec_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning ${JOB_COLUMNS}`,
    [
      tenantId,
      `job_${randomBytes(16).toString("base64url")}`,
      principal.user,
      extentOf(principal),
      ownerOf(principal),
      JSON.stringify(order.spec),
      priority,
      turn,
      idempotencyKey,
      order.specHash,
    ],
  );
  return { job: toJob(inserted.rows[0] as JobRow), place: { priority, turn }, isNew: true };
}

async function findByKey(client: PoolClient, { principal, idempotencyKey, specHash }: JobOrder): Promise<JobRow | undefined> {
  const { rows } = await client.query<JobRow>(
    `select ${JOB_COLUMNS} from jobs.job where tenant_id = $1 and owner = $2 and idempotency_key = $3`,
    [principal.tenant.id, ownerOf(principal), idempotencyKey],
  );
  const [row] = rows;
  if (row !== undefined && row.spec_hash !== specHash)
    throw new AppError("SPEC_INVALID", "This idempotency_key was used for another spec; nothing was started.", {
      problems: [{ code: "BAD_VALUE", path: "idempotency_key", message: "belongs to a job with another spec" }],
      next: "Use a new key for a new question.",
    });
  return row;
}

function tooManyOpen(): AppError {
  return new AppError("BUSY", `${QUEUE_LIMITS.openPerTenant} jobs of this tenant wait or run, and that is the most.`, {
    retryAfterSeconds: QUEUE_LIMITS.retrySeconds,
    next: "Wait for one to end (get_job), or cancel one (cancel_job), then start this one again.",
  });
}

async function findOwn(client: PoolClient, principal: Principal, jobId: string): Promise<JobRow | undefined> {
  const { rows } = await client.query<JobRow>(`select ${JOB_COLUMNS} from jobs.job where tenant_id = $1 and owner = $2 and job_id = $3`, [
    principal.tenant.id,
    ownerOf(principal),
    jobId,
  ]);
  return rows[0];
}

function toJob(row: JobRow): Job {
  return {
    job_id: row.job_id,
    state: row.state,
    priority: row.priority,
    progress: { stage: row.stage, rows: row.rows_read },
    attempts: row.attempts,
    created_at: row.created_at,
    started_at: row.started_at,
    finished_at: row.finished_at,
    result_id: row.result_id,
    error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "", next: row.error_next },
  };
}
