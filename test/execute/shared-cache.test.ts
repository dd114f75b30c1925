import { randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { layeredAnswerCache, memoryAnswerCache } from "../../src/cache/answer-cache.ts";
import { redisAnswerCache } from "../../src/cache/redis-answer-cache.ts";
import { connectRedis } from "../../src/cache/redis-connection.ts";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import { CACHE_LIMITS } from "../../src/execute/limits.ts";
import { importInto } from "../../src/ingest/import.ts";
import { createPipeline } from "../../src/pipeline.ts";
import { issue } from "../ingest/records.ts";
import { sourceOf } from "../ingest/support.ts";
import { shippedCatalog } from "../support/answers.ts";
import { describeOnEachDatabase, type TestDatabase } from "../support/databases.ts";
import { describeOnRedis, ownRedis } from "../support/redis.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const TENANT = testTenant({ id: 1 });
const ANN = testPrincipal(TENANT);
const SPEC = { measures: [{ name: "issues_created" }], dimensions: ["project_key"] };

/** One process's product: its own memory, the others' Redis. */
async function processOn({ database }: TestDatabase, url: string, version: string) {
  const redis = connectRedis(url, () => undefined);
  onTestFinished(() => redis.close());
  const far = redisAnswerCache(redis, { version, maxEntryBytes: CACHE_LIMITS.maxEntryBytes });
  const pipeline = createPipeline({
    catalog: await shippedCatalog(),
    database: async () => database,
    results: memoryResultStore({ maxBytes: 2 ** 20, maxTenantBytes: 2 ** 20 }),
    observe: () => undefined,
    now: () => new Date("2024-06-15T12:00:00Z"),
    cache: layeredAnswerCache(memoryAnswerCache(CACHE_LIMITS), far),
  });
  const ask = async () => (await pipeline.run(ANN, SPEC)).data;
  return { ask, up: () => expect.poll(() => redis.isUp(), { timeout: 10_000, interval: 20 }).toBe(true) };
}

describeOnRedis("processes that share a Redis", () => {
  describeOnEachDatabase("and a database", (get) => {
    const load = (key: string) => importInto(get().database, TENANT, { instanceId: "inst1", source: sourceOf([issue(key)]) });

    test("share answers, see each import, and go on when Redis goes", { timeout: 60_000 }, async () => {
      await load("A-1");
      await using server = await ownRedis();
      const version = randomUUID();
      const [one, two] = [await processOn(get(), server.url, version), await processOn(get(), server.url, version)];
      expect(await one.ask()).toMatchObject({ cached: false, rows: [["A", 1]] });
      await server.start();
      await Promise.all([one.up(), two.up()]);
      await load("A-2");
      expect(await one.ask()).toMatchObject({ cached: false, rows: [["A", 2]] });
      expect(await two.ask()).toMatchObject({ cached: true, rows: [["A", 2]] });
      await load("A-3");
      expect(await two.ask()).toMatchObject({ cached: false, rows: [["A", 3]] });
      expect(await one.ask()).toMatchObject({ cached: true, rows: [["A", 3]] });
      await server.stop();
      expect(await one.ask()).toMatchObject({ cached: true, rows: [["A", 3]] });
      await load("A-4");
      expect([await one.ask(), await two.ask()]).toMatchObject([
        { cached: false, rows: [["A", 4]] },
        { cached: false, rows: [["A", 4]] },
      ]);
      await server.start();
      await Promise.all([one.up(), two.up()]);
      await load("A-5");
      await one.ask();
      expect(await two.ask()).toMatchObject({ cached: true, rows: [["A", 5]] });
    });
  });

  describeOnEachDatabase("but not the database, never share", (get) => {
    describeOnEachDatabase("an answer", (other) => {
      test("of the same tenant, version and question", { timeout: 60_000 }, async () => {
        await using server = await ownRedis();
        await server.start();
        for (const [database, keys] of [
          [get(), ["A-1"]],
          [other(), ["B-1", "B-2"]],
        ] as const)
          await importInto(database.database, TENANT, { instanceId: "inst1", source: sourceOf(keys.map((key) => issue(key))) });
        const version = randomUUID();
        const [one, two] = [await processOn(get(), server.url, version), await processOn(other(), server.url, version)];
        await Promise.all([one.up(), two.up()]);
        expect((await one.ask()).rows).toEqual([["A", 1]]);
        expect(await two.ask()).toMatchObject({ cached: false, rows: [["B", 2]] });
      });
    });
  });
});
