import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { openNative } from "../../src/db/native.ts";
import { answerWriter, type AnswerWriter } from "../../src/jobs/answer-writer.ts";
import { ANSWER_LIMITS, WRITE_PACE } from "../../src/jobs/limits.ts";
import { storedResults } from "../../src/jobs/results.ts";
import { must } from "../../src/must.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { openProduct } from "../../src/product.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { Principal } from "../../src/tenant.ts";
import { CATALOG_DIRECTORY } from "../support/answers.ts";
import { describeOnEachDatabase, describeOnNative } from "../support/databases.ts";
import { faultProxy } from "../support/fault-proxy.ts";
import { connect } from "../support/mcp-clients.ts";
import { createScratch, nativeTestUrl } from "../support/native-database.ts";
import { createTenant, testPrincipal } from "../support/tenants.ts";
import { BY_ISSUE, failure, stage, tenantWith, urlOf } from "./stage.ts";

/*
 * What calls were answered outlives the process that answered: written behind the call, under the wall, for whoever asked and nobody else.
 */
const FIXTURE = join(CATALOG_DIRECTORY, "fixture");
const BY_TYPE = { measures: [{ name: "issues_created", as: "n" }], dimensions: ["issue_type"] };
const INTERACTIVE = { ...BY_ISSUE, limit: 1_000 };

const written = (observed: readonly Observation[], outcome: "kept" | "later" | "lost"): number =>
  observed.reduce((sum, one) => sum + (one.kind === "answers_written" && one.outcome === outcome ? one.count : 0), 0);

/** All that can be done with a result, once it is only in the database. */
async function useOf({ pipeline }: { readonly pipeline: Pipeline }, who: Principal, id: string) {
  const page = await pipeline.page(who, { result_id: id });
  const row = page.data.rows[0] ?? [];
  const drilled = await pipeline.drill(who, { result_id: id, row: 0, measure: "n" });
  const chart = await pipeline.chart(who, { result_id: id, format: "svg" });
  const search = await pipeline.search(who, { queries: ["issue"], filters: [{ field: "issue_type", op: "in", values: [id] }] });
  return { page, row, drilled, chart, search };
}

