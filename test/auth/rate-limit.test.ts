import { randomInt } from "node:crypto";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { rateLimiter } from "../../src/auth/rate-limit.ts";
import type { Database } from "../../src/db/database.ts";
import { AppError } from "../../src/errors.ts";
import { openCapacity } from "../../src/capacity.ts";
import { connectRedis } from "../../src/cache/redis-connection.ts";
import { must } from "../../src/must.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { describeOnRedis, ownRedis, redisTestUrl } from "../support/redis.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const caller = (user: string, id = 1) => testPrincipal(testTenant({ id }), user);
const LIMITS = { tenantPerMinute: 100, principalPerMinute: 3, burst: 0 };

describe("in this process", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }));
  afterEach(() => void vi.useRealTimers());

  test("a caller's minute is its own, and begins anew", async () => {
    const limiter = rateLimiter(LIMITS);
    for (let call = 0; call < 3; call += 1) expect(await limiter.take(caller("ann"))).toBeUndefined();
    vi.advanceTimersByTime(20_000);
    expect(await limiter.take(caller("ann"))).toEqual({ scope: "principal", limit: 3, burst: 0, retryAfterSeconds: 40 });
    expect(await limiter.take(caller("ben"))).toBeUndefined();
    expect(await limiter.take(caller("ann", 2))).toBeUndefined();
    vi.advanceTimersByTime(39_999);
    expect(await limiter.take(caller("ann"))).toMatchObject({ retryAfterSeconds: 1 });
    vi.advanceTimersByTime(1);
    expect(await limiter.take(caller("ann"))).toBeUndefined();
  });

  test("a tenant's callers share its limit", async () => {
    const limiter = rateLimiter({ ...LIMITS, tenantPerMinute: 4 });
    for (const user of ["a", "b", "c", "d"]) expect(await limiter.take(caller(user))).toBeUndefined();
    expect(await limiter.take(caller("e"))).toMatchObject({ scope: "tenant", limit: 4, retryAfterSeconds: 60 });
    expect(await limiter.take(caller("e", 2))).toBeUndefined();
  });

  test("a burst goes over the minute once in ten", async () => {
    const limiter = rateLimiter({ ...LIMITS, burst: 2 });
    const take = () => limiter.take(caller("ann"));
    for (let call = 0; call < 5; call += 1) expect(await take()).toBeUndefined();
    expect(await take()).toMatchObject({ scope: "principal", burst: 2 });
    vi.advanceTimersByTime(60_000);
    for (let call = 0; call < 3; call += 1) expect(await take()).toBeUndefined();
    expect(await take()).toMatchObject({ scope: "principal" });
    vi.advanceTimersByTime(600_000);
    for (let call = 0; call < 5; call += 1) expect(await take()).toBeUndefined();
  });

  test("the state counts nothing and tells of the tighter limit", async () => {
    const limiter = rateLimiter({ tenantPerMinute: 3, principalPerMinute: 2, burst: 0 });
    expect(await limiter.state(caller("ann"))).toEqual({ scope: "principal", limit: 2, remaining: 2, resetSeconds: 60 });
    await limiter.take(caller("ann"));
    await limiter.take(caller("ben"));
    vi.advanceTimersByTime(15_000);
    expect(await limiter.state(caller("ann"))).toEqual({ scope: "principal", limit: 2, remaining: 1, resetSeconds: 45 });
    await limiter.take(caller("cy"));
    expect(await limiter.state(caller("ann"))).toEqual({ scope: "tenant", limit: 3, remaining: 0, resetSeconds: 45 });
    expect(await limiter.state(caller("ann"))).toEqual(await limiter.state(caller("ann")));
  });

  test("names that run together are different callers", async () => {
    const limiter = rateLimiter({ ...LIMITS, principalPerMinute: 1 });
    await limiter.take(caller("2:x", 1));
    expect(await limiter.take(caller("x", 12))).toBeUndefined();
    expect(await limiter.take(caller("2:x", 1))).toBeDefined();
  });
});

