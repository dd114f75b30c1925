import type { Job } from "../jobs/job.ts";
import type { Answer } from "./answer.ts";
import { visible } from "./visible.ts";

/** How a job stands, as text and as the envelope. */
export function jobAnswer(job: Job): Answer {
  return { text: textOf(job), structured: jobEnvelope(job) };
}

/** The succeeding half of the envelope; a job that failed is an answer too. */
export function jobEnvelope(job: Job): Readonly<Record<string, unknown>> {
  return { success: true, data: job, meta: { job_uri: `metricgate://jobs/${job.job_id}` } };
}

function textOf({ job_id: id, state, result_id: result, progress, attempts, error }: Job): string {
  if (state === "done")
    return `${id}: done, ${progress.rows} rows. Read them: get_result {"result_id":"${result}"}; all as CSV: metricgate://results/${result}.csv`;
  if (state === "cancelled") return `${id}: cancelled.`;
  if (state === "failed" && error !== null)
    return `${id}: failed after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}. ${error.code}: ${visible(error.message)}${error.next === null ? "" : ` Next: ${visible(error.next)}`}`;
  const far = state === "running" ? ` (${progress.stage ?? "starting"}, ${progress.rows} rows so far)` : "";
  return `${id}: ${state}${far}. Wait for it: get_job {"job_id":"${id}","wait_seconds":25}`;
}