describeOnEachDatabase("what calls were answered", (get) => {
  test("is paged by another process as by the one that answered, also in pieces", async () => {
    const ann = testPrincipal(await tenantWith(get(), 1, 1_000), "ann");
    await using one = await stage(get().database, "one");
    await using other = await stage(get().database, "other");
    const few = await one.pipeline.run(ann, BY_TYPE);
    const many = await one.pipeline.run(ann, INTERACTIVE);
    expect(many.data).toMatchObject({ total: 1_000, truncated: true });
    await expect.poll(() => written(one.observed, "kept"), { timeout: 10_000 }).toBe(2);
    expect(await other.pipeline.page(ann, { result_id: few.meta.result_id })).toEqual({
      ...few,
      meta: { ...few.meta, cache_ttl: expect.any(Number) },
    });
    const rows = [...many.data.rows];
    for (let cursor = many.data.next_cursor; cursor !== null;) {
      const { data } = await other.pipeline.page(ann, { result_id: many.meta.result_id, cursor, limit: 333 });
      rows.push(...data.rows);
      cursor = data.next_cursor;
    }
    expect(rows).toHaveLength(1_000);
    const { data: whole } = await one.pipeline.page(ann, { result_id: many.meta.result_id, limit: 1_000 });
    expect(rows).toEqual(whole.rows);
    const filters = [{ field: "issue_key", op: "in", values: [few.meta.result_id] }];
    expect((await failure(other.pipeline.run(ann, { ...BY_TYPE, filters }))).details.problems?.[0]?.message).toMatch(/issue_key/);
  });

  test("is there for whoever asked alone: not another's, not with less rights, not after its day", async () => {
    const tenant = await tenantWith(get(), 2, 3);
    const foreign = await createTenant(get().database, { id: 3 });
    const ann = testPrincipal(tenant, "ann");
    await using one = await stage(get().database, "one");
    await using other = await stage(get().database, "other");
    const { meta } = await one.pipeline.run(ann, INTERACTIVE);
    await expect.poll(() => written(one.observed, "kept"), { timeout: 10_000 }).toBe(1);
    const request = { result_id: meta.result_id };
    const asked = (who: Principal, id = meta.result_id) => failure(other.pipeline.page(who, { result_id: id }));
    const absent = await asked(ann, "res_AAAAAAAAAAAAAAAAAAAAAA");
    expect(absent).toMatchObject({ code: "NOT_FOUND", details: { next: "Run the spec again; results are kept for a day." } });
    for (const who of [
      testPrincipal(foreign, "ann"),
      testPrincipal(tenant, "ben"),
      testPrincipal(tenant, "ann", { allowed: { projects: ["A"] } }),
      testPrincipal(tenant, "ann", { allowed: { metrics: ["issues_created"] } }),
      testPrincipal(tenant, "ann", { scopes: ["metrics:read"] }),
    ]) {
      const refused = await asked(who);
      expect([refused.code, refused.message, refused.details]).toEqual([absent.code, absent.message, absent.details]);
      expect((await failure(other.pipeline.drill(who, { ...request, row: 0, measure: "n" }))).code).toBe("NOT_FOUND");
    }
    expect((await other.pipeline.page(ann, request)).data.total).toBe(3);
    await get().asSuperuser((client) => client.query("update jobs.result set expires_at = now() where result_id = $1", [meta.result_id]));
    expect((await asked(ann)).message).toBe(absent.message);
  });

  test("takes a tenant's room and no more: the oldest leave, what jobs found and other tenants have stay", async () => {
    const [tenant, neighbour] = [await tenantWith(get(), 4, 2), await createTenant(get().database, { id: 5 })];
    const [ann, ned] = [testPrincipal(tenant, "ann"), testPrincipal(neighbour, "ned")];
    const observed: Observation[] = [];
    await using on = await stage(get().database, "room");
    await on.work();
    const job = await on.ended(ann, (await on.pipeline.startJob(ann, { spec: BY_ISSUE })).job_id);
    const writer = (): AnswerWriter =>
      answerWriter({ database: async () => get().database, observe: (one) => observed.push(one), pace: WRITE_PACE.native });
    const keep = async (who: Principal, answers: readonly [name: string, text: string][]): Promise<void> => {
      const own = writer();
      for (const [name, text] of answers) own.keep(who, { id: idOf(name), answer: { text }, rows: [[name]] }, 100);
      await own.close();
    };
    const results = storedResults(
      async () => get().database,
      () => undefined,
    );
    const left = async (who: Principal, name: string): Promise<boolean> =>
      (await results.page(who, idOf(name), { offset: 0, limit: 1 })) !== undefined;
    await keep(ned, [["neighbour", "x"]]);
    await keep(ann, [["first", "x"]]);
    // By number: as many as may stay are put there at once, older than what comes.
    await get().asSuperuser((client) =>
      client.query(
        `insert into jobs.result (tenant_id, result_id, owner, answer, row_count, bytes, created_at, expires_at)
         select 4, 'res_' || lpad(n::text, 22, '0'), '', '{}', 0, 10, now() - interval '1 hour' + n * interval '1 millisecond', now() + interval '1 hour'
         from generate_series(1, ${ANSWER_LIMITS.perTenant - 1}) n`,
      ),
    );
    await keep(ann, [["second", "x"]]);
    const { rows } = await get().asSuperuser((client) =>
      client.query<{ n: number; oldest: string }>(
        "select count(*)::int as n, min(result_id) filter (where owner = '') as oldest from jobs.result where tenant_id = 4 and job_id is null",
      ),
    );
    expect(rows).toEqual([{ n: ANSWER_LIMITS.perTenant, oldest: `res_${"2".padStart(22, "0")}` }]);
    // By size: the last one leaves room for one more of its kind, which is the one that came before.
    const large = "x".repeat(ANSWER_LIMITS.tenantBytes / 2 - 1_000);
    await keep(ann, [["third", large]]);
    await keep(ann, [["fourth", large]]);
    expect([await left(ann, "third"), await left(ann, "fourth"), await left(ann, "second")]).toEqual([true, true, true]);
    await keep(ann, [["fifth", large]]);
    expect([await left(ann, "third"), await left(ann, "fourth"), await left(ann, "fifth")]).toEqual([false, true, true]);
    expect([await left(ann, "first"), await left(ned, "neighbour")]).toEqual([false, true]);
    expect((await on.pipeline.page(ann, { result_id: must(job.result_id, "a result") })).data.total).toBe(2);
    expect(observed.every((one) => one.kind === "answers_written" && one.outcome === "kept")).toBe(true);
    // Also a process that goes on writing looks again and again.
    const going = writer();
    const stored = () =>
      get().asSuperuser(async (client) => {
        const { rows: counted } = await client.query<{ n: number }>(
          "select count(*)::int as n from jobs.result where tenant_id = 5 and job_id is null",
        );
        return counted[0]?.n ?? 0;
      });
    await get().asSuperuser((client) =>
      client.query(
        `insert into jobs.result (tenant_id, result_id, owner, answer, row_count, bytes, created_at, expires_at)
         select 5, 'res_' || lpad(n::text, 22, '0'), '', '{}', 0, 10, now() - interval '1 hour', now() + interval '1 hour'
         from generate_series(1, ${ANSWER_LIMITS.perTenant}) n`,
      ),
    );
    for (let n = 0; n < 2 * ANSWER_LIMITS.unlooked + 10; n += 1) going.keep(ned, { id: idOf(`n${n}`), answer: {}, rows: [] }, 100);
    await going.close();
    expect(await stored()).toBeGreaterThan(ANSWER_LIMITS.perTenant);
    expect(await stored()).toBeLessThan(ANSWER_LIMITS.perTenant + ANSWER_LIMITS.unlooked);
  }, 60_000);
});

