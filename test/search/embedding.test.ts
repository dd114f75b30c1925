import { afterAll, beforeAll, expect, test } from "vitest";
import { createPipeline, type Pipeline } from "../../src/pipeline.ts";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import type { Database } from "../../src/db/database.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { checkSearch, embedTenants } from "../../src/search-operator.ts";
import type { StoredResult } from "../../src/result/page.ts";
import { embedIssues, type EmbedRun } from "../../src/search/embed-issues.ts";
import { EMBEDDING_LIMITS, type EmbeddingProvider } from "../../src/search/embedding.ts";
import { httpEmbeddings } from "../../src/search/http-embeddings.ts";
import type { SearchRequest } from "../../src/spec/search-request.ts";
import { compileNearest } from "../../src/sql/nearest.ts";
import { tenantPrologue } from "../../src/execute/tenant-transaction.ts";
import { day, issue } from "../ingest/records.ts";
import { shippedCatalog } from "../support/answers.ts";
import { describeOnEachDatabase, describeOnNative } from "../support/databases.ts";
import { createTenant, testPrincipal, testTenant } from "../support/tenants.ts";
import { KEY, Server } from "./served-embeddings.ts";
import { importIssues } from "./support.ts";

const server = new Server();
beforeAll(() => server.start());
afterAll(() => server.stop());

async function pipelineWith(database: Database, embeddings: EmbeddingProvider): Promise<Pipeline> {
  return createPipeline({
    catalog: await shippedCatalog(),
    database: () => Promise.resolve(database),
    results: memoryResultStore<StoredResult>({ maxBytes: 2 ** 24, maxTenantBytes: 2 ** 24 }),
    observe: () => undefined,
    now: () => new Date("2024-06-15T12:00:00Z"),
    embeddings,
  });
}

function embedding(database: Database, tenantId: number, more: Partial<EmbedRun> = {}): Promise<unknown> {
  const withTenant: EmbedRun["withTenant"] = (work) => withTenantWrite(database, tenantId, work);
  return embedIssues({
    tenantId,
    withTenant,
    provider: server.provider(),
    mayIndex: true,
    maxCharacters: 1e9,
    signal: new AbortController().signal,
    ...more,
  });
}

const ISSUES = [
  issue("A-1", { summary: "Application dies at startup", description: "when the profile is old" }),
  issue("A-2", { summary: "Login is refused", description: "after the password was changed" }),
  issue("A-3", { summary: "Invoice shows wrong currency" }),
];

