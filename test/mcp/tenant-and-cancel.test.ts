import { expect, test } from "vitest";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import { serveOverHttp } from "../../src/http/server.ts";
import { demoSource } from "../../src/ingest/demo/demo-source.ts";
import { DEMO_STORY } from "../../src/ingest/demo/story.ts";
import { importInto } from "../../src/ingest/import.ts";
import { loadPrompts } from "../../src/mcp/prompt-files.ts";
import { must } from "../../src/must.ts";
import { createPipeline } from "../../src/pipeline.ts";
import type { Tenant } from "../../src/tenant.ts";
import { describeOnEachDatabase, describeOnNative } from "../support/databases.ts";
import type { TestDatabase } from "../support/databases.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { shippedCatalog } from "../support/mcp-pipeline.ts";
import { createTenant, testPrincipal } from "../support/tenants.ts";

const CREATED = { measures: [{ name: "issues_created" }], dimensions: ["project_key"] };
const NOW = new Date("2026-03-01T00:00:00Z");

/** The real stack on a test's database; `/mcp` answers as the tenant that `tenantOf` names. */
async function serve({ database }: TestDatabase, tenantOf: () => Tenant) {
  const observe = () => undefined;
  const results = memoryResultStore<never>({ maxBytes: 2 ** 24, maxTenantBytes: 2 ** 22 });
  const pipeline = createPipeline({ catalog: await shippedCatalog(), database: async () => database, results, observe, now: () => NOW });
  const prompts = await loadPrompts(new URL("../../prompts", import.meta.url).pathname);
  const mcp = { version: "0", pipeline, prompts, identify: () => testPrincipal(tenantOf()), observe };
  const edge = await serveOverHttp({ host: "127.0.0.1", port: 0, allowedOrigins: [], ready: async () => true, mcp });
  return { url: edge.url, [Symbol.asyncDispose]: () => edge.close() };
}

describeOnEachDatabase("one tenant at the edge", (get) => {
  test("sees nothing of another's data, results and names, by any tool or resource", { timeout: 60_000 }, async () => {
    const [rich, poor] = [await createTenant(get().database, { id: 31 }), await createTenant(get().database, { id: 32 })];
    await importInto(
      get().database,
      { id: rich.id },
      { instanceId: "inst1", source: demoSource({ story: DEMO_STORY, now: NOW }), observe: () => undefined },
    );
    let acting: Tenant = rich;
    await using server = await serve(get(), () => acting);
    await using client = await connect("v2-2026", { url: server.url });

    const own = await client.call("run_analytics_spec", CREATED);
    const { data, meta } = own.structuredContent as { data: { rows: unknown[][] }; meta: { result_id: string } };
    expect(data.rows.length).toBeGreaterThan(1);
    const names = data.rows.map(([key]) => String(key));

    acting = poor;
    const foreign = await client.call("get_result", { result_id: meta.result_id });
    const absent = await client.call("get_result", { result_id: `${meta.result_id.slice(0, -1)}_` });
    expect(foreign).toEqual(absent);
    expect(foreign.isError).toBe(true);
    await expect(client.raw.readResource({ uri: `metricgate://results/${meta.result_id}` })).rejects.toMatchObject({ code: -32602 });
    await expect(client.raw.readResource({ uri: `metricgate://results/${meta.result_id}.csv` })).rejects.toMatchObject({ code: -32602 });
    const asked = await client.call("run_analytics_spec", CREATED);
    const values = await client.call("list_values", { dimension: "project_key" });
    const mistaken = await client.call("run_analytics_spec", {
      ...CREATED,
      filters: [{ field: "project_key", op: "=", values: [`${names[0]}x`] }],
    });
    const completed = await client.raw.complete({
      ref: { type: "ref/prompt", name: "ask_metrics" },
      argument: { name: "project", value: "" },
    });
    expect(completed.completion.values).toEqual([]);
    const told = JSON.stringify([asked, values, mistaken]).replaceAll(`${names[0]}x`, "");
    for (const name of names) expect(told).not.toContain(`"${name}"`);
  });
});

describeOnNative("a cancelled call", (get) => {
  test.each(GENERATIONS)("of %s ends the statement that runs in the database", { timeout: 30_000 }, async (generation) => {
    const tenant = await createTenant(get().database, { id: 33 });
    await using server = await serve(get(), () => tenant);
    await using client = await connect(generation, { url: server.url });
    await get().asSuperuser(async (admin) => {
      const waiting = async (): Promise<number> => {
        const { rows } = await admin.query<{ n: number }>(
          "select count(*)::int as n from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())",
        );
        return must(rows[0], "a count").n;
      };
      await admin.query("begin; lock table warehouse.issue in access exclusive mode");
      const abort = new AbortController();
      const answer = client.call("run_analytics_spec", CREATED, { signal: abort.signal });
      answer.catch(() => undefined);
      await expect.poll(waiting, { timeout: 5000 }).toBe(1);
      abort.abort();
      await expect.poll(waiting, { timeout: 5000 }).toBe(0);
      await expect(answer).rejects.toThrow();
      await admin.query("rollback");
    });
  });
});
