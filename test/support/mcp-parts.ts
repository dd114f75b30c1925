import type { Observation } from "../../src/observe/observation.ts";
import { loadPrompts } from "../../src/mcp/prompt-files.ts";
import type { McpParts } from "../../src/mcp/parts.ts";
import { memoryPipeline, shippedCatalog } from "./mcp-pipeline.ts";
import type { MemoryPipeline, MemoryPipelineOptions } from "./mcp-pipeline.ts";
import { testPrincipal, testTenant } from "./tenants.ts";

export interface TestParts extends McpParts {
  readonly pipeline: MemoryPipeline;
  readonly observed: Observation[];
}

/** The protocol edge's parts over a pipeline in memory; everything observed is kept. */
export async function testParts(options: Partial<MemoryPipelineOptions> & Partial<Pick<McpParts, "identify">> = {}): Promise<TestParts> {
  const observed: Observation[] = [];
  const principal = testPrincipal(testTenant({ id: 7 }));
  return {
    version: "0.0.0-test",
    pipeline: memoryPipeline({ catalog: await shippedCatalog(), ...options }),
    prompts: await loadPrompts(new URL("../../prompts", import.meta.url).pathname),
    identify: options.identify ?? (() => principal),
    observe: (observation) => observed.push(observation),
    observed,
  };
}
