import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { memoryAnswerCache } from "../../src/cache/answer-cache.ts";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import type { Database } from "../../src/db/database.ts";
import { CACHE_LIMITS } from "../../src/execute/limits.ts";
import { serveOverHttp } from "../../src/http/server.ts";
import { importInto } from "../../src/ingest/import.ts";
import { loadPrompts } from "../../src/mcp/prompt-files.ts";
import { createPipeline } from "../../src/pipeline.ts";
import { issue } from "../ingest/records.ts";
import { sourceOf } from "../ingest/support.ts";
import { describeOnEachDatabase, type TestDatabase } from "../support/databases.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { shippedCatalog } from "../support/mcp-pipeline.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const TENANT = testTenant({ id: 1 });
const SPEC = { measures: [{ name: "issues_created" }] };
const ENDLESS = "select count(*) from generate_series(1, 2000000000) as endless";

/** The real stack on a database whose answers never come; `running` counts them. */
async function serve({ database: base }: TestDatabase) {
  const state = { running: 0 };
  const database: Database = {
    ...base,
    read: async (request) => {
      if (!request.statement.text.startsWith("with ")) return base.read(request);
      state.running += 1;
      try {
        return await base.read({ ...request, statement: { text: ENDLESS, values: [] } });
      } finally {
        state.running -= 1;
      }
    },
  };
  const observe = () => undefined;
  const pipeline = createPipeline({
    catalog: await shippedCatalog(),
    database: async () => database,
    results: memoryResultStore({ maxBytes: 2 ** 20, maxTenantBytes: 2 ** 20 }),
    observe,
    now: () => new Date("2024-06-15T12:00:00Z"),
    cache: memoryAnswerCache(CACHE_LIMITS),
  });
  const prompts = await loadPrompts(new URL("../../prompts", import.meta.url).pathname);
  const mcp = { version: "0", pipeline, prompts, identify: () => testPrincipal(TENANT), observe };
  const edge = await serveOverHttp({ host: "127.0.0.1", port: 0, allowedOrigins: [], ready: async () => true, mcp });
  return { url: edge.url, state, [Symbol.asyncDispose]: () => edge.close() };
}

describeOnEachDatabase("a call that two clients wait for", (get) => {
  beforeAll(() => importInto(get().database, TENANT, { instanceId: "inst1", source: sourceOf([issue("A-1")]) }));

  /** Statements that run in the server itself, where it can be asked. */
  const backends = async (): Promise<number | undefined> => {
    if (get().database.mode === "embedded") return undefined;
    return get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ n: number }>(
        "select count(*)::int as n from pg_stat_activity where state = 'active' and query like '% as endless' and datname = current_database()",
      );
      return rows[0]?.n;
    });
  };
  const expectRunning = async (count: number, state: { running: number }): Promise<void> => {
    await expect.poll(() => state.running, { timeout: 5_000 }).toBe(count);
    if (get().database.mode === "native") await expect.poll(backends, { timeout: 5_000 }).toBe(count);
  };

  test.each(GENERATIONS)(
    "goes on when one of them (%s) cancels, and ends in the database when both have",
    { timeout: 30_000 },
    async (generation) => {
      await using server = await serve(get());
      await using one = await connect(generation, { url: server.url });
      await using two = await connect(generation, { url: server.url });
      const aborts = [new AbortController(), new AbortController()] as const;
      const calls = [one, two].map((client, index) => {
        const call = client.call("run_analytics_spec", SPEC, { signal: (aborts[index] ?? aborts[0]).signal });
        call.catch(() => undefined);
        return call;
      });
      await expectRunning(1, server.state);
      await sleep(200);
      aborts[0].abort();
      await expect(calls[0]).rejects.toThrow();
      await sleep(200);
      await expectRunning(1, server.state);
      aborts[1].abort();
      await expect(calls[1]).rejects.toThrow();
      await expectRunning(0, server.state);
    },
  );

  test("ends when their connections are gone", { timeout: 30_000 }, async () => {
    await using server = await serve(get());
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "run_analytics_spec", arguments: SPEC } });
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const aborts = [new AbortController(), new AbortController()] as const;
    const calls = aborts.map(({ signal }) => {
      const call = fetch(server.url, { method: "POST", headers, body, signal }).then((response) => response.text());
      call.catch(() => undefined);
      return call;
    });
    await expectRunning(1, server.state);
    await sleep(200);
    aborts[0].abort();
    await sleep(200);
    await expectRunning(1, server.state);
    aborts[1].abort();
    await expectRunning(0, server.state);
    await expect(Promise.all(calls)).rejects.toThrow();
  });
});
