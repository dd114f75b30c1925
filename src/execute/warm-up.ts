import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";
import { WARM_UP_LIMITS } from "./limits.ts";

/** Asks a tenant's most popular questions again when its data has changed, before somebody does. */
export interface WarmUp<S> {
  /** Counts a question, with the rights it was asked under. */
  asked(principal: Principal, spec: S): void;
  /** Which data a tenant has now; another than before starts the work, in the background. */
  noticed(tenantId: number, version: string): void;
  /** Settles when nothing is being done in the background. */
  idle(): Promise<void>;
}

interface Asked<S> {
  readonly principal: Principal;
  readonly spec: S;
  count: number;
}

interface TenantAsked<S> {
  readonly specs: LRUCache<string, Asked<S>>;
  version?: string;
  askedAtMs: number;
}

export interface WarmUpParts<S> {
  /** Answers one question in an idle moment; false where there was none. */
  readonly refresh: (principal: Principal, spec: S) => Promise<boolean>;
  readonly observe: Observe;
  /** Aborts when the process closes. */
  readonly closed?: AbortSignal;
  readonly nowMs?: () => number;
}

export function createWarmUp<S>({ refresh, observe, closed, nowMs = Date.now }: WarmUpParts<S>): WarmUp<S> {
  const { specs, countedSpecs, countedTenants, minAsked, idleMs, lookAgainMs, giveUpMs } = WARM_UP_LIMITS;
  const tenants = new LRUCache<number, TenantAsked<S>>({ max: countedTenants });
  let working: Promise<void> = Promise.resolve();
  const isIdle = (tenant: TenantAsked<S>): boolean => nowMs() - tenant.askedAtMs > idleMs;
  const entryOf = (tenantId: number): TenantAsked<S> => {
    const entry = tenants.get(tenantId) ?? { specs: new LRUCache({ max: countedSpecs }), askedAtMs: nowMs() };
    tenants.set(tenantId, entry);
    return entry;
  };
  /** One question, when there is a free moment for it within a while. */
  const one = async ({ principal, spec }: Asked<S>): Promise<"done" | "skipped"> => {
    const untilMs = nowMs() + giveUpMs;
    while (closed?.aborted !== true && nowMs() < untilMs) {
      try {
        if (await refresh(principal, spec)) return "done";
      } catch {
        // Whoever asks next gets the answer, or the error, in person.
        return "skipped";
      }
      await sleep(lookAgainMs, undefined, { ref: false });
    }
    return "skipped";
  };
  const all = async (tenantId: number, version: string): Promise<void> => {
    const tenant = entryOf(tenantId);
    const popular = [...tenant.specs.values()].filter(({ count }) => count >= minAsked).toSorted((a, b) => b.count - a.count);
    for (const asked of popular.slice(0, specs)) {
      if (closed?.aborted === true || isIdle(tenant) || tenant.version !== version) return;
      observe({ kind: "warmed_up", tenantId, outcome: await one(asked) });
    }
  };
  return {
    asked: (principal, spec) => {
      const entry = entryOf(principal.tenant.id);
      const { scopes, allowed } = principal;
      const key = JSON.stringify([spec, scopes, allowed]);
      const count = (entry.specs.get(key)?.count ?? 0) + 1;
      entry.specs.set(key, { principal, spec, count });
      entry.askedAtMs = nowMs();
    },
    noticed: (tenantId, version) => {
      const entry = entryOf(tenantId);
      const isNew = entry.version !== undefined && entry.version !== version;
      entry.version = version;
      if (isNew && !isIdle(entry)) working = working.then(() => all(tenantId, version));
    },
    idle: () => working,
  };
}
