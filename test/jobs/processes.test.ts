import { once } from "node:events";
import { expect, test } from "vitest";
import { describeOnNative } from "../support/databases.ts";
import { redisTestUrl } from "../support/redis.ts";
import { testPrincipal } from "../support/tenants.ts";
import { CREATED, stage, tenantWith, urlOf, workerProcess } from "./stage.ts";

const JOBS_EACH = 10;

const homes = [
  { home: "PostgreSQL", redis: undefined },
  { home: "Redis", redis: redisTestUrl() },
].filter(({ home, redis }) => home === "PostgreSQL" || redis !== undefined);

describeOnNative("worker processes", (get) => {
  test.each(homes)(
    "what a killed worker was at is done by another, once ($home)",
    async ({ home, redis }) => {
      const databaseUrl = await urlOf(get());
      const shared = { databaseUrl, ...(redis === undefined ? {} : { redisUrl: redis }) };
      const environment = { METRICGATE_DATABASE_URL: databaseUrl, ...(redis === undefined ? {} : { METRICGATE_REDIS_URL: redis }) };
      await using on = await stage(get().database, home, shared);
      const base = home === "Redis" ? 10 : 0;
      const principals = [];
      for (let id = base + 1; id <= base + 5; id += 1) principals.push(testPrincipal(await tenantWith(get(), id, id), "ann"));
      const jobs: { principal: (typeof principals)[number]; job_id: string }[] = [];
      for (let at = 0; at < JOBS_EACH; at += 1)
        for (const principal of principals)
          jobs.push({ principal, job_id: (await on.pipeline.startJob(principal, { spec: CREATED })).job_id });
      const first = await workerProcess(environment);
      // Statements wait behind this lock, so that the worker is in the middle of them when it dies.
      await get().asSuperuser(async (client) => {
        await client.query("begin; lock table warehouse.issue in access exclusive mode");
        await expect
          .poll(async () => (await client.query("select from jobs.job where state = 'running'")).rowCount, {
            timeout: 10_000,
            interval: 20,
          })
          .toBeGreaterThan(1);
        const gone = once(first, "exit");
        first.kill("SIGKILL");
        await gone;
        await client.query("commit");
      });
      const second = await workerProcess(environment);
      try {
        const ended = [];
        for (const { principal, job_id } of jobs) {
          const job = await on.ended(principal, job_id);
          expect(job).toMatchObject({ state: "done", error: null });
          ended.push(job);
        }
        expect(ended.some(({ attempts }) => attempts > 1)).toBe(true);
        const { rows } = await get().asSuperuser((client) =>
          client.query<{ results: number }>("select count(*)::int as results from jobs.result where job_id = any ($1)", [
            jobs.map(({ job_id }) => job_id),
          ]),
        );
        expect(rows).toEqual([{ results: 50 }]);
      } finally {
        const gone = once(second, "exit");
        second.kill("SIGTERM");
        expect(await gone).toEqual([0, null]);
      }
    },
    120_000,
  );

  test("cancelling from another process ends the statement within a second", async () => {
    const databaseUrl = await urlOf(get());
    await using on = await stage(get().database, "cancel", { databaseUrl });
    const ann = testPrincipal(await tenantWith(get(), 30, 3), "ann");
    const worker = await workerProcess({ METRICGATE_DATABASE_URL: databaseUrl });
    // On a connection of its own: a transaction sees who waits as it was at its first look.
    const waiting = () =>
      get().asSuperuser(
        async (client) =>
          (
            await client.query(
              "select from pg_stat_activity where usename = 'metricgate_api' and wait_event_type = 'Lock' and datname = current_database()",
            )
          ).rowCount,
      );
    await get().asSuperuser(async (client) => {
      await client.query("begin; lock table warehouse.issue in access exclusive mode");
      const job = await on.pipeline.startJob(ann, { spec: CREATED });
      await expect.poll(waiting, { timeout: 5_000, interval: 20 }).toBe(1);
      const atMs = performance.now();
      await on.pipeline.cancelJob(ann, job);
      await expect.poll(waiting, { timeout: 5_000, interval: 20 }).toBe(0);
      expect(performance.now() - atMs).toBeLessThan(1_000);
      await client.query("commit");
      expect(await on.pipeline.job(ann, job)).toMatchObject({ state: "cancelled", result_id: null });
    });
    const gone = once(worker, "exit");
    worker.kill("SIGTERM");
    await gone;
  }, 60_000);
});
