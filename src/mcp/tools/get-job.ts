import { z } from "zod";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import { jobAnswer } from "../job-answer.ts";

const input = zodInput(z.strictObject({ job_id: z.string(), wait_seconds: z.number().optional().describe("Wait for its end, up to 25") }));

/** How a job stands. */
export function getJob(): Tool {
  return defineTool({
    name: "get_job",
    title: "Get a job's state",
    description: "A job's state and progress; its result_id when done, for get_result.",
    input,
    output: envelopeSchema("state, progress, result_id, error"),
    handle: async ({ job_id: id, wait_seconds: wait }, { pipeline, principal, options }) =>
      jobAnswer(await pipeline.job(principal, { job_id: id, ...(wait === undefined ? {} : { wait_seconds: wait }) }, options)),
  });
}
