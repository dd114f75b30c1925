import type { Observation, Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";

type What = Extract<Observation, { kind: "handle_looked_up" }>["what"];

/** Tells of each look for something by a handle that a caller named. */
export function observeLookUps(what: What, observe: Observe) {
  return async <T>({ tenant }: Principal, look: () => Promise<T | undefined>): Promise<T | undefined> => {
    const startMs = performance.now();
    const found = await look();
    observe({ kind: "handle_looked_up", what, tenantId: tenant.id, isFound: found !== undefined, durationMs: performance.now() - startMs });
    return found;
  };
}
