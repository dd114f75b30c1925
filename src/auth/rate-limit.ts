import { createHash } from "node:crypto";
import {
  BurstyRateLimiter,
  type IRateLimiterOptions,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from "rate-limiter-flexible";
import type { Principal } from "../tenant.ts";

/** Whose limit it is: everyone's of a tenant together, or one caller's. */
export type LimitScope = "tenant" | "principal";

/** How many calls are left. */
export interface LimitState {
  readonly scope: LimitScope;
  /** Calls a minute. */
  readonly limit: number;
  /** Calls left in this minute, bursts not counted. */
  readonly remaining: number;
  /** Whole seconds until the minute is over. */
  readonly resetSeconds: number;
}

/** A call over a limit. */
export interface LimitExceeded {
  readonly scope: LimitScope;
  readonly limit: number;
  /** Calls beyond the limit that were allowed for a while, and are used up. */
  readonly burst: number;
  /** Whole seconds after which a call may succeed. */
  readonly retryAfterSeconds: number;
}

/** Counts calls per tenant and per caller. */
export interface RateLimiter {
  /** Counts one call; says which limit it is over, if any. Never throws: a store that is away is replaced by this process's own counts. */
  take(principal: Principal): Promise<LimitExceeded | undefined>;
  /** The tighter of the caller's two limits, without counting. */
  state(principal: Principal): Promise<LimitState>;
}

export interface RateLimits {
  /** Calls a minute of all callers of a tenant together. */
  readonly tenantPerMinute: number;
  /** Calls a minute of one caller. */
  readonly principalPerMinute: number;
  /** Calls beyond either limit that a caller and a tenant may make in ten minutes. */
  readonly burst: number;
}

/** Where the counts of several processes meet. */
export type SharedStore =
  /** A client of ioredis, and whether it is there just now. */
  | { readonly kind: "redis"; readonly client: object; readonly isUp: () => boolean }
  /** Runs a statement on the table `limits.call_count`. */
  | {
      readonly kind: "postgres";
      readonly query: (statement: { readonly text: string; readonly values: readonly unknown[] }) => Promise<unknown>;
    };

const MINUTE_SECONDS = 60;
const BURST_SECONDS = 600;

interface Counter {
  readonly scope: LimitScope;
  readonly limit: number;
  readonly keyOf: (principal: Principal) => string;
  /** The counts to use just now. */
  readonly counts: () => { readonly rate: RateLimiterAbstract; readonly bursty: BurstyRateLimiter };
}

/** Counts in this process, or in a store for all processes on it and in this process while that is away. */
export function rateLimiter({ tenantPerMinute, principalPerMinute, burst }: RateLimits, store?: SharedStore): RateLimiter {
  const principals: Counter = {
    scope: "principal",
    limit: principalPerMinute,
    // A name is a person's, and may be long: a store need not know it.
    keyOf: ({ tenant, user }) => `${tenant.id}:${createHash("sha256").update(user).digest("base64url")}`,
    counts: countsOf({ name: "principal", limit: principalPerMinute, burst }, store),
  };
  const tenants: Counter = {
    scope: "tenant",
    limit: tenantPerMinute,
    keyOf: ({ tenant }) => String(tenant.id),
    counts: countsOf({ name: "tenant", limit: tenantPerMinute, burst }, store),
  };
  return {
    take: async (principal) => {
      for (const counter of [principals, tenants]) {
        const waitMs = await consume(counter, principal);
        if (waitMs !== undefined) {
          const { scope, limit } = counter;
          return { scope, limit, burst, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) };
        }
      }
      return undefined;
    },
    state: async (principal) => {
      const [own, all] = await Promise.all([stateOf(principals, principal), stateOf(tenants, principal)]);
      return own.remaining <= all.remaining ? own : all;
    },
  };
}

/** Counts one call; milliseconds until the next may succeed where this one is over the limit. */
async function consume(counter: Counter, principal: Principal): Promise<number | undefined> {
  try {
    await counter.counts().bursty.consume(counter.keyOf(principal));
    return undefined;
  } catch (thrown) {
    if (thrown instanceof RateLimiterRes) return thrown.msBeforeNext;
    throw thrown;
  }
}

async function stateOf(counter: Counter, principal: Principal): Promise<LimitState> {
  const { scope, limit, keyOf, counts } = counter;
  const found = await counts().rate.get(keyOf(principal));
  if (found === null) return { scope, limit, remaining: limit, resetSeconds: MINUTE_SECONDS };
  return {
    scope,
    limit,
    remaining: Math.max(0, limit - found.consumedPoints),
    resetSeconds: Math.ceil(Math.max(0, found.msBeforeNext) / 1000),
  };
}

function countsOf(
  { name, limit, burst }: { name: string; limit: number; burst: number },
  store: SharedStore | undefined,
): Counter["counts"] {
  const rate = { keyPrefix: `metricgate:rate:${name}`, points: limit, duration: MINUTE_SECONDS };
  const extra = { keyPrefix: `metricgate:burst:${name}`, points: burst, duration: BURST_SECONDS };
  const local = paired(new RateLimiterMemory(rate), new RateLimiterMemory(extra));
  if (store === undefined) return () => local;
  const make = store.kind === "redis" ? inRedis(store.client) : inPostgres(store);
  // The insurance covers the call that finds the store gone.
  const shared = paired(make({ ...rate, insuranceLimiter: local.rate }), make({ ...extra, insuranceLimiter: local.burst }));
  if (store.kind === "postgres") return () => shared;
  // While Redis is away it is not asked at all.
  return () => (store.isUp() ? shared : local);
}

type Make = (options: IRateLimiterOptions & { readonly insuranceLimiter: RateLimiterAbstract }) => RateLimiterAbstract;

function inRedis(storeClient: object): Make {
  return (options) => new RateLimiterRedis({ ...options, storeClient, rejectIfRedisNotReady: true });
}

function inPostgres({ query }: Extract<SharedStore, { kind: "postgres" }>): Make {
  const table = { schemaName: "limits", tableName: "call_count", tableCreated: true, clearExpiredByTimeout: true };
  return (options) => new RateLimiterPostgres({ ...options, ...table, storeClient: { query }, storeType: "client" });
}

function paired<L extends RateLimiterAbstract>(rate: L, burst: L) {
  return { rate, burst, bursty: new BurstyRateLimiter(rate, burst) };
}
