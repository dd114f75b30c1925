import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { QUEUE_LIMITS } from "../../src/jobs/limits.ts";
import { compile } from "../../src/sql/compile.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { statementColumns } from "../../src/plan/columns.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { tenantPrologue } from "../../src/execute/tenant-transaction.ts";
import type { Tenant } from "../../src/tenant.ts";
import { shippedCatalog } from "../support/answers.ts";
import { testPrincipal } from "../support/tenants.ts";
import { BY_ISSUE, CREATED, describeOnEachQueue, failure, tenantWith } from "./stage.ts";

describeOnEachQueue("background jobs", (get, open) => {
  let ours: Tenant;
  let theirs: Tenant;
  beforeAll(async () => {
    ours = await tenantWith(get(), 1, 120);
    theirs = await tenantWith(get(), 2, 7);
  }, 60_000);

  test("a job waits, runs, and leaves a result that is paged like any other", async () => {
    await using on = await open();
    const ann = testPrincipal(ours, "ann");
    const started = await on.pipeline.startJob(ann, { spec: BY_ISSUE });
    expect(started).toMatchObject({ state: "queued", priority: "high", attempts: 0, result_id: null });
    expect(started.job_id).toMatch(/^job_[\w-]{22}$/);
    await on.work();
    const job = await on.ended(ann, started.job_id);
    expect(job).toMatchObject({ state: "done", attempts: 1, error: null, progress: { rows: 120 } });
    const id = job.result_id ?? "";
    const direct = await on.pipeline.run(ann, { ...BY_ISSUE, limit: 1000 });
    const rest = await on.pipeline.page(ann, { result_id: direct.meta.result_id, limit: 1000 });
    const first = await on.pipeline.page(ann, { result_id: id, limit: 100 });
    const second = await on.pipeline.page(ann, { result_id: id, limit: 100, cursor: first.data.next_cursor });
    expect([...first.data.rows, ...second.data.rows]).toEqual(rest.data.rows);
    expect(second.data).toMatchObject({ total: 120, next_cursor: null });
    expect(first.data.columns).toEqual(direct.data.columns);
    expect(first.meta).toMatchObject({
      result_id: id,
      summary: direct.meta.summary,
      metrics_used: direct.meta.metrics_used,
      warnings: direct.meta.warnings,
    });
    expect((await failure(on.pipeline.page(ann, { result_id: id, cursor: Buffer.from("o:120").toString("base64url") }))).code).toBe(
      "NOT_FOUND",
    );
  });

  test("a number that a job found opens up like any other", async () => {
    await using on = await open();
    await on.work();
    const ann = testPrincipal(ours, "ann");
    const spec = { ...CREATED, dimensions: ["project_key"], time: { grain: "month", range: "last_12_months" }, totals: true };
    const { result_id } = await on.ended(ann, (await on.pipeline.startJob(ann, { spec })).job_id);
    const direct = await on.pipeline.run(ann, spec);
    expect(direct.data.rows.length).toBeGreaterThan(3);
    for (const row of [0, 2, String(direct.data.rows.length - 1), "totals"]) {
      const opened = await on.pipeline.drill(ann, { result_id: result_id ?? "", row, measure: "n" });
      const own = await on.pipeline.drill(ann, { result_id: direct.meta.result_id, row, measure: "n" });
      expect(opened.data.rows).toEqual(own.data.rows);
      expect({ ...opened.meta, result_id: "" }).toEqual({ ...own.meta, result_id: "" });
      expect(opened.data.total).toBe(opened.meta.number);
      expect(opened.meta.warnings).toEqual([]);
    }
    const beyond = await failure(on.pipeline.drill(ann, { result_id: result_id ?? "", row: direct.data.rows.length, measure: "n" }));
    expect(beyond.details.problems?.[0]).toMatchObject({ code: "BAD_VALUE", path: "row" });
  });

  test("what a job found can be a filter's values, for whoever ordered it", async () => {
    await using on = await open();
    await on.work();
    const ann = testPrincipal(ours, "ann");
    const spec = { ...CREATED, dimensions: ["issue_key"], limit: 3 };
    const { result_id } = await on.ended(ann, (await on.pipeline.startJob(ann, { spec })).job_id);
    const those = { ...CREATED, dimensions: ["issue_key"], filters: [{ field: "issue_key", op: "in", values: [result_id] }] };
    expect((await on.pipeline.run(ann, those)).data.rows).toEqual((await on.pipeline.run(ann, spec)).data.rows);
    const refused = await failure(on.pipeline.run(testPrincipal(theirs, "eve"), those));
    expect(refused.details.problems?.[0]).toMatchObject({ code: "BAD_VALUE", path: "filters[0].values" });
    const { result_id: large } = await on.ended(ann, (await on.pipeline.startJob(ann, { spec: BY_ISSUE })).job_id);
    const many = await on.pipeline.run(ann, { ...those, filters: [{ field: "issue_key", op: "in", values: [large] }] });
    expect(many.data.total).toBe(120);
  });

  test("what is told of somebody else's takes as long as what is told of nothing", async () => {
    await using on = await open();
    await on.work();
    const ann = testPrincipal(ours, "ann");
    const eve = testPrincipal(theirs, "eve");
    const { job_id } = await on.pipeline.startJob(ann, { spec: BY_ISSUE });
    const foreign = { job_id, result_id: (await on.ended(ann, job_id)).result_id ?? "" };
    const absent = { job_id: `job_${"A".repeat(22)}`, result_id: `res_${"A".repeat(22)}` };
    const calls = {
      job: ({ job_id: id }: typeof foreign) => on.pipeline.job(eve, { job_id: id }),
      page: ({ result_id: id }: typeof foreign) => on.pipeline.page(eve, { result_id: id }),
      drill: ({ result_id: id }: typeof foreign) => on.pipeline.drill(eve, { result_id: id, row: 0, measure: "n" }),
    };
    for (const [name, call] of Object.entries(calls)) {
      const tookMs = { foreign: [] as number[], absent: [] as number[] };
      const before = on.observed.length;
      // In turns, so that whatever else the machine does is shared.
      for (let at = 0; at < 100; at += 1)
        for (const [whose, handles] of [["foreign", foreign] as const, ["absent", absent] as const]) {
          const startMs = performance.now();
          expect((await failure(call(handles))).code).toBe("NOT_FOUND");
          tookMs[whose].push(performance.now() - startMs);
        }
      const median = (values: number[]): number => values.toSorted((a, b) => a - b)[50] ?? Number.NaN;
      expect(Math.abs(median(tookMs.foreign) - median(tookMs.absent)), name).toBeLessThan(0.5 * median(tookMs.absent) + 0.5);
      // Whoever waits for the job looks for it too, inside the other tenant's wall.
      const looks = on.observed
        .slice(before)
        .flatMap((one) => (one.kind === "handle_looked_up" && one.tenantId === eve.tenant.id ? [one.isFound] : []));
      expect(looks, name).toEqual(Array.from({ length: 200 }, () => false));
    }
  });

  test("job and result are not there for anybody else", async () => {
    await using on = await open();
    await on.work();
    const ann = testPrincipal(ours, "ann");
    const { job_id } = await on.pipeline.startJob(ann, { spec: CREATED });
    const { result_id } = await on.ended(ann, job_id);
    const others = [
      testPrincipal(ours, "ben"),
      testPrincipal(ours, "ann", { allowed: { projects: ["T1"] } }),
      testPrincipal(theirs, "ann"),
    ];
    for (const other of others) {
      for (const call of ["job", "cancelJob"] as const) {
        const foreign = await failure(on.pipeline[call](other, { job_id }));
        const absent = await failure(on.pipeline[call](other, { job_id: `job_${"A".repeat(22)}` }));
        expect([foreign.code, foreign.message, foreign.details.next]).toEqual([absent.code, absent.message, absent.details.next]);
        expect(foreign.code).toBe("NOT_FOUND");
      }
      expect((await failure(on.pipeline.page(other, { result_id: result_id ?? "" }))).code).toBe("NOT_FOUND");
    }
  });

  test("an idempotency key starts one job, for one spec, of one principal", async () => {
    await using on = await open();
    const ann = testPrincipal(ours, "ann");
    const order = { spec: CREATED, idempotency_key: "monthly" };
    const made = await Promise.all([on.pipeline.startJob(ann, order), on.pipeline.startJob(ann, order), on.pipeline.startJob(ann, order)]);
    expect(new Set(made.map(({ job_id }) => job_id)).size).toBe(1);
    expect((await failure(on.pipeline.startJob(ann, { ...order, spec: BY_ISSUE }))).details.problems?.[0]?.path).toBe("idempotency_key");
    const bens = await on.pipeline.startJob(testPrincipal(ours, "ben"), order);
    expect(bens.job_id).not.toBe(made[0].job_id);
    await on.work();
    await on.ended(ann, made[0].job_id);
    expect((await on.pipeline.startJob(ann, order)).state).toBe("done");
  });

  test("a wrong spec is refused before it is a job; one beyond the interactive limit is not", async () => {
    await using on = await open();
    const ann = testPrincipal(ours, "ann");
    expect((await failure(on.pipeline.startJob(ann, { spec: { measures: [{ name: "nope" }] } }))).code).toBe("SPEC_INVALID");
    expect((await failure(on.pipeline.startJob(ann, { spec: { ...CREATED, limit: 100_001 } }))).code).toBe("SPEC_INVALID");
    const refused = await failure(on.pipeline.run(ann, BY_ISSUE));
    expect(refused.details.next).toContain(`start_job ${JSON.stringify({ spec: BY_ISSUE })}`);
  });

  test("high comes before low, each in the order of its start, and nobody's jobs before all of another's", async () => {
    await using on = await open();
    const start = async (tenant: Tenant, user: string, priority: "high" | "low") =>
      [testPrincipal(tenant, user), (await on.pipeline.startJob(testPrincipal(tenant, user), { spec: CREATED, priority })).job_id] as const;
    const jobs = [];
    for (const name of ["low1", "low2"]) jobs.push(await start(ours, name, "low"));
    for (let at = 1; at <= 10; at += 1) jobs.push(await start(ours, `a${at}`, "high"));
    for (let at = 1; at <= 3; at += 1) jobs.push(await start(theirs, `b${at}`, "high"));
    await on.work();
    const began: { user: string; at: string }[] = [];
    for (const [principal, id] of jobs) {
      const { state, started_at: at } = await on.ended(principal, id);
      expect(state).toBe("done");
      began.push({ user: principal.user, at: at ?? "" });
    }
    const order = began.toSorted((a, b) => a.at.localeCompare(b.at)).map(({ user }) => user);
    const highs = (letter: string, count: number) => Array.from({ length: count }, (_, at) => `${letter}${at + 1}`);
    expect(order.filter((user) => !user.startsWith("b"))).toEqual([...highs("a", 10), "low1", "low2"]);
    expect(order.filter((user) => user.startsWith("b"))).toEqual(highs("b", 3));
    expect(order.indexOf("b3")).toBeLessThan(order.indexOf("a10"));
  });

  test("what may pass is tried three times, ever later; what will not is tried once", async () => {
    const tried: Record<string, number[]> = {};
    await using on = await open({
      answer: () => async (principal) => {
        (tried[principal.user] ??= []).push(performance.now());
        throw new AppError(principal.user === "wrong" ? "TOO_LARGE" : "UNAVAILABLE", "No.", { next: "Do." });
      },
    });
    await on.work();
    const [away, wrong] = [testPrincipal(ours, "away"), testPrincipal(theirs, "wrong")];
    const [one, other] = await Promise.all([on.pipeline.startJob(away, { spec: CREATED }), on.pipeline.startJob(wrong, { spec: CREATED })]);
    expect(await on.ended(away, one.job_id)).toMatchObject({
      state: "failed",
      attempts: 3,
      error: { code: "UNAVAILABLE", message: "No.", next: "Do." },
    });
    expect(await on.ended(wrong, other.job_id)).toMatchObject({ state: "failed", attempts: 1, error: { code: "TOO_LARGE" } });
    const [first = 0, second = 0, third = 0] = tried["away"] ?? [];
    expect(tried["away"]).toHaveLength(3);
    expect(second - first).toBeGreaterThan(QUEUE_LIMITS.backoffMs * 0.9);
    expect(third - second).toBeGreaterThan(QUEUE_LIMITS.backoffMs * 1.8);
  }, 20_000);

  test("a failure that passes leaves a job that is done", async () => {
    let calls = 0;
    await using on = await open({
      answer: (own) => async (principal, spec, options) => {
        calls += 1;
        if (calls === 1) throw new AppError("BUSY", "Later.");
        return own(principal, spec, options);
      },
    });
    await on.work();
    const ann = testPrincipal(ours, "ann");
    const { job_id } = await on.pipeline.startJob(ann, { spec: CREATED });
    expect(await on.ended(ann, job_id)).toMatchObject({ state: "done", attempts: 2, error: null });
  }, 20_000);

  test("cancelling ends what waits and what runs, within a second", async () => {
    const ended: number[] = [];
    await using on = await open({
      answer:
        () =>
        async (_principal, _spec, { signal }) => {
          await sleep(20_000, undefined, { signal }).catch(() => ended.push(performance.now()));
          throw new AppError("CANCELLED", "The call was cancelled.");
        },
    });
    const ann = testPrincipal(ours, "ann");
    const waits = await on.pipeline.startJob(ann, { spec: CREATED });
    expect(await on.pipeline.cancelJob(ann, waits)).toMatchObject({ state: "cancelled" });
    await on.work();
    const runs = await on.pipeline.startJob(ann, { spec: CREATED });
    await expect.poll(async () => (await on.pipeline.job(ann, runs)).state, { timeout: 5_000 }).toBe("running");
    const atMs = performance.now();
    expect(await on.pipeline.cancelJob(ann, runs)).toMatchObject({ state: "cancelled", result_id: null });
    await expect.poll(() => ended.length, { timeout: 5_000 }).toBe(1);
    expect((ended[0] ?? 0) - atMs).toBeLessThan(1_000);
    expect(await on.pipeline.cancelJob(ann, runs)).toMatchObject({ state: "cancelled" });
    expect(await on.pipeline.job(ann, waits)).toMatchObject({ state: "cancelled", attempts: 0 });
  }, 20_000);

  test("a tenant has so many jobs and no more; others go on", async () => {
    await using on = await open();
    const crowd = await tenantWith(get(), 3, 1);
    const cem = testPrincipal(crowd, "cem");
    const all = await Promise.allSettled(
      Array.from({ length: QUEUE_LIMITS.openPerTenant + 3 }, () => on.pipeline.startJob(cem, { spec: CREATED })),
    );
    const refused = all.flatMap((one) => (one.status === "rejected" ? [one.reason as AppError] : []));
    expect(refused).toHaveLength(3);
    expect(refused[0]).toMatchObject({ code: "BUSY", details: { retryAfterSeconds: QUEUE_LIMITS.retrySeconds } });
    const ann = testPrincipal(ours, "ann");
    const { job_id } = await on.pipeline.startJob(ann, { spec: CREATED });
    await on.work();
    expect(await on.ended(ann, job_id)).toMatchObject({ state: "done" });
    for (const one of all)
      if (one.status === "fulfilled") expect(await on.ended(cem, one.value.job_id)).toMatchObject({ state: "done", attempts: 1 });
  }, 90_000);

  test("what a job found is kept for a day, and the job with it", async () => {
    await using on = await open();
    await on.work();
    const ann = testPrincipal(ours, "ann");
    const ask = async () => on.ended(ann, (await on.pipeline.startJob(ann, { spec: CREATED })).job_id);
    const { job_id, result_id: id } = await ask();
    const age = (sql: string) => get().asSuperuser((client) => client.query(sql, [job_id]));
    const expiry = await get().asSuperuser((client) =>
      client.query<{ hours: number }>(
        "select extract(epoch from expires_at - created_at)::int / 3600 as hours from jobs.result where job_id = $1",
        [job_id],
      ),
    );
    expect(expiry.rows).toEqual([{ hours: QUEUE_LIMITS.keptHours }]);
    await age("update jobs.result set expires_at = now() where job_id = $1");
    for (const read of [
      () => on.pipeline.page(ann, { result_id: id ?? "" }),
      () => on.pipeline.drill(ann, { result_id: id ?? "", row: 0, measure: "n" }),
    ])
      expect((await failure(read())).code).toBe("NOT_FOUND");
    await age("update jobs.job set finished_at = now() - interval '25 hours' where job_id = $1");
    await ask();
    expect((await failure(on.pipeline.job(ann, { job_id }))).code).toBe("NOT_FOUND");
    const left = await get().asSuperuser((client) =>
      client.query("select 1 from jobs.result_chunk c where not exists (select from jobs.result r where r.result_id = c.result_id)"),
    );
    expect(left.rowCount).toBe(0);
  });

  test("a tenant's results have so much room and no more: its oldest leaves, nobody else's", async () => {
    await using on = await open();
    await on.work();
    const [ann, eve] = [testPrincipal(ours, "ann"), testPrincipal(theirs, "eve")];
    const ask = async (principal: typeof ann) =>
      (await on.ended(principal, (await on.pipeline.startJob(principal, { spec: CREATED })).job_id)).result_id ?? "";
    const [old, foreign, young] = [await ask(ann), await ask(eve), await ask(ann)];
    // As if it were as large as all of them may be together.
    await get().asSuperuser((client) =>
      client.query("update jobs.result set bytes = $2 where result_id = any ($1)", [[old, foreign], QUEUE_LIMITS.tenantBytes]),
    );
    const newest = await ask(ann);
    expect((await failure(on.pipeline.page(ann, { result_id: old }))).code).toBe("NOT_FOUND");
    for (const [principal, id] of [
      [ann, young],
      [ann, newest],
      [eve, foreign],
    ] as const)
      expect((await on.pipeline.page(principal, { result_id: id })).data.rows).toHaveLength(1);
  });

  test("columns of a statement that is read in pieces are those that it has", async () => {
    const catalog = await shippedCatalog();
    const principal = testPrincipal(ours);
    for (const spec of [
      CREATED,
      { ...BY_ISSUE, totals: true, filters: [{ field: "issue_type", op: "=", values: ["Bog"] }] },
      { measures: [{ name: "lead_time" }, { name: "wip" }], time: { grain: "month", range: "last_6_months", compare: "previous_period" } },
    ]) {
      const parsed = parseSpec(spec, { catalog, defaultTimezone: "UTC", maxRows: 100_000 });
      if (!("spec" in parsed)) throw new Error(JSON.stringify(parsed.problems));
      const plan = buildPlan(parsed.spec, { catalog, now: new Date("2024-11-20T12:00:00Z"), weekStart: 1 });
      const { columns } = await get().database.read({
        prologue: tenantPrologue(ours, { timeoutMs: 10_000 }),
        statement: compile(plan, principal, catalog),
        timeoutMs: 10_000,
      });
      expect(statementColumns(plan)).toEqual(columns);
    }
  });
});