describeOnEachDatabase("embeddings", (get) => {
  const keysOf = async (pipeline: Pipeline, request: SearchRequest, tenantId: number) => {
    const { data, meta } = await pipeline.search(testPrincipal(testTenant({ id: tenantId })), request);
    return { keys: data.hits.map((hit) => hit.issue_key), hits: data.hits, mode: meta.mode, warnings: meta.warnings };
  };

  test("are made by a real server, find what shares no word, and follow imports", async () => {
    const { database } = get();
    await createTenant(database, { id: 1 });
    await importIssues(database, { id: 1 }, ISSUES);
    const pipeline = await pipelineWith(database, server.provider());
    const before = await keysOf(pipeline, { queries: ["crash"] }, 1);
    expect(before.warnings.join()).toMatch(/not embedded yet/);
    expect(await embedding(database, 1)).toEqual({ embedded: 3, pending: 0, refused: 0, characters: 126, ended: "done", dimension: 64 });
    expect(server.asked.at(-1)).toMatchObject({ path: "/v1/embeddings", authorization: `Bearer ${KEY}` });
    const after = await keysOf(pipeline, { queries: ["crash"] }, 1);
    expect(after).toMatchObject({ mode: "hybrid", warnings: [] });
    expect(after.keys[0]).toBe("A-1");
    expect(after.hits[0]?.signals).toMatchObject({ vector: 1, lexical: 0 });
    expect(await embedding(database, 1)).toMatchObject({ embedded: 0, pending: 0, characters: 0, ended: "done" });
    await importIssues(database, { id: 1 }, [issue("A-3", { summary: "Signin fails", updatedAt: day(3) })]);
    expect(await embedding(database, 1)).toMatchObject({ embedded: 1, pending: 0, characters: "Signin fails".length, ended: "done" });
    expect((await keysOf(pipeline, { queries: ["auth"] }, 1)).keys.slice(0, 2).toSorted()).toEqual(["A-2", "A-3"]);
    expect(
      (await keysOf(pipeline, { similar_to: "A-2" }, 1)).hits.find(({ issue_key: key }) => key === "A-3")?.signals["vector"],
    ).toBeGreaterThan(0);
  });

  test("stay within filters and what a principal may see", async () => {
    const { database } = get();
    await createTenant(database, { id: 2 });
    await importIssues(database, { id: 2 }, [...ISSUES, issue("B-1", { summary: "Server dies" })]);
    await embedding(database, 2);
    const pipeline = await pipelineWith(database, server.provider());
    const filters = [{ field: "project_key", op: "=", values: ["A"] }];
    expect((await keysOf(pipeline, { queries: ["crash"], filters }, 2)).keys).not.toContain("B-1");
    const narrow = testPrincipal(testTenant({ id: 2 }), "narrow", { allowed: { projects: ["B"] } });
    const { data } = await pipeline.search(narrow, { queries: ["crash"] });
    expect(data.hits.map((hit) => hit.issue_key)).toEqual(["B-1"]);
  });

  test("are done without where the server fails, hangs or talks nonsense, and nobody is told the key", async () => {
    const { database } = get();
    await createTenant(database, { id: 3 });
    await importIssues(database, { id: 3 }, ISSUES);
    await embedding(database, 3);
    const pipeline = await pipelineWith(database, server.provider());
    for (const how of [{ fail: 500 }, { fail: 401 }, { garbage: true }, { hang: true }]) {
      await server.behave(how);
      const startMs = performance.now();
      const { keys, mode, warnings } = await keysOf(pipeline, { queries: ["login"] }, 3);
      expect(keys).toEqual(["A-2"]);
      expect(mode).toBe("lexical");
      expect(warnings.join()).toMatch(/embedding service .* found by words alone/);
      expect(warnings.join()).not.toContain(KEY);
      expect(performance.now() - startMs).toBeLessThan(EMBEDDING_LIMITS.queryTimeoutMs + 3_000);
    }
    await server.behave({ fail: 503 });
    await expect(embedding(database, 3)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await server.behave({});
    expect(await embedding(database, 3)).toMatchObject({ ended: "done" });
    const gone = await pipelineWith(database, httpEmbeddings({ url: "http://127.0.0.1:9/v1", model: "words-64" }));
    expect((await keysOf(gone, { queries: ["login"] }, 3)).keys).toEqual(["A-2"]);
  });

  test("are taken up where they were left: by budget, by stopping, by one worker at a time", async () => {
    const { database } = get();
    await createTenant(database, { id: 4 });
    const many = Array.from({ length: 200 }, (_, index) => issue(`C-${index + 1}`, { summary: `word${index} `.repeat(20) }));
    await importIssues(database, { id: 4 }, many);
    const progress: number[] = [];
    const first = embedding(database, 4, { maxCharacters: 64 * 200, onProgress: ({ embedded }) => progress.push(embedded) });
    const lengthOf = (from: number): number =>
      many.slice(from, from + 64).reduce((sum, { summary }) => sum + String(summary).trim().length, 0);
    expect(await first).toMatchObject({ embedded: 64, pending: 136, characters: lengthOf(0), ended: "budget" });
    const pipeline = await pipelineWith(database, server.provider());
    expect((await keysOf(pipeline, { queries: ["word3"] }, 4)).warnings.join()).toMatch(/not embedded yet/);
    const controller = new AbortController();
    const stopped = await embedding(database, 4, { signal: controller.signal, onProgress: () => controller.abort() });
    expect(stopped).toMatchObject({ embedded: 64, pending: 72, characters: lengthOf(64), ended: "aborted" });
    const [one, two] = (await Promise.all([embedding(database, 4), embedding(database, 4)])) as { ended: string }[];
    expect([one?.ended, two?.ended].toSorted()).toEqual(["busy", "done"]);
    expect(progress).toEqual([64]);
  });

  test("another model takes over when it is done, and searches keep to the one before until then", async () => {
    const { database } = get();
    await createTenant(database, { id: 5 });
    await importIssues(database, { id: 5 }, ISSUES);
    await embedding(database, 5);
    const next = server.provider("words-32");
    const pipeline = await pipelineWith(database, next);
    const models = () =>
      get().asSuperuser(
        async (client) =>
          (await client.query("select name, dimension, vectors, is_ready from warehouse.search_model where tenant_id = 5 order by 1")).rows,
      );
    expect(await embedding(database, 5, { provider: next, maxCharacters: 1 })).toMatchObject({ ended: "budget" });
    expect(await keysOf(pipeline, { queries: ["crash"] }, 5)).toMatchObject({ mode: "hybrid", warnings: [] });
    expect(await models()).toEqual([
      { name: "words-32", dimension: 32, vectors: 0, is_ready: false },
      { name: "words-64", dimension: 64, vectors: 3, is_ready: true },
    ]);
    expect(await embedding(database, 5, { provider: next })).toMatchObject({ ended: "done" });
    expect(await models()).toEqual([{ name: "words-32", dimension: 32, vectors: 3, is_ready: true }]);
    expect((await keysOf(pipeline, { queries: ["crash"] }, 5)).keys[0]).toBe("A-1");
  });
});

describeOnEachDatabase("embeddings of several tenants", (get) => {
  const settings = () => ({ embeddings: { url: server.url, model: "words-64", key: KEY } });
  const vectorsOf = (tenantId: number): Promise<number> =>
    withTenantWrite(get().database, tenantId, async (client) => {
      const { rows } = await client.query<{ n: number }>("select count(*)::int as n from warehouse.search_embedding where tenant_id = $1", [
        tenantId,
      ]);
      return rows[0]?.n ?? 0;
    });

  test("share one budget", async () => {
    const { database } = get();
    const poison = issue("P-1", { summary: "unspeakable" });
    for (const [id, issues] of [
      [1, [poison]],
      [2, ISSUES],
      [3, ISSUES],
    ] as const) {
      await createTenant(database, { id });
      await importIssues(database, { id }, issues);
    }
    const signal = new AbortController().signal;
    const lengthOf = (issues: typeof ISSUES): number =>
      issues.reduce((sum, { summary, description }) => sum + `${summary}\n${description ?? ""}`.trim().length, 0);
    // Enough for the first two of them.
    const maxCharacters = lengthOf([poison]) + lengthOf(ISSUES);
    const reports = await embedTenants(database, settings(), { maxCharacters, signal });
    expect(reports.map(({ ended, characters }) => [ended, characters])).toEqual([
      ["done", lengthOf([poison])],
      ["done", lengthOf(ISSUES)],
      ["budget", 0],
    ]);
  });

  test("are made of all texts but those that the server refuses, which are left out until they change", async () => {
    const { database } = get();
    await createTenant(database, { id: 4 });
    const many = Array.from({ length: 100 }, (_, index) => issue(`Q-${index + 1}`, { summary: `word${index}` }));
    const refused = [
      issue("Q-7", { summary: "unspeakable" }),
      issue("Q-70", { summary: "unspeakable too" }),
      issue("Q-71", { summary: "unspeakable as well" }),
    ];
    const keys = new Set(refused.map(({ key }) => key));
    await importIssues(database, { id: 4 }, [...many.filter(({ key }) => !keys.has(key)), ...refused]);
    await server.behave({ refuse: "unspeakable" });
    expect(await embedding(database, 4)).toMatchObject({ embedded: 97, pending: 0, refused: 3, ended: "done" });
    // What was refused is not asked again.
    const askedBefore = server.asked.length;
    expect(await embedding(database, 4, { dimension: 64 })).toMatchObject({ embedded: 0, pending: 0, refused: 3, ended: "done" });
    expect(server.asked.length).toBe(askedBefore);
    const model = await checkSearch(database, settings());
    expect(model.find(({ what }) => what === "meaning of tenant-4")).toMatchObject({
      ok: true,
      found: "97 issues embedded, 3 refused by the service until their text changes",
    });
    // An issue whose new text is refused is no longer found by its old one.
    await importIssues(database, { id: 4 }, [
      issue("Q-7", { summary: "speakable", updatedAt: day(3) }),
      issue("Q-1", { summary: "unspeakable now", updatedAt: day(3) }),
    ]);
    expect(await embedding(database, 4)).toMatchObject({ embedded: 1, pending: 0, refused: 3, ended: "done" });
    expect(await vectorsOf(4)).toBe(97);
    // A service that refuses everything is set up wrongly, which is no text's fault.
    await importIssues(database, { id: 4 }, [issue("Q-9", { summary: "anything", updatedAt: day(3) })]);
    await server.behave({ refuse: "" });
    await expect(embedding(database, 4, { dimension: 64 })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await server.behave({});
    expect(await embedding(database, 4)).toMatchObject({ embedded: 1, pending: 0, refused: 3, ended: "done" });
  });
});

const HNSW = /Index Scan using search_embedding_[0-9a-f]{16}/;

describeOnNative("an approximate search", (get) => {
  test("gives every tenant its full share, near enough to exact, at 1, 9 and 90 % of the vectors", async () => {
    const { database } = get();
    const SHARES = [
      [1, 120],
      [2, 1_080],
      [3, 10_800],
    ] as const;
    const model = "test words@32";
    const catalog = await shippedCatalog();
    for (const [id, count] of SHARES) {
      await createTenant(database, { id });
      await importIssues(
        database,
        { id },
        Array.from({ length: count }, (_, index) => issue(`D-${index + 1}`)),
      );
      await withTenantWrite(database, id, async (client) => {
        await client.query(
          "insert into warehouse.search_model (tenant_id, model, name, dimension, is_ready) values ($1, $2, 'words', 32, true)",
          [id, model],
        );
        await client.query(
          `insert into warehouse.search_embedding select tenant_id, $2, issue_no, '', array(select random() - 0.5 from generate_series(1, 32) where issue_no > 0)::real[]
           from warehouse.issue where tenant_id = $1`,
          [id, model],
        );
      });
    }
    await withTenantWrite(database, 1, (client) => client.query("select warehouse.ensure_embedding_index($1, 32)", [model]));
    await get().asSuperuser((client) => client.query("analyze warehouse.search_embedding"));
    const plan = { filters: [], timezone: "UTC", candidates: 50 };
    for (const [id] of SHARES) {
      const principal = testPrincipal(testTenant({ id }));
      // Left alone the planner looks through the few vectors of a small tenant; here the index is to show what it can do.
      const nearest = async (embedding: number[], isExact: boolean): Promise<{ keys: string[]; explained: string }> => {
        const statement = compileNearest({ model, dimension: 32, embedding, isExact, plan }, principal, catalog);
        const prologue = `${tenantPrologue(principal.tenant, { timeoutMs: 20_000 })}${isExact ? "" : "; SET LOCAL enable_sort = off"}`;
        const read = (text: string) => database.read({ prologue, statement: { ...statement, text }, timeoutMs: 20_000 });
        const { columns, rows } = await read(statement.text);
        const at = columns.indexOf("issue_key");
        return { keys: rows.map((row) => String(row[at])), explained: (await read(`explain ${statement.text}`)).rows.flat().join("\n") };
      };
      let shared = 0;
      for (let round = 0; round < 20; round += 1) {
        const embedding = Array.from({ length: 32 }, (_, at) => Math.sin(round * 37 + at * 11));
        const [exact, approximate] = [await nearest(embedding, true), await nearest(embedding, false)];
        expect(exact.keys).toHaveLength(50);
        expect(approximate.keys).toHaveLength(50);
        expect(exact.explained).not.toMatch(HNSW);
        expect(approximate.explained).toMatch(HNSW);
        const found = new Set(approximate.keys);
        shared += exact.keys.filter((key) => found.has(key)).length;
      }
      expect(shared / 1_000, `tenant ${id}`).toBeGreaterThanOrEqual(0.95);
    }
  }, 120_000);
});
