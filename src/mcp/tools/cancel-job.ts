import { z } from "zod";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import { jobAnswer } from "../job-answer.ts";

const input = zodInput(z.strictObject({ job_id: z.string() }));

/** Ends a job and the statement that it runs. */
export function cancelJob(): Tool {
  return defineTool({
    name: "cancel_job",
    title: "Cancel a job",
    description: "Ends a waiting or running job.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input,
    output: envelopeSchema("state"),
    handle: async ({ job_id: id }, { pipeline, principal }) => jobAnswer(await pipeline.cancelJob(principal, { job_id: id })),
  });
}
