import { AppError } from "../errors.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Principal } from "../tenant.ts";
import { isRecord } from "./json-schema.ts";

const JOB_URI = /^metricgate:\/\/jobs\/([^/?#]+)$/;

/**
 * Whether updates of a resource may be told to a caller: of jobs only those of their own. Somebody else's is accepted and
 * never heard of, like one that does not exist.
 */
export async function mayWatch(uri: string, principal: Principal, { job }: Pick<Pipeline, "job">): Promise<boolean> {
  const [, id] = JOB_URI.exec(uri) ?? [];
  if (id === undefined) return !uri.startsWith("metricgate://jobs/");
  try {
    await job(principal, { job_id: id });
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}

/** A message of the newer era without the jobs in it that its caller may not watch; any other message as it is. */
export async function withOwnJobs(message: unknown, principal: Principal, pipeline: Pick<Pipeline, "job">): Promise<unknown> {
  if (!isRecord(message) || message["method"] !== "subscriptions/listen" || !isRecord(message["params"])) return message;
  const { notifications } = message["params"];
  const uris: unknown = isRecord(notifications) ? notifications["resourceSubscriptions"] : undefined;
  if (!isRecord(notifications) || !Array.isArray(uris)) return message;
  const kept: unknown[] = [];
  for (const uri of uris) if (typeof uri !== "string" || (await mayWatch(uri, principal, pipeline))) kept.push(uri);
  return { ...message, params: { ...message["params"], notifications: { ...notifications, resourceSubscriptions: kept } } };
}
