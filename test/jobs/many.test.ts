import { expect, test } from "vitest";
import type { Principal } from "../../src/tenant.ts";
import { testPrincipal } from "../support/tenants.ts";
import { CREATED, describeOnEachQueue, tenantWith } from "./stage.ts";

const TENANTS = 20;
const JOBS_EACH = 10;

describeOnEachQueue("200 jobs of 20 tenants", (get, open) => {
  test("each is done once, by either of two workers, with the numbers of its own tenant", async () => {
    await using one = await open();
    await using other = await open();
    const principals: Principal[] = [];
    for (let id = 1; id <= TENANTS; id += 1) principals.push(testPrincipal(await tenantWith(get(), id, id), "ann"));
    await Promise.all([one.work(), other.work()]);
    const orders = principals.flatMap((principal) => Array.from({ length: JOBS_EACH }, () => principal));
    const jobs = await Promise.all(
      orders.map(async (principal) => ({ principal, ...(await one.pipeline.startJob(principal, { spec: CREATED })) })),
    );
    for (const { principal, job_id } of jobs) {
      const ended = await one.ended(principal, job_id);
      expect(ended).toMatchObject({ state: "done", attempts: 1 });
      const page = await other.pipeline.page(principal, { result_id: ended.result_id ?? "" });
      expect(page.data.rows).toEqual([[principal.tenant.id]]);
    }
    const { rows } = await get().asSuperuser((client) =>
      client.query<{ results: number; jobs: number }>(
        "select count(*)::int as results, count(distinct job_id)::int as jobs from jobs.result",
      ),
    );
    expect(rows).toEqual([{ results: 200, jobs: 200 }]);
    const ends = [...one.observed, ...other.observed].filter((seen) => seen.kind === "job_ended");
    expect(ends).toHaveLength(200);
  }, 120_000);

  test("an idle worker picks a job up at once", async () => {
    await using on = await open();
    await on.work();
    const principal = testPrincipal(await tenantWith(get(), 21, 1), "ann");
    const waitedMs: number[] = [];
    for (let at = 0; at < 20; at += 1) {
      const { job_id } = await on.pipeline.startJob(principal, { spec: CREATED });
      const { created_at: created, started_at: started } = await on.ended(principal, job_id);
      waitedMs.push(Date.parse(started ?? "") - Date.parse(created));
    }
    const p95 = waitedMs.toSorted((a, b) => a - b)[18] ?? Number.NaN;
    process.stderr.write(`pick-up: p50 ${waitedMs.toSorted((a, b) => a - b)[9]} ms, p95 ${p95} ms\n`);
    expect(p95).toBeLessThan(1_000);
  }, 60_000);
});
