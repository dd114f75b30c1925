import type { RateLimiter, SharedStore } from "./auth/rate-limit.ts";
import { type AnswerCache, layeredAnswerCache, memoryAnswerCache } from "./cache/answer-cache.ts";
import type { RedisConnection } from "./cache/redis-connection.ts";
import type { Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import { CACHE_LIMITS } from "./execute/limits.ts";
import type { Observe } from "./observe/observation.ts";

/** What is kept and counted across calls: in this process, and in Redis or the database where that is set. */
export interface Capacity {
  readonly cache: AnswerCache;
  readonly limiter: RateLimiter;
  /** Aborts at `close`; ends what is done in the background. */
  readonly closed: AbortSignal;
  close(): Promise<void>;
}

export interface CapacityParts {
  readonly config: Pick<Config, "redisUrl" | "rateLimits">;
  /** Of this release: others' answers on the same Redis are not taken. */
  readonly version: string;
  readonly database: () => Promise<Database>;
  readonly observe: Observe;
}

/** Chooses the adapters that the settings ask for. Redis may be away, now and later: everything goes on without it. */
export async function openCapacity({ config, version, database, observe }: CapacityParts): Promise<Capacity> {
  const { redisUrl, rateLimits } = config;
  const closing = new AbortController();
  const near = memoryAnswerCache(CACHE_LIMITS);
  const redis = redisUrl === undefined ? undefined : await openRedis(redisUrl, version, observe);
  return {
    cache: redis === undefined ? near : layeredAnswerCache(near, redis.cache),
    limiter: loadedLimiter(rateLimits, storeOf(rateLimits.store, { redis: redis?.connection, database })),
    closed: closing.signal,
    close: async () => {
      closing.abort();
      await redis?.connection.close();
    },
  };
}

/** Loaded only where used: a start over stdio waits for what it imports. */
async function openRedis(url: string, version: string, observe: Observe) {
  const [{ connectRedis }, { redisAnswerCache }] = await Promise.all([
    import("./cache/redis-connection.ts"),
    import("./cache/redis-answer-cache.ts"),
  ]);
  const connection = connectRedis(url, observe);
  return { connection, cache: redisAnswerCache(connection, { version, maxEntryBytes: CACHE_LIMITS.maxEntryBytes }) };
}

/** Loaded with the first call that is counted: its library costs a start 20 ms. */
function loadedLimiter(limits: Config["rateLimits"], store: SharedStore | undefined): RateLimiter {
  let loading: Promise<RateLimiter> | undefined;
  const limiter = (): Promise<RateLimiter> =>
    (loading ??= import("./auth/rate-limit.ts").then(({ rateLimiter }) => rateLimiter(limits, store)));
  return {
    take: async (principal) => (await limiter()).take(principal),
    state: async (principal) => (await limiter()).state(principal),
  };
}

function storeOf(
  kind: Config["rateLimits"]["store"],
  { redis, database }: { readonly redis: RedisConnection | undefined; readonly database: () => Promise<Database> },
): SharedStore | undefined {
  if (kind === "redis" && redis !== undefined) return { kind, client: redis.client, isUp: () => redis.isUp() };
  if (kind !== "postgres") return undefined;
  return {
    kind,
    // Without the name that the library gives its statements: the embedded database's connections share one session.
    query: async ({ text, values }) => (await database()).session("directory", (client) => client.query(text, [...values])),
  };
}
