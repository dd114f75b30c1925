import { expect, test } from "vitest";
import { layeredAnswerCache, memoryAnswerCache } from "../../src/cache/answer-cache.ts";

const BIG = { maxBytes: 1e6, maxTenantBytes: 1e6, maxEntryBytes: 1e6 };
const answer = (text: string, expiresAtMs = 1_000) => ({ text, expiresAtMs });

test("an answer is there for its tenant until it ends, and for nobody else", async () => {
  let nowMs = 0;
  const cache = memoryAnswerCache({ ...BIG, nowMs: () => nowMs });
  await cache.put(1, "k", answer("rows"));
  expect(await cache.get(1, "k")).toEqual(answer("rows"));
  expect(await cache.get(2, "k")).toBeUndefined();
  expect(await cache.get(1, "other")).toBeUndefined();
  nowMs = 999;
  expect(await cache.get(1, "k")).toBeDefined();
  nowMs = 1_000;
  expect(await cache.get(1, "k")).toBeUndefined();
});

test("a tenant makes room at its own cost, the least recently used first", async () => {
  const entryBytes = 500 + 2 * 100;
  const cache = memoryAnswerCache({ ...BIG, maxBytes: 10 * entryBytes, maxTenantBytes: 3 * entryBytes, nowMs: () => 0 });
  const text = "x".repeat(100);
  await cache.put(2, "theirs", answer(text));
  for (const key of ["a", "b", "c"]) await cache.put(1, key, answer(text));
  await cache.get(1, "a");
  await cache.put(1, "d", answer(text));
  const held = async (tenantId: number, keys: readonly string[]) => {
    const found = await Promise.all(keys.map((key) => cache.get(tenantId, key)));
    return keys.filter((_, index) => found[index] !== undefined);
  };
  expect(await held(1, ["a", "b", "c", "d"])).toEqual(["a", "c", "d"]);
  expect(await held(2, ["theirs"])).toEqual(["theirs"]);
});

test("all tenants together stay within the whole, and a replaced answer counts once", async () => {
  const entryBytes = 500 + 2 * 100;
  const cache = memoryAnswerCache({ maxBytes: 4 * entryBytes, maxTenantBytes: 3 * entryBytes, maxEntryBytes: 1e6, nowMs: () => 0 });
  const text = "x".repeat(100);
  for (let time = 0; time < 5; time += 1) await cache.put(1, "same", answer(text));
  for (const tenantId of [2, 3, 4]) await cache.put(tenantId, `k${tenantId}`, answer(text));
  expect(await cache.get(1, "same")).toBeDefined();
  await cache.put(5, "k5", answer(text));
  const found = await Promise.all([cache.get(1, "same"), ...[2, 3, 4, 5].map((tenantId) => cache.get(tenantId, `k${tenantId}`))]);
  expect(found.filter((one) => one !== undefined)).toHaveLength(4);
  expect(found[1]).toBeUndefined();
  // The share of a tenant whose answer left by age is free again.
  for (const key of ["a", "b", "c"]) await cache.put(2, key, answer(text));
  expect(await Promise.all(["a", "b", "c"].map((key) => cache.get(2, key)))).not.toContain(undefined);
});

test("what is larger than an entry may be is not kept", async () => {
  const cache = memoryAnswerCache({ ...BIG, maxEntryBytes: 700, nowMs: () => 0 });
  await cache.put(1, "fits", answer("x".repeat(100)));
  await cache.put(1, "not", answer("x".repeat(101)));
  expect([await cache.get(1, "fits"), await cache.get(1, "not")]).toEqual([answer("x".repeat(100)), undefined]);
  await cache.close();
  expect(await cache.get(1, "fits")).toBeUndefined();
});

test("the near cache answers first, and learns what the far one knew with its end", async () => {
  const [near, far] = [memoryAnswerCache({ ...BIG, nowMs: () => 0 }), memoryAnswerCache({ ...BIG, nowMs: () => 0 })];
  const cache = layeredAnswerCache(near, far);
  await far.put(1, "k", answer("far", 77));
  expect(await cache.get(1, "k")).toEqual(answer("far", 77));
  expect(await near.get(1, "k")).toEqual(answer("far", 77));
  await cache.put(1, "own", answer("own"));
  expect([await near.get(1, "own"), await far.get(1, "own")]).toEqual([answer("own"), answer("own")]);
});