describeOnRedis("on Redis", () => {
  const connected = (url: string) => {
    const redis = connectRedis(url, () => undefined);
    onTestFinished(() => redis.close());
    return redis;
  };
  const on = (redis: ReturnType<typeof connected>) => ({ kind: "redis", client: redis.client, isUp: () => redis.isUp() }) as const;
  const up = (redis: ReturnType<typeof connected>) => expect.poll(() => redis.isUp(), { timeout: 10_000, interval: 20 }).toBe(true);

  test("all processes count together", async () => {
    const [one, two] = [0, 1].map(() => connected(must(redisTestUrl(), "TEST_REDIS_URL")));
    const [first, second] = [must(one, "one"), must(two, "two")];
    await up(first);
    await up(second);
    const [a, b] = [rateLimiter(LIMITS, on(first)), rateLimiter(LIMITS, on(second))];
    const ann = caller("ann", randomInt(1e6, 2e9));
    expect([await a.take(ann), await b.take(ann), await a.take(ann)]).toEqual([undefined, undefined, undefined]);
    expect(await b.take(ann)).toMatchObject({ scope: "principal", limit: 3 });
    expect(await a.state(ann)).toMatchObject({ remaining: 0 });
  });

  test("while Redis is away this process counts alone, at no cost", { timeout: 30_000 }, async () => {
    await using server = await ownRedis();
    await server.start();
    const redis = connected(server.url);
    await up(redis);
    const limiter = rateLimiter(LIMITS, on(redis));
    const ann = caller("ann");
    for (let call = 0; call < 3; call += 1) expect(await limiter.take(ann)).toBeUndefined();
    expect(await limiter.take(ann)).toBeDefined();
    await server.stop();
    const startMs = performance.now();
    for (let call = 0; call < 3; call += 1) expect(await limiter.take(ann)).toBeUndefined();
    expect(await limiter.take(ann)).toMatchObject({ scope: "principal" });
    expect(await limiter.state(ann)).toMatchObject({ remaining: 0 });
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test("a Redis that hangs is replaced by this process's counts", { timeout: 30_000 }, async () => {
    await using server = await ownRedis();
    await server.start();
    const redis = connected(server.url);
    await up(redis);
    const limiter = rateLimiter(LIMITS, on(redis));
    server.freeze();
    const startMs = performance.now();
    for (let call = 0; call < 3; call += 1) expect(await limiter.take(caller("ann"))).toBeUndefined();
    expect(await limiter.take(caller("ann"))).toMatchObject({ scope: "principal" });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    server.thaw();
  });
});

describeOnEachDatabase("in the database", (get) => {
  const config = { rateLimits: { ...LIMITS, store: "postgres" } } as const;
  const opened = async (database: () => Promise<Database>) => {
    const capacity = await openCapacity({ config, version: "1", database, observe: () => undefined });
    onTestFinished(() => capacity.close());
    return capacity.limiter;
  };

  test("all processes count together, and a minute ends", async () => {
    const [a, b] = [await opened(async () => get().database), await opened(async () => get().database)];
    const ann = caller("ann", 11);
    expect([await a.take(ann), await b.take(ann), await a.take(ann)]).toEqual([undefined, undefined, undefined]);
    const exceeded = must(await b.take(ann), "over the limit");
    expect(exceeded).toMatchObject({ scope: "principal", limit: 3 });
    expect(exceeded.retryAfterSeconds).toBeGreaterThan(50);
    expect(exceeded.retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(await a.state(ann)).toMatchObject({ scope: "principal", remaining: 0 });
    expect(await a.take(caller("ann", 12))).toBeUndefined();
    await get().database.session("directory", (client) => client.query("update limits.call_count set expire = 1"));
    expect(await b.take(ann)).toBeUndefined();
  });

  test("many calls at once are counted one by one, and no name is kept", async () => {
    const limiter = await opened(async () => get().database);
    const taken = await Promise.all(Array.from({ length: 20 }, () => limiter.take(caller("secret-name", 21))));
    expect(taken.filter((exceeded) => exceeded === undefined)).toHaveLength(3);
    const { rows } = await get().database.session("directory", (client) =>
      client.query("select * from limits.call_count where key like '%21%'"),
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain("secret-name");
  });

  test("while the database is away this process counts alone", async () => {
    const limiter = await opened(async () => {
      throw new AppError("UNAVAILABLE", "away");
    });
    for (let call = 0; call < 3; call += 1) expect(await limiter.take(caller("ann"))).toBeUndefined();
    expect(await limiter.take(caller("ann"))).toMatchObject({ scope: "principal" });
    expect(await limiter.state(caller("ann"))).toMatchObject({ remaining: 0 });
  });
});
