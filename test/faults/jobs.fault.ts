import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../../src/jobs/job.ts";
import { must } from "../../src/must.ts";
import type { Principal } from "../../src/tenant.ts";
import { CREATED, stage, type Stage, tenantWith, urlOf, workerProcess } from "../jobs/stage.ts";
import { openNativeForTest, type TestDatabase } from "../support/databases.ts";
import { nativeTestUrl } from "../support/native-database.ts";
import { ownRedis, redisTestUrl } from "../support/redis.ts";
import { testPrincipal } from "../support/tenants.ts";
import { countOf, tell } from "./report.ts";
import { services, servicesTool } from "./services.ts";

/*
 * Fifty jobs of five tenants on two worker processes while PostgreSQL or Redis is restarted or killed under them: each job ends,
 * done or failed with a reason, and what is done has one result.
 */
const TENANTS = 5;
const JOBS_EACH = 10;
const ENDED_WITHIN_MS = 90_000;
const DOWN_MS = 1_000;
/** Reasons that a fault may leave a job with after its third attempt. */
const PASSING = ["UNAVAILABLE", "BUSY", "AUDIT_UNAVAILABLE"];

const tool = servicesTool();
const serverUrl = nativeTestUrl();
const redisUrl = redisTestUrl();

describe.skipIf(tool === undefined || serverUrl === undefined)("background jobs while services end", () => {
  const use = must(tool ?? "", "TEST_SERVICES");
  let opened: TestDatabase;
  let databaseUrl: string;
  const principals: Principal[] = [];
  beforeAll(async () => {
    opened = await openNativeForTest(must(serverUrl, "TEST_DATABASE_URL"));
    databaseUrl = await urlOf(opened);
    // What was committed must survive a crash, also where the services were started to be fast rather than durable.
    await opened.asSuperuser((admin) =>
      admin.query(`alter database "${new URL(databaseUrl).pathname.slice(1)}" set synchronous_commit = on`),
    );
    for (let id = 1; id <= TENANTS; id += 1) principals.push(testPrincipal(await tenantWith(opened, id, id), "ann"));
  }, 120_000);
  afterAll(() => opened.close(), 60_000);

  const killPostgres = async (): Promise<void> => {
    await services(use, "kill-pg");
    await sleep(DOWN_MS);
    await services(use, "up");
  };
  const cases = [
    { name: "PostgreSQL is restarted", fault: () => services(use, "restart-pg"), redis: undefined },
    { name: "PostgreSQL is killed", fault: killPostgres, redis: undefined },
    { name: "PostgreSQL is restarted, the line is in Redis", fault: () => services(use, "restart-pg"), redis: redisUrl },
    { name: "Redis is restarted", fault: () => services(use, "restart-redis"), redis: redisUrl },
  ].filter(({ name, redis }) => redis !== undefined || !name.includes("Redis"));

  test.each(cases)("$name", { timeout: 180_000 }, async ({ name, fault, redis }) => {
    const ended = await through(name, fault, redis);
    expect(ended.some(({ state }) => state === "done")).toBe(true);
  });

  test("Redis is killed and has forgotten everything", { timeout: 180_000 }, async () => {
    await using redis = await ownRedis();
    await redis.start();
    const fault = async (): Promise<void> => {
      await redis.stop();
      await sleep(DOWN_MS);
      await redis.start();
    };
    const ended = await through("Redis is killed", fault, redis.url);
    expect(countOf(ended.map(({ state }) => state))).toEqual({ done: TENANTS * JOBS_EACH });
  });

  /** Orders fifty jobs, has the fault happen while some are done, some run and most wait, and sees each of them end. */
  async function through(name: string, fault: () => Promise<unknown>, redis: string | undefined): Promise<readonly Job[]> {
    const shared = { databaseUrl, ...(redis === undefined ? {} : { redisUrl: redis }) };
    await using on = await stage(opened.database, name, shared);
    const jobs = await order(on);
    const environment = { METRICGATE_DATABASE_URL: databaseUrl, ...(redis === undefined ? {} : { METRICGATE_REDIS_URL: redis }) };
    const workers = await Promise.all([workerProcess(environment), workerProcess(environment)]);
    for (const { stderr } of workers) stderr?.resume();
    try {
      const startMs = performance.now();
      await whenHalfway(() => fault());
      const ended: Job[] = [];
      for (const { principal, job_id } of jobs) ended.push(await endOf(on, principal, job_id));
      const tookMs = performance.now() - startMs;
      tell(
        `${name}: 50 jobs ended ${(tookMs / 1_000).toFixed(1)} s after the fault began`,
        countOf(ended.map(({ state, attempts, error }) => `${state} after ${attempts}${error === null ? "" : ` ${error.code}`}`)),
      );
      await expectSound(ended);
      return ended;
    } finally {
      await Promise.all(workers.map(stop));
    }
  }

  async function order(on: Stage): Promise<readonly { principal: Principal; job_id: string }[]> {
    const jobs = [];
    for (let at = 0; at < JOBS_EACH; at += 1)
      for (const principal of principals)
        jobs.push({ principal, job_id: (await on.pipeline.startJob(principal, { spec: CREATED })).job_id });
    return jobs;
  }

  /** Statements wait behind a lock, so that workers are in the middle of some when it happens. */
  async function whenHalfway(fault: () => Promise<unknown>): Promise<void> {
    const countIn = async (state: string): Promise<number> =>
      opened.asSuperuser(async (admin) => (await admin.query("select from jobs.job where state = $1", [state])).rowCount ?? 0);
    await expect.poll(() => countIn("done"), { timeout: 20_000, interval: 5 }).toBeGreaterThan(0);
    await opened.asSuperuser(async (admin) => {
      await admin.query("begin; lock table warehouse.issue in access exclusive mode");
      await expect.poll(() => countIn("running"), { timeout: 10_000, interval: 20 }).toBeGreaterThan(1);
      await fault();
      // Gone with the server, unless that was Redis.
      await admin.query("rollback").catch(() => undefined);
    });
  }

  /** A caller who asks again and again, and takes it that the answer may fail meanwhile. */
  async function endOf(on: Stage, principal: Principal, jobId: string): Promise<Job> {
    const deadlineMs = performance.now() + ENDED_WITHIN_MS;
    for (;;) {
      const job = await on.pipeline.job(principal, { job_id: jobId, wait_seconds: 5 }).catch(() => undefined);
      if (job !== undefined && job.finished_at !== null) return job;
      if (performance.now() > deadlineMs) throw new Error(`the job has not ended: ${JSON.stringify(job)}`);
      if (job === undefined) await sleep(200);
    }
  }

  async function expectSound(ended: readonly Job[]): Promise<void> {
    for (const { state, error, result_id: result } of ended) {
      if (state === "done") expect({ error, result }).toEqual({ error: null, result: expect.stringMatching(/^res_/) });
      else {
        expect({ state, result }).toEqual({ state: "failed", result: null });
        expect(PASSING).toContain(error?.code);
      }
    }
    const { rows } = await opened.asSuperuser((admin) =>
      admin.query<{ job: string; id: string }>("select job_id as job, result_id as id from jobs.result where job_id = any ($1)", [
        ended.map(({ job_id: id }) => id),
      ]),
    );
    const done = ended.flatMap(({ state, job_id: job, result_id: id }) => (state === "done" ? [{ job, id }] : []));
    const byJob = (a: { job: string }, b: { job: string }): number => a.job.localeCompare(b.job);
    expect(rows.toSorted(byJob)).toEqual(done.toSorted(byJob));
  }
});

async function stop(worker: ChildProcess): Promise<void> {
  const gone = once(worker, "exit");
  worker.kill("SIGTERM");
  expect(await gone).toEqual([0, null]);
}