/** A handle that is easy to know again. */
const idOf = (name: string): string => `res_${name.padEnd(22, "_")}`;

const url = nativeTestUrl();
describe.each([["embedded"], ...(url === undefined ? [] : [["native"]])])("a restart (%s)", (mode) => {
  test("loses nothing that was answered: paged, opened up, drawn, named in a filter, taken away", async () => {
    const scratch = mode === "native" ? await createScratch(must(url, "TEST_DATABASE_URL")) : undefined;
    const dataDir = mkdtempSync(join(tmpdir(), "metricgate-answers-"));
    const home: Record<string, string> =
      scratch === undefined ? { METRICGATE_DATA_DIR: dataDir } : { METRICGATE_DATABASE_URL: scratch.url };
    const config = readConfig({ METRICGATE_LOG_LEVEL: "silent", METRICGATE_TENANT: "acme", ...home }, tmpdir());
    try {
      const before = await openProduct(config, {});
      await (await before.tenants()).create({ slug: "acme", name: "Acme", timezone: "UTC", weekStart: 1 });
      await before.importData({ format: "neutral", path: FIXTURE, tenant: "acme", instance: "inst1" });
      await before.rebuildSearch({});
      const types = await before.pipeline.run(await before.identify(), BY_TYPE);
      const keys = await before.pipeline.run(await before.identify(), { ...BY_TYPE, dimensions: ["issue_key"] });
      const found = await before.pipeline.search(await before.identify(), { queries: ["login"] });
      await before.close();

      const after = await openProduct(config, {});
      try {
        const who = await after.identify();
        const used = await useOf(after, who, types.meta.result_id);
        expect(used.page.data).toEqual(types.data);
        expect(used.drilled.data.total).toBe(used.row[1]);
        expect(used.chart.meta.result_id).toBe(types.meta.result_id);
        const filters = [{ field: "issue_key", op: "in", values: [keys.meta.result_id] }];
        const { data } = await after.pipeline.run(who, { ...BY_TYPE, dimensions: [], filters });
        expect(data.rows).toEqual([[keys.data.total]]);
        const hits = await after.pipeline.page(who, { result_id: found.meta.result_id });
        expect(hits.data.total).toBe(found.data.total);
        const { url: edge } = await after.serveHttp("127.0.0.1", 0);
        const file = await fetch(new URL(`/results/${types.meta.result_id}.csv`, must(edge, "a URL")));
        expect([file.status, (await file.text()).trim().split("\r\n").length]).toEqual([200, 1 + types.data.total]);
      } finally {
        await after.close();
      }
    } finally {
      await scratch?.drop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  }, 60_000);
});

describeOnNative("two replicas over HTTP", (get) => {
  test("one opens up, draws and hands out what the other answered", async () => {
    await tenantWith(get(), 1, 60);
    const config = readConfig(
      { METRICGATE_LOG_LEVEL: "silent", METRICGATE_TENANT: "tenant-1", METRICGATE_DATABASE_URL: await urlOf(get()) },
      tmpdir(),
    );
    const replicas = await Promise.all([openProduct(config, {}), openProduct(config, {})]);
    try {
      const urls = await Promise.all(replicas.map(async (one) => must((await one.serveHttp("127.0.0.1", 0)).url, "a URL")));
      await using one = await connect("v2-2026", { url: urls[0] ?? "" });
      await using other = await connect("v2-2026", { url: urls[1] ?? "" });
      const answer = await one.call("run_analytics_spec", { ...BY_ISSUE, limit: 60 });
      const { meta, data } = answer.structuredContent as { meta: { result_id: string }; data: { next_cursor: string } };
      const request = { result_id: meta.result_id };
      // As soon as a client can ask again.
      await expect.poll(async () => (await other.call("get_result", request)).isError ?? false, { timeout: 2_000 }).toBe(false);
      const rest = await other.call("get_result", { ...request, cursor: data.next_cursor });
      expect((rest.structuredContent as { data: { rows: unknown[] } }).data.rows).toHaveLength(10);
      for (const [tool, input] of [
        ["drill_down", { ...request, row: 3, measure: "n" }],
        ["render_chart", request],
      ] as const)
        expect((await other.call(tool, input)).isError ?? false, tool).toBe(false);
      const csv = await other.raw.readResource({ uri: `metricgate://results/${meta.result_id}.csv` });
      expect(JSON.stringify(csv.contents)).toContain("T1-60");
      expect((await (await fetch(new URL(`/results/${meta.result_id}.json`, urls[1]))).json()) as object).toMatchObject({
        data: { total: 60 },
      });
    } finally {
      await Promise.all(replicas.map((replica) => replica.close()));
    }
  }, 60_000);
});

describeOnNative("a database that is away", (get) => {
  test("costs an answer nothing but that it is kept: it is written when it can be", async () => {
    const ann = testPrincipal(await tenantWith(get(), 1, 1), "ann");
    const scratchUrl = await urlOf(get());
    await using proxy = await faultProxy(scratchUrl);
    const behind = openNative({ url: proxy.through(scratchUrl), observe: () => undefined });
    const observed: Observation[] = [];
    const writer = answerWriter({ database: async () => behind, observe: (one) => observed.push(one), pace: WRITE_PACE.native });
    try {
      proxy.newcomers = "reset";
      for (const name of ["one", "two"]) writer.keep(ann, { id: idOf(name), answer: {}, rows: [[name]] }, 100);
      await expect.poll(() => written(observed, "later"), { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
      proxy.newcomers = "pass";
      await expect.poll(() => written(observed, "kept"), { timeout: 10_000 }).toBe(2);
      const results = storedResults(
        async () => get().database,
        () => undefined,
      );
      expect(await results.page(ann, idOf("two"), { offset: 0, limit: 5 })).toMatchObject({ rows: [["two"]], rowCount: 1 });
      expect(written(observed, "lost")).toBe(0);

      proxy.reset();
      proxy.newcomers = "reset";
      for (let n = 0; n < ANSWER_LIMITS.waiting + 5; n += 1) writer.keep(ann, { id: idOf(`n${n}`), answer: {}, rows: [] }, 1);
      await writer.close();
      expect(written(observed, "lost")).toBeGreaterThanOrEqual(5 + WRITE_PACE.native.batch);
      expect(observed.filter(({ kind }) => kind === "unexpected_error")).toEqual([]);
    } finally {
      await behind.close();
    }
  }, 60_000);

  test("what it refuses for good is told, and holds up nobody else's", async () => {
    const [ann, ben] = await Promise.all([2, 3].map(async (id) => testPrincipal(await createTenant(get().database, { id }), "p")));
    const observed: Observation[] = [];
    const { database } = get();
    const writer = answerWriter({ database: async () => database, observe: (one) => observed.push(one), pace: WRITE_PACE.native });
    writer.keep(must(ann, "ann"), { id: "no handle", answer: {}, rows: [] }, 1);
    writer.keep(must(ben, "ben"), { id: idOf("good"), answer: {}, rows: [] }, 1);
    await expect.poll(() => written(observed, "kept"), { timeout: 10_000 }).toBe(1);
    expect(observed.map(({ kind }) => kind)).toEqual(["answers_written", "unexpected_error", "answers_written"]);
    expect(written(observed, "lost")).toBe(1);
    await writer.close();
  });
});
