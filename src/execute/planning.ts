import { LRUCache } from "lru-cache";
import type { Rows } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Weighable } from "./admission.ts";
import { INTERACTIVE_LIMITS, KEPT_PLAN_LIMITS } from "./limits.ts";

/** How a statement may run. */
export interface Bounds {
  /** In milliseconds. */
  readonly timeoutMs: number;
  /** As ReadRequest.keepPlan. */
  readonly keepPlan?: boolean;
}

/** Decides whether a statement is planned for its own values or runs by the plan made for its text. */
export interface Planning {
  run(question: Weighable, run: (bounds: Bounds) => Promise<Rows>): Promise<Rows>;
}

/**
 * The first time a question is planned for its values, and timed. A light one runs by the kept plan from then on, for as long
 * as that is about as fast: one that takes much longer is ended, planned afresh, and not tried by the kept plan again.
 */
export function createPlanning(nowMs: () => number = () => performance.now()): Planning {
  const { freshMs, slower, leastMs, rememberMs, remembered } = KEPT_PLAN_LIMITS;
  /** Milliseconds by a plan of its own; Infinity where no other is to be tried. */
  const tookMs = new LRUCache<string, number>({ max: remembered, ttl: rememberMs });
  return {
    run: async ({ tenant, dataVersion, about }, run) => {
      const key = JSON.stringify([tenant.id, dataVersion, about]);
      const known = tookMs.get(key);
      if (known !== undefined && known <= freshMs) {
        try {
          return await run({ timeoutMs: Math.max(leastMs, Math.ceil(known * slower)), keepPlan: true });
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== "TIMEOUT") throw error;
          tookMs.set(key, Number.POSITIVE_INFINITY);
        }
      }
      const startMs = nowMs();
      const rows = await run(INTERACTIVE_LIMITS);
      if (dataVersion !== null && !tookMs.has(key)) tookMs.set(key, nowMs() - startMs);
      return rows;
    },
  };
}
