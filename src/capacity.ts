import { type RateLimiter, rateLimiter } from "./auth/rate-limit.ts";
import { type AnswerCache, layeredAnswerCache, memoryAnswerCache } from "./cache/answer-cache.ts";
import type { Config } from "./config.ts";
import { CACHE_LIMITS } from "./execute/limits.ts";
import type { Observe } from "./observe/observation.ts";

/** What is kept and counted across calls: in this process, and in Redis where there is one. */
export interface Capacity {
  readonly cache: AnswerCache;
  readonly limiter: RateLimiter;
  /** Aborts at `close`; ends what is done in the background. */
  readonly closed: AbortSignal;
  close(): Promise<void>;
}

/** Chooses the adapters that the settings ask for. Redis may be away, now and later: everything goes on without it. */
export async function openCapacity({ redisUrl, rateLimits }: Config, version: string, observe: Observe): Promise<Capacity> {
  const closing = new AbortController();
  const near = memoryAnswerCache(CACHE_LIMITS);
  if (redisUrl === undefined) {
    const close = async (): Promise<void> => closing.abort();
    return { cache: near, limiter: rateLimiter(rateLimits), closed: closing.signal, close };
  }
  // Loaded only where used: a start over stdio waits for what it imports.
  const [{ connectRedis }, { redisAnswerCache }] = await Promise.all([
    import("./cache/redis-connection.ts"),
    import("./cache/redis-answer-cache.ts"),
  ]);
  const redis = connectRedis(redisUrl, observe);
  return {
    cache: layeredAnswerCache(near, redisAnswerCache(redis, { version, maxEntryBytes: CACHE_LIMITS.maxEntryBytes })),
    limiter: rateLimiter(rateLimits, redis),
    closed: closing.signal,
    close: async () => {
      closing.abort();
      await redis.close();
    },
  };
}
