import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Job } from "../../src/jobs/job.ts";
import { must } from "../../src/must.ts";
import { testPrincipal } from "../support/tenants.ts";
import { CREATED, describeOnEachQueue, failure, tenantWith } from "./stage.ts";

const EVERY_SECOND = "* * * * * *";

describeOnEachQueue("tasks", (get, open) => {
  test("what is past its day leaves by itself, of every tenant; what is not stays", async () => {
    await using on = await open({ tasks: { clean_up: EVERY_SECOND } });
    await on.work();
    const people = await Promise.all([1, 2].map(async (id) => testPrincipal(await tenantWith(get(), id, 1), "ann")));
    const ask = async (principal: (typeof people)[number]) =>
      on.ended(principal, (await on.pipeline.startJob(principal, { spec: CREATED })).job_id);
    const jobs: Record<"old" | "spent" | "young", Job>[] = [];
    for (const principal of people) jobs.push({ old: await ask(principal), spent: await ask(principal), young: await ask(principal) });
    await get().asSuperuser(async (client) => {
      const ids = (which: "old" | "spent") => [jobs.map((own) => own[which].job_id)];
      await client.query("update jobs.job set finished_at = now() - interval '25 hours' where job_id = any ($1)", ids("old"));
      await client.query("update jobs.result set expires_at = now() where job_id = any ($1)", ids("spent"));
    });
    const left = () =>
      get().asSuperuser(async (client) => {
        const { rows } = await client.query<{ jobs: number; results: number; chunks: number }>(
          `select (select count(*)::int from jobs.job) as jobs, (select count(*)::int from jobs.result) as results,
             (select count(*)::int from jobs.result_chunk) as chunks`,
        );
        return rows[0];
      });
    await expect.poll(left, { timeout: 10_000 }).toEqual({ jobs: 4, results: 2, chunks: 2 });
    for (const [at, { old, young }] of jobs.entries()) {
      const principal = must(people[at], "a person");
      expect((await failure(on.pipeline.job(principal, { job_id: old.job_id }))).code).toBe("NOT_FOUND");
      expect((await on.pipeline.page(principal, { result_id: young.result_id ?? "" })).data.rows).toEqual([[1]]);
    }
    expect(on.observed.filter(({ kind }) => kind === "task_ended").every((one) => "outcome" in one && one.outcome === "ok")).toBe(true);
    // The task itself is no job that waits.
    expect(await on.background.waiting()).toBe(0);
  }, 30_000);

  test("popular answers are kept warm by one worker at a time, however many there are", async () => {
    const begun: string[] = [];
    const by = (name: string) => open({ tasks: { warm_up: EVERY_SECOND }, keepWarm: () => void begun.push(name) });
    await using one = await by("one");
    await using other = await by("other");
    await Promise.all([one.work(), other.work()]);
    const startMs = performance.now();
    await expect.poll(() => begun.length, { timeout: 10_000, interval: 50 }).toBeGreaterThan(2);
    expect(begun.length).toBeLessThan((performance.now() - startMs) / 1000 + 3);
  }, 30_000);

  test("a worker begins also in the moment in which another left a run of a task behind", async () => {
    const begun: number[] = [];
    for (let at = 0; at < 12; at += 1) {
      await using on = await open({ tasks: { warm_up: EVERY_SECOND, put_in_line: EVERY_SECOND }, keepWarm: () => void begun.push(at) });
      await on.work();
      // Ends somewhere around the second's turn.
      await sleep(1_000 - (Date.now() % 1_000) + (at - 6) * 4);
    }
    await using last = await open({ tasks: { warm_up: EVERY_SECOND }, keepWarm: () => void begun.push(-1) });
    await last.work();
    await expect.poll(() => begun.at(-1), { timeout: 10_000 }).toBe(-1);
  }, 60_000);

  test("a job that is missing in the line is put there, by one worker however many there are", async () => {
    const principal = testPrincipal(await tenantWith(get(), 3, 3), "ann");
    await using ordering = await open();
    const { job_id } = await ordering.pipeline.startJob(principal, { spec: CREATED });
    await using one = await open({ tasks: { put_in_line: EVERY_SECOND } });
    await using other = await open({ tasks: { put_in_line: EVERY_SECOND } });
    await Promise.all([one.work(), other.work()]);
    await one.ended(principal, job_id);
    // Its row alone, as if the server had ended in between: nobody asks for it.
    await get().asSuperuser((client) =>
      client.query("update jobs.job set state = 'queued', attempts = 0, finished_at = null, result_id = null where job_id = $1", [job_id]),
    );
    await get().asSuperuser((client) => client.query("delete from jobs.result where job_id = $1", [job_id]));
    const state = () =>
      get().asSuperuser(
        async (client) => (await client.query<{ state: string }>("select state from jobs.job where job_id = $1", [job_id])).rows[0]?.state,
      );
    await expect.poll(state, { timeout: 10_000, interval: 100 }).toBe("done");
    const ran = [...one.observed, ...other.observed].filter(({ kind }) => kind === "task_ended").length;
    expect(ran).toBeGreaterThan(0);
    expect(ran).toBeLessThan(13);
  }, 30_000);
});
