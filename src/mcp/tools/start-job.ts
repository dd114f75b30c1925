import { z } from "zod";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import { jobAnswer } from "../job-answer.ts";

const input = zodInput(
  z.strictObject({
    spec: z.looseObject({}).describe("As run_analytics_spec takes it; limit to 100000"),
    priority: z.enum(["high", "low"]).optional(),
    idempotency_key: z.string().optional().describe("Repeating a call with it starts no second job"),
  }),
);

/** Has a spec answered in the background, within a job's wider limits. */
export function startJob(): Tool {
  return defineTool({
    name: "start_job",
    title: "Start a background job",
    description: "Answers a spec that is too large for run_analytics_spec, in the background: 5 min, 100,000 rows. Then get_job.",
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    input,
    output: envelopeSchema("job_id, state"),
    handle: async ({ spec, priority, idempotency_key: key }, { pipeline, principal }) =>
      jobAnswer(
        await pipeline.startJob(principal, {
          spec,
          ...(priority === undefined ? {} : { priority }),
          ...(key === undefined ? {} : { idempotency_key: key }),
        }),
      ),
  });
}
