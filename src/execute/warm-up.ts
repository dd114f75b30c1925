import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";
import { CACHE_LIMITS, WARM_UP_LIMITS } from "./limits.ts";

/** Asks a tenant's most popular questions again when its data has changed or their answers are about to expire, before somebody does. */
export interface WarmUp<S> {
  /** Counts a question, with the rights it was asked under; its answer is kept until `expiresAtMs`, null where it is not. */
  asked(principal: Principal, spec: S, expiresAtMs: number | null): void;
  /** Which data a tenant has now; another than before starts the work, in the background. */
  noticed(tenantId: number, version: string): void;
  /** Has answers that are about to expire made anew, of tenants that asked something lately; in the background. For a clock. */
  again(): void;
  /** Settles when nothing is being done in the background. */
  idle(): Promise<void>;
}

interface Asked<S> {
  readonly principal: Principal;
  readonly spec: S;
  count: number;
  expiresAtMs: number;
}

interface TenantAsked<S> {
  readonly specs: LRUCache<string, Asked<S>>;
  version?: string;
  askedAtMs: number;
}

export interface WarmUpParts<S> {
  /** Answers one question in an idle moment, unless its answer is kept beyond `untilMs`; false where there was no such moment. */
  readonly refresh: (principal: Principal, spec: S, untilMs: number) => Promise<boolean>;
  readonly observe: Observe;
  /** Aborts when the process closes. */
  readonly closed?: AbortSignal;
  readonly nowMs?: () => number;
}

export function createWarmUp<S>(parts: WarmUpParts<S>): WarmUp<S> {
  const { observe, closed, nowMs = Date.now } = parts;
  const { countedSpecs, countedTenants, idleMs, soonMs, latelyMs } = WARM_UP_LIMITS;
  const tenants = new LRUCache<number, TenantAsked<S>>({ max: countedTenants });
  let working: Promise<void> = Promise.resolve();
  let isAtIt = false;
  const isIdle = (tenant: TenantAsked<S>): boolean => nowMs() - tenant.askedAtMs > idleMs;
  const entryOf = (tenantId: number): TenantAsked<S> => {
    const entry = tenants.get(tenantId) ?? { specs: new LRUCache({ max: countedSpecs }), askedAtMs: nowMs() };
    tenants.set(tenantId, entry);
    return entry;
  };
  const all = async (tenantId: number, version: string, due: readonly Asked<S>[], untilMs: number): Promise<void> => {
    const tenant = entryOf(tenantId);
    for (const asked of due) {
      if (closed?.aborted === true || isIdle(tenant) || tenant.version !== version) return;
      observe({ kind: "warmed_up", tenantId, outcome: await whenFree(asked, untilMs, parts) });
    }
  };
  return {
    asked: (principal, spec, expiresAtMs) => {
      const entry = entryOf(principal.tenant.id);
      const { scopes, allowed } = principal;
      const key = JSON.stringify([spec, scopes, allowed]);
      const count = (entry.specs.get(key)?.count ?? 0) + 1;
      entry.specs.set(key, { principal, spec, count, expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY });
      entry.askedAtMs = nowMs();
    },
    noticed: (tenantId, version) => {
      const entry = entryOf(tenantId);
      const isNew = entry.version !== undefined && entry.version !== version;
      entry.version = version;
      if (isNew && !isIdle(entry)) working = working.then(() => all(tenantId, version, popularOf(entry), nowMs()));
    },
    again: () => {
      if (isAtIt) return;
      const untilMs = nowMs() + soonMs;
      for (const [tenantId, entry] of tenants.entries()) {
        const { version } = entry;
        const due = popularOf(entry).filter(({ expiresAtMs }) => expiresAtMs <= untilMs);
        if (version === undefined || due.length === 0 || nowMs() - entry.askedAtMs > latelyMs) continue;
        isAtIt = true;
        working = working.then(() => all(tenantId, version, due, untilMs));
      }
      if (isAtIt) working = working.finally(() => (isAtIt = false));
    },
    idle: () => working,
  };
}

/** What a tenant asks most. */
function popularOf<S>(tenant: TenantAsked<S>): readonly Asked<S>[] {
  const { specs, minAsked } = WARM_UP_LIMITS;
  return [...tenant.specs.values()]
    .filter(({ count }) => count >= minAsked)
    .toSorted((a, b) => b.count - a.count)
    .slice(0, specs);
}

/** Answers one question, when there is a free moment for it within a while. */
async function whenFree<S>(
  asked: Asked<S>,
  untilMs: number,
  { refresh, closed, nowMs = Date.now }: WarmUpParts<S>,
): Promise<"done" | "skipped"> {
  const { giveUpMs, lookAgainMs } = WARM_UP_LIMITS;
  const giveUpAtMs = nowMs() + giveUpMs;
  while (closed?.aborted !== true && nowMs() < giveUpAtMs) {
    try {
      if (await refresh(asked.principal, asked.spec, untilMs)) {
        asked.expiresAtMs = nowMs() + CACHE_LIMITS.lifetimeMs;
        return "done";
      }
    } catch {
      // Whoever asks next gets the answer, or the error, in person.
      return "skipped";
    }
    await sleep(lookAgainMs, undefined, { ref: false });
  }
  return "skipped";
}
