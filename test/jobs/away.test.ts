import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openNative } from "../../src/db/native.ts";
import { must } from "../../src/must.ts";
import { faultProxy } from "../support/fault-proxy.ts";
import { createScratch, nativeTestUrl, type ScratchDatabase } from "../support/native-database.ts";
import { describeOnRedis, ownRedis } from "../support/redis.ts";
import { startStdio } from "../support/server-process.ts";
import { checkQueue } from "../../src/operator.ts";
import { describeOnNative } from "../support/databases.ts";
import { createTenant, testPrincipal } from "../support/tenants.ts";
import { CREATED, failure, stage, tenantWith, workerProcess } from "./stage.ts";

/*
 * Worker and server processes whose database or Redis has gone for good: they wait without working, and end when told to.
 */
const WATCHED_MS = 4_000;
/** Ten times what is used; a worker that spins uses all of it. */
const MAX_CPU_SHARE = 0.2;
const ENDED_WITHIN_MS = 8_000;
const TICKS_PER_SECOND = 100;
const url = nativeTestUrl();

const workers: ChildProcess[] = [];
afterEach(() => workers.splice(0).forEach((worker) => worker.kill("SIGKILL")));

async function startWorker(environment: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const worker = await workerProcess(environment);
  workers.push(worker);
  return worker;
}

/** What a process has used of a processor by now, in milliseconds. */
function cpuMsOf(pid: number | undefined): number {
  // After the name, which may hold anything but ends with the last parenthesis.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

async function cpuShareOf({ pid }: ChildProcess): Promise<number> {
  const [beforeMs, atMs] = [cpuMsOf(pid), performance.now()];
  await sleep(WATCHED_MS);
  const share = (cpuMsOf(pid) - beforeMs) / (performance.now() - atMs);
  process.stderr.write(`waits with ${(share * 100).toFixed(1)} % of a processor\n`);
  return share;
}

/** Whether a process ends by itself, and how. */
async function endOf(process: ChildProcess): Promise<number | null> {
  const startMs = performance.now();
  const [code] = process.exitCode === null ? ((await once(process, "exit")) as [number | null]) : [process.exitCode];
  expect(performance.now() - startMs).toBeLessThan(ENDED_WITHIN_MS);
  return code;
}

/** What a worker writes to standard error, so that its pipe never fills. */
function heard(process: ChildProcess): () => string {
  let text = "";
  process.stderr?.on("data", (chunk: Buffer) => void (text += chunk.toString()));
  return () => text;
}

describe.skipIf(url === undefined)("a database that is gone (native)", { timeout: 60_000 }, () => {
  let scratch: ScratchDatabase;
  let isDropped = false;
  beforeAll(async () => {
    scratch = await createScratch(must(url, "TEST_DATABASE_URL"));
    const database = openNative({ url: scratch.url, observe: () => undefined });
    await createTenant(database, { id: 1, slug: "a" });
    await database.close();
  }, 60_000);
  afterAll(() => (isDropped ? undefined : scratch.drop()));

  test("a worker that cannot connect waits without working, works when it can again, and ends when told to", async () => {
    await using proxy = await faultProxy(scratch.url);
    const worker = await startWorker({ METRICGATE_DATABASE_URL: proxy.through(scratch.url) });
    const said = heard(worker);
    proxy.newcomers = "reset";
    proxy.reset();
    await sleep(500);
    expect(await cpuShareOf(worker)).toBeLessThan(MAX_CPU_SHARE);
    expect(said().split("\n").length).toBeLessThan(60);
    proxy.newcomers = "pass";
    await expect.poll(() => proxy.open, { timeout: 10_000 }).toBeGreaterThan(0);
    worker.kill("SIGTERM");
    expect(await endOf(worker)).toBe(0);
  });

  test.each(["silent", "reset"] as const)("a server over stdio ends with its client though its database is %s", async (newcomers) => {
    await using proxy = await faultProxy(scratch.url);
    await using server = startStdio({ METRICGATE_DATABASE_URL: proxy.through(scratch.url), METRICGATE_TENANT: "a" });
    const stdin = must(server.process.stdin, "stdin");
    const say = (message: object): void => void stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const clientInfo = { name: "x", version: "1" };
    say({ id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo } });
    const [first] = (await once(must(server.process.stdout, "stdout"), "data")) as [Buffer];
    expect(first.toString()).toContain('"id":1');
    say({ method: "notifications/initialized" });
    say({ id: 2, method: "tools/call", params: { name: "start_job", arguments: { spec: CREATED } } });
    const [second] = (await once(must(server.process.stdout, "stdout"), "data")) as [Buffer];
    expect(second.toString()).toContain("job_");
    proxy.newcomers = newcomers;
    if (newcomers === "silent") proxy.freeze();
    else proxy.reset();
    await sleep(500);
    stdin.end();
    expect(await endOf(server.process)).toBe(0);
    expect(server.said()).toBe("");
  });

  test("a worker whose database is dropped waits without working, and ends when told to", async () => {
    const worker = await startWorker({ METRICGATE_DATABASE_URL: scratch.url });
    const server = startStdio({ METRICGATE_DATABASE_URL: scratch.url, METRICGATE_TENANT: "a" });
    await using _ = server;
    // Long enough for the server to begin its own work.
    await sleep(3_500);
    await scratch.drop();
    isDropped = true;
    const said = heard(worker);
    await sleep(500);
    expect(await Promise.all([cpuShareOf(worker), cpuShareOf(server.process)])).toEqual([
      expect.toSatisfy((share: number) => share < MAX_CPU_SHARE),
      expect.toSatisfy((share: number) => share < MAX_CPU_SHARE),
    ]);
    expect(said().split("\n").length).toBeLessThan(60);
    worker.kill("SIGTERM");
    expect(await endOf(worker)).toBe(0);
    must(server.process.stdin, "stdin").end();
    expect(await endOf(server.process)).toBe(0);
  });
});

