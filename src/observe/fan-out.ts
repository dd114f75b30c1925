import type { Observation, Observe } from "./observation.ts";

/** One observer that tells several. A sink that throws is skipped; the others and the pipeline go on. */
export function fanOut(sinks: readonly Observe[]): Observe {
  return (observation: Observation) => {
    for (const sink of sinks) {
      try {
        sink(observation);
      } catch {
        // Observing must never fail what is observed, and there is no one left to tell.
      }
    }
  };
}
