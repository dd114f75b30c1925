import { createHash } from "node:crypto";
import type { AnswerCache, CachedAnswer } from "./answer-cache.ts";
import type { RedisConnection } from "./redis-connection.ts";

export interface RedisCacheOptions {
  /** Tells releases apart, whose answers may differ in form. */
  readonly version: string;
  readonly maxEntryBytes: number;
  readonly nowMs?: () => number;
}

/**
 * Answers that all processes on one Redis share. Each is kept with a digest of its key and text: whatever does not match it, damaged
 * or under another answer's key, is not there.
 */
export function redisAnswerCache(redis: RedisConnection, { version, maxEntryBytes, nowMs = Date.now }: RedisCacheOptions): AnswerCache {
  const nameOf = (tenantId: number, key: string): string => `metricgate:${version}:answer:${tenantId}:${key}`;
  return {
    get: async (tenantId, key) => {
      const name = nameOf(tenantId, key);
      const stored = await redis.attempt((client) => client.get(name));
      if (typeof stored !== "string") return undefined;
      const answer = decode(name, stored);
      return answer !== undefined && answer.expiresAtMs > nowMs() ? answer : undefined;
    },
    put: async (tenantId, key, answer) => {
      const lifetimeMs = Math.floor(answer.expiresAtMs - nowMs());
      const name = nameOf(tenantId, key);
      const stored = encode(name, answer);
      if (lifetimeMs < 1 || Buffer.byteLength(stored) > maxEntryBytes) return;
      await redis.attempt((client) => client.set(name, stored, "PX", lifetimeMs));
    },
    // The connection is closed by who opened it.
    close: async () => undefined,
  };
}

function encode(name: string, { expiresAtMs, text }: CachedAnswer): string {
  const body = `${Math.round(expiresAtMs)}\n${text}`;
  return `${digestOf(name, body)}\n${body}`;
}

/** The answer, or undefined for anything that `encode` did not write under this name. */
function decode(name: string, stored: string): CachedAnswer | undefined {
  const [digest = "", expires = ""] = stored.split("\n", 2);
  const body = stored.slice(digest.length + 1);
  if (digest !== digestOf(name, body)) return undefined;
  return { expiresAtMs: Number(expires), text: body.slice(expires.length + 1) };
}

function digestOf(name: string, body: string): string {
  return createHash("sha256").update(`${name}\n${body}`).digest("base64url");
}