describe.skipIf(url === undefined)("a Redis that is gone (native)", () => {
  describeOnRedis("a worker", () => {
    test("waits without working, and ends when told to", { timeout: 60_000 }, async () => {
      const scratch = await createScratch(must(url, "TEST_DATABASE_URL"));
      await using redis = await ownRedis();
      await redis.start();
      const worker = await startWorker({ METRICGATE_DATABASE_URL: scratch.url, METRICGATE_REDIS_URL: redis.url });
      const said = heard(worker);
      await redis.stop();
      await sleep(500);
      expect(await cpuShareOf(worker)).toBeLessThan(MAX_CPU_SHARE);
      expect(said().split("\n").length).toBeLessThan(200);
      worker.kill("SIGTERM");
      expect(await endOf(worker)).toBe(0);
      await scratch.drop();
    });
  });
});

describeOnNative("a Redis that never was there", (get) => {
  test("is told to whoever orders a job, whose order is taken back, and to the operator", { timeout: 60_000 }, async () => {
    await using redis = await ownRedis();
    const ann = testPrincipal(await tenantWith(get(), 1, 3), "ann");
    const on = await stage(get().database, "never", { redisUrl: redis.url });
    const startMs = performance.now();
    expect(await failure(on.pipeline.startJob(ann, { spec: CREATED }))).toMatchObject({
      code: "UNAVAILABLE",
      details: { retryAfterSeconds: 5 },
    });
    expect(performance.now() - startMs).toBeLessThan(ENDED_WITHIN_MS);
    const { rowCount } = await get().asSuperuser((client) => client.query("select from jobs.job"));
    expect(rowCount).toBe(0);
    expect(await checkQueue(on.background.waiting, { redisUrl: redis.url })).toMatchObject({
      ok: false,
      found: "in Redis: The queue of background jobs cannot be reached.",
      fix: expect.stringContaining("METRICGATE_REDIS_URL"),
    });
    await redis.start();
    await expect.poll(() => checkQueue(on.background.waiting, { redisUrl: redis.url }), { timeout: 20_000 }).toMatchObject({ ok: true });
    const { job_id } = await on.pipeline.startJob(ann, { spec: CREATED });
    expect((await checkQueue(on.background.waiting, {})).found).toBe("in the database, 1 jobs wait");
    await on.work();
    expect(await on.ended(ann, job_id)).toMatchObject({ state: "done" });
    await on.background.close();
  });
});
