import { InMemoryTransport, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Job } from "../../src/jobs/job.ts";
import { jobAnswer } from "../../src/mcp/job-answer.ts";
import { mayWatch, withOwnJobs } from "../../src/mcp/job-watch.ts";
import { serveOverStdio } from "../../src/mcp/stdio.ts";
import type { Principal } from "../../src/tenant.ts";
import { testParts } from "../support/mcp-parts.ts";
import { QUEUED } from "../support/mcp-pipeline.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const JOB: Job = { ...QUEUED, job_id: "job_1", priority: "high" };
const WAIT = 'Wait for it: get_job {"job_id":"job_1","wait_seconds":25}';

test.each<readonly [string, Partial<Job>, string]>([
  ["waits", {}, `job_1: queued. ${WAIT}`],
  ["has begun", { state: "running" }, `job_1: running (starting, 0 rows so far). ${WAIT}`],
  ["is under way", { state: "running", progress: { stage: "execute", rows: 70 } }, `job_1: running (execute, 70 rows so far). ${WAIT}`],
  [
    "is done",
    { state: "done", result_id: "res_1", progress: { stage: "shape", rows: 9 } },
    'job_1: done, 9 rows. Read them: get_result {"result_id":"res_1"}; all as CSV: metricgate://results/res_1.csv',
  ],
  ["was cancelled", { state: "cancelled" }, "job_1: cancelled."],
  [
    "failed",
    { state: "failed", attempts: 3, error: { code: "UNAVAILABLE", message: "Away.", next: "Try later." } },
    "job_1: failed after 3 attempts. UNAVAILABLE: Away. Next: Try later.",
  ],
  [
    "failed for good",
    { state: "failed", attempts: 1, error: { code: "TOO_LARGE", message: "Too\u202e much.", next: null } },
    "job_1: failed after 1 attempt. TOO_LARGE: Too\\u{202e} much.",
  ],
])("a job that %s says so, and what to do next", (_, more, text) => {
  const job = { ...JOB, ...more };
  expect(jobAnswer(job)).toEqual({ text, structured: { success: true, data: job, meta: { job_uri: "metricgate://jobs/job_1" } } });
});

const ANN = testPrincipal(testTenant({ id: 7 }), "ann");
const EVE = testPrincipal(testTenant({ id: 8 }), "eve");
const annsJobs = {
  job: async (principal: Principal, { job_id }: { job_id: string }): Promise<Job> => {
    if (job_id === "job_broken") throw new AppError("UNAVAILABLE", "away");
    if (principal !== ANN || job_id !== "job_1") throw new AppError("NOT_FOUND", "no such job");
    return JOB;
  },
};

test("updates of a job are for its owner; of what is no job, for everybody", async () => {
  expect(await mayWatch("metricgate://jobs/job_1", ANN, annsJobs)).toBe(true);
  expect(await mayWatch("metricgate://jobs/job_1", EVE, annsJobs)).toBe(false);
  expect(await mayWatch("metricgate://jobs/job_2", ANN, annsJobs)).toBe(false);
  for (const odd of ["metricgate://jobs/", "metricgate://jobs/job_1/x", "metricgate://jobs/job_1?x"])
    expect(await mayWatch(odd, ANN, annsJobs), odd).toBe(false);
  expect(await mayWatch("metricgate://catalog/metrics", EVE, annsJobs)).toBe(true);
  await expect(mayWatch("metricgate://jobs/job_broken", ANN, annsJobs)).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("of a wish to listen only what the caller may hear is handed on; any other message as it is", async () => {
  const listen = (resourceSubscriptions: unknown) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "subscriptions/listen",
    params: { notifications: { toolsListChanged: true, resourceSubscriptions } },
  });
  const uris = ["metricgate://jobs/job_1", "metricgate://catalog/metrics", 7];
  expect(await withOwnJobs(listen(uris), ANN, annsJobs)).toEqual(listen(uris));
  expect(await withOwnJobs(listen(uris), EVE, annsJobs)).toEqual(listen(uris.slice(1)));
  for (const other of [null, [], { method: "ping" }, { method: "subscriptions/listen" }, listen(undefined), listen("x")])
    expect(await withOwnJobs(other, EVE, annsJobs)).toBe(other);
});

test("start, look, watch and cancel over the protocol; somebody else's job is not there", async () => {
  let caller = ANN;
  const parts = await testParts({ identify: () => caller });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const edge = serveOverStdio(parts, ours);
  const received = new Map<unknown, Record<string, unknown>>();
  theirs.onmessage = (message) => void ("id" in message && received.set(message.id, message as Record<string, unknown>));
  await theirs.start();
  let id = 0;
  const ask = async (method: string, params: unknown): Promise<Record<string, unknown>> => {
    id += 1;
    await theirs.send({ jsonrpc: "2.0", id, method, params } as JSONRPCMessage);
    await expect.poll(() => received.get(id)).toBeDefined();
    return received.get(id) ?? {};
  };
  const call = (name: string, input: object) => ask("tools/call", { name, arguments: input });
  const saying = (text: string) => ({ result: { content: [{ text: expect.stringContaining(text) }] } });
  await ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } });
  expect(await call("start_job", { spec: { measures: [{ name: "wip" }] } })).toMatchObject(saying("job_1: queued"));
  expect(await call("get_job", { job_id: "job_1" })).toMatchObject(saying("job_1: queued"));
  const read = await ask("resources/read", { uri: "metricgate://jobs/job_1" });
  const [content] = (read["result"] as { contents: { text: string }[] }).contents;
  expect(JSON.parse(content?.text ?? "")).toMatchObject({ success: true, data: { job_id: "job_1" } });
  caller = EVE;
  const absent = (answer: Record<string, unknown>): string => JSON.stringify({ ...answer, id: 0 }).replaceAll("job_2", "job_1");
  expect(absent(await call("get_job", { job_id: "job_1" }))).toBe(absent(await call("get_job", { job_id: "job_2" })));
  expect(absent(await call("cancel_job", { job_id: "job_1" }))).toBe(absent(await call("cancel_job", { job_id: "job_2" })));
  const foreign = await ask("resources/read", { uri: "metricgate://jobs/job_1" });
  expect(foreign).toHaveProperty("error");
  expect(absent(foreign)).toBe(absent(await ask("resources/read", { uri: "metricgate://jobs/job_2" })));
  caller = testPrincipal(testTenant({ id: 7 }), "ann", { scopes: ["jobs:write"] });
  expect(await ask("resources/read", { uri: "metricgate://jobs/job_1" })).toMatchObject({
    error: { message: expect.stringContaining("FORBIDDEN") },
  });
  caller = ANN;
  expect(await call("cancel_job", { job_id: "job_1" })).toMatchObject(saying("job_1: cancelled."));
  await edge.close();
});
