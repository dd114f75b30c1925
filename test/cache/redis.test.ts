import { randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { redisAnswerCache } from "../../src/cache/redis-answer-cache.ts";
import { connectRedis, type RedisConnection } from "../../src/cache/redis-connection.ts";
import { must } from "../../src/must.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { describeOnRedis, ownRedis, redisTestUrl } from "../support/redis.ts";

const observed: Observation[] = [];

function connected(url: string): RedisConnection {
  observed.length = 0;
  const redis = connectRedis(url, (one) => observed.push(one));
  onTestFinished(() => redis.close());
  return redis;
}

const cacheOn = (redis: RedisConnection, version: string = randomUUID(), maxEntryBytes = 10_000) =>
  redisAnswerCache(redis, { version, maxEntryBytes });
const inAMinute = () => Date.now() + 60_000;
const isUp = (redis: RedisConnection) => expect.poll(() => redis.isUp(), { timeout: 10_000, interval: 20 }).toBe(true);

describeOnRedis("answers on Redis", () => {
  const shared = (): RedisConnection => connected(must(redisTestUrl(), "TEST_REDIS_URL"));

  test("are shared by processes of one release, end in Redis itself, and are their tenant's alone", async () => {
    const [one, two] = [shared(), shared()];
    await isUp(one);
    await isUp(two);
    const version = randomUUID();
    const expiresAtMs = inAMinute();
    await cacheOn(one, version).put(1, "k", { text: '{"a":"ž\\n"}\nsecond line', expiresAtMs });
    expect(await cacheOn(two, version).get(1, "k")).toEqual({ text: '{"a":"ž\\n"}\nsecond line', expiresAtMs });
    expect(await cacheOn(two, version).get(2, "k")).toBeUndefined();
    expect(await cacheOn(two, "another release").get(1, "k")).toBeUndefined();
    const remainingMs = await one.client.pttl(`metricgate:${version}:answer:1:k`);
    expect(remainingMs).toBeGreaterThan(50_000);
    expect(remainingMs).toBeLessThanOrEqual(60_000);
  });

  test("damaged, foreign, too old or too large ones are not there", async () => {
    const redis = shared();
    await isUp(redis);
    const version = randomUUID();
    const cache = cacheOn(redis, version);
    const name = (key: string) => `metricgate:${version}:answer:1:${key}`;
    await cache.put(1, "k", { text: "[1]", expiresAtMs: inAMinute() });
    const whole = must(await redis.client.get(name("k")), "a stored answer");
    for (const damaged of [
      "",
      "x",
      "\n\n",
      whole.slice(0, -1),
      whole.replace("[1]", "[2]"),
      `${whole} `,
      whole.replace(/\n\d+\n/, "\n9999999999999\n"),
      "{}",
    ]) {
      await redis.client.set(name("k"), damaged, "PX", 60_000);
      expect(await cache.get(1, "k"), damaged).toBeUndefined();
    }
    // Another answer's value under this key.
    await redis.client.set(name("other"), whole, "PX", 60_000);
    expect(await cache.get(1, "other")).toBeUndefined();
    await redis.client.del(name("list"));
    await redis.client.rpush(name("list"), "a");
    expect(await cache.get(1, "list")).toBeUndefined();
    await redis.client.del(name("list"));
    await cache.put(1, "past", { text: "[]", expiresAtMs: Date.now() - 1 });
    expect(await redis.client.exists(name("past"))).toBe(0);
    await isUp(redis);
    await cache.put(1, "large", { text: "x".repeat(10_000), expiresAtMs: inAMinute() });
    expect(await redis.client.exists(name("large"))).toBe(0);
  });

  test("Redis away at the start costs a call nothing, and is used when it comes", { timeout: 30_000 }, async () => {
    await using server = await ownRedis();
    const redis = connected(server.url);
    const cache = cacheOn(redis);
    const startMs = performance.now();
    for (let time = 0; time < 1000; time += 1) {
      expect(await cache.get(1, "k")).toBeUndefined();
      await cache.put(1, "k", { text: "1", expiresAtMs: inAMinute() });
    }
    expect(performance.now() - startMs).toBeLessThan(500);
    await expect.poll(() => observed.length, { timeout: 5_000 }).toBe(1);
    expect(observed).toEqual([{ kind: "redis_lost", reason: expect.any(String) }]);
    await server.start();
    await isUp(redis);
    await cache.put(1, "k", { text: "1", expiresAtMs: inAMinute() });
    expect(await cache.get(1, "k")).toMatchObject({ text: "1" });
  });

  test("Redis going away midway is a miss, told once, and its return is noticed", { timeout: 30_000 }, async () => {
    await using server = await ownRedis();
    await server.start();
    const redis = connected(server.url);
    const cache = cacheOn(redis);
    await isUp(redis);
    await cache.put(1, "k", { text: "1", expiresAtMs: inAMinute() });
    await server.stop();
    for (let time = 0; time < 20; time += 1) expect(await cache.get(1, "k")).toBeUndefined();
    await expect.poll(() => observed.filter(({ kind }) => kind === "redis_lost").length, { timeout: 5_000 }).toBe(1);
    await server.start();
    await isUp(redis);
    expect(await cache.get(1, "k")).toBeUndefined();
    await cache.put(1, "k", { text: "2", expiresAtMs: inAMinute() });
    expect(await cache.get(1, "k")).toMatchObject({ text: "2" });
  });

  test("Redis that hangs holds up one call for a moment, and the next not at all", { timeout: 30_000 }, async () => {
    await using server = await ownRedis();
    await server.start();
    const redis = connected(server.url);
    const cache = cacheOn(redis);
    await isUp(redis);
    server.freeze();
    const firstMs = performance.now();
    expect(await cache.get(1, "k")).toBeUndefined();
    expect(performance.now() - firstMs).toBeLessThan(1_000);
    const nextMs = performance.now();
    for (let time = 0; time < 100; time += 1) await cache.get(1, "k");
    expect(performance.now() - nextMs).toBeLessThan(100);
    server.thaw();
    await isUp(redis);
  });
});
