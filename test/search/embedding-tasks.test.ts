import { afterAll, beforeAll, expect, test } from "vitest";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { embeddingTask } from "../../src/search-operator.ts";
import { CREATED, describeOnEachQueue, type Stage } from "../jobs/stage.ts";
import { issue } from "../ingest/records.ts";
import { createTenant, testPrincipal } from "../support/tenants.ts";
import { KEY, Server } from "./served-embeddings.ts";
import { importIssues } from "./support.ts";

/*
 * Embedding by the clock, on the line of jobs: one task a tenant, so that nobody waits for another's trouble.
 */
const EVERY_SECOND = "* * * * * *";
const server = new Server();
beforeAll(() => server.start());
afterAll(() => server.stop());

const outcomes = (observed: readonly Observation[], id: number): string[] =>
  observed.flatMap((one) => (one.kind === "task_ended" && one.tenantId === id ? [one.outcome] : []));

describeOnEachQueue("embedding by the clock", (get, open) => {
  const observed: Observation[] = [];
  const working = async (model = "words-64"): Promise<Stage> => {
    const settings = { url: server.url, model, key: KEY };
    const embed = embeddingTask(
      async () => get().database,
      settings,
      (one) => observed.push(one),
    );
    const on = await open({ tasks: { embed: EVERY_SECOND }, tenantTasks: { embed } });
    await on.work();
    return on;
  };
  const tenantOf = async (id: number, issues: number, word = "word"): Promise<void> => {
    await createTenant(get().database, { id });
    await importIssues(
      get().database,
      { id },
      Array.from({ length: issues }, (_, at) => issue(`K${id}-${at + 1}`, { summary: `${word}${at} of ${id}` })),
    );
  };
  const vectors = (id: number): Promise<number> =>
    withTenantWrite(get().database, id, async (client) => {
      const { rows } = await client.query<{ n: number }>(
        "select count(*)::int as n from warehouse.search_embedding e join warehouse.search_model m using (tenant_id, model) where tenant_id = $1 and is_ready",
        [id],
      );
      return rows[0]?.n ?? 0;
    });

  test("embeds every tenant, goes on after imports, and costs the service nothing while nothing changes", async () => {
    await server.behave({});
    await tenantOf(1, 130);
    await tenantOf(2, 3);
    await using on = await working();
    await expect.poll(() => Promise.all([vectors(1), vectors(2)]), { timeout: 20_000 }).toEqual([130, 3]);
    expect(observed).toContainEqual({ kind: "embedded", tenantId: 1, embedded: 130, pending: 0, refused: 0 });
    const [asked, rounds] = [server.asked.length, outcomes(on.observed, 2).length];
    await expect.poll(() => outcomes(on.observed, 2).length, { timeout: 10_000 }).toBeGreaterThan(rounds + 1);
    expect(server.asked.length).toBe(asked);
    await tenantOf(2, 5);
    await expect.poll(() => vectors(2), { timeout: 10_000 }).toBe(5);
    // Jobs go on beside it.
    const ann = testPrincipal(await createTenant(get().database, { id: 2 }), "ann");
    expect(await on.ended(ann, (await on.pipeline.startJob(ann, { spec: CREATED })).job_id)).toMatchObject({ state: "done" });
  }, 60_000);

  test("one tenant's trouble is tried again, ever later and told to the operator, and holds up nobody else", async () => {
    await tenantOf(3, 2, "troublesome");
    await tenantOf(4, 2);
    await server.behave({ failOn: "troublesome" });
    const on = await working("words-32");
    try {
      await expect.poll(() => vectors(4), { timeout: 20_000 }).toBe(2);
      await expect.poll(() => outcomes(on.observed, 3), { timeout: 20_000 }).toEqual(["UNAVAILABLE"]);
      const page = async (): Promise<string> =>
        (await on.background.page("/api/queues?activeQueue=metricgate-jobs&status=delayed&page=1&jobsPerPage=20", "/")).text();
      await expect.poll(page, { timeout: 5_000 }).toContain("The embedding service answered with status 503.");
      expect(await page()).toContain('"tenantId":3');
      expect(await page()).not.toContain("troublesome");
      await server.behave({});
      await expect.poll(() => vectors(3), { timeout: 20_000 }).toBe(2);
      expect(outcomes(on.observed, 3).slice(0, 2)).toEqual(["UNAVAILABLE", "ok"]);
    } finally {
      await on[Symbol.asyncDispose]();
    }
  }, 60_000);

  test("what a worker left is taken up by the next", async () => {
    await server.behave({ delayMs: 700 });
    await tenantOf(5, 400);
    const first = await working("words-16");
    const some = (): Promise<number> =>
      withTenantWrite(get().database, 5, async (client) => {
        const { rows } = await client.query<{ n: number }>(
          "select count(*)::int as n from warehouse.search_embedding where tenant_id = 5 and model like '%@16'",
        );
        return rows[0]?.n ?? 0;
      });
    await expect.poll(some, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
    await first[Symbol.asyncDispose]();
    const left = await some();
    expect(left).toBeLessThan(400);
    await server.behave({});
    await using second = await working("words-16");
    await expect.poll(() => vectors(5), { timeout: 30_000 }).toBe(400);
    expect(outcomes(second.observed, 5)).toContain("ok");
  }, 90_000);
});
