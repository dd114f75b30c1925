import type { Catalog } from "./catalog/catalog.ts";
import type { Execution } from "./execute/execution.ts";
import type { WarmUp } from "./execute/warm-up.ts";
import type { KeptResults } from "./kept-results.ts";
import type { Stage } from "./observe/observation.ts";
import type { CallOptions, PipelineParts } from "./pipeline.ts";
import type { Spec } from "./spec/spec.ts";
import type { Principal } from "./tenant.ts";

/** One call on its way: who asks, how it is bounded and followed, and the parts that it passes. */
export type Call = PipelineParts &
  CallOptions & {
    readonly principal: Principal;
    readonly kept: KeptResults;
    readonly published: Catalog;
    readonly execution: Execution;
    readonly warmUp: WarmUp<Spec>;
  };

/** Runs one stage, timed. */
export async function stage<T>({ onStage, observe, principal }: Call, name: Stage, work: () => T | Promise<T>): Promise<T> {
  onStage?.(name);
  const startMs = performance.now();
  try {
    return await work();
  } finally {
    observe({ kind: "stage_finished", stage: name, tenantId: principal.tenant.id, durationMs: performance.now() - startMs });
  }
}
