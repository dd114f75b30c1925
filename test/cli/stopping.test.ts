import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openNative } from "../../src/db/native.ts";
import { must } from "../../src/must.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { largestWorld } from "../oracle/world.ts";
import { faultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { asSuperuser, createScratch, nativeTestUrl, type ScratchDatabase } from "../support/native-database.ts";
import { startHttp, startStdio } from "../support/server-process.ts";
import { createTenant } from "../support/tenants.ts";

/*
 * Real processes that are told to stop while they answer, or whose client dies. A network that takes its time makes calls
 * long enough to be met in the middle.
 */
const SPEC = { measures: [{ name: "issues_created" }], dimensions: ["issue_type"], time: { range: "all" } };
const LATENCY_MS = 250;
/** Sooner than a statement that waits for a lock gives up by itself: after 2 s. */
const ENDED_WITHIN_MS = 1_600;
const url = nativeTestUrl();

describe.skipIf(url === undefined)("a server process (native)", { timeout: 60_000 }, () => {
  let scratch: ScratchDatabase;
  let proxy: FaultProxy;
  let environment: Record<string, string>;

  beforeAll(async () => {
    scratch = await createScratch(must(url, "TEST_DATABASE_URL"));
    proxy = await faultProxy(scratch.url);
    const database = openNative({ url: scratch.url, observe: () => undefined });
    await importIntoTenant(database, await createTenant(database, { id: 1, slug: "a" }), largestWorld(3));
    await database.close();
    environment = { METRICGATE_DATABASE_URL: proxy.through(scratch.url), METRICGATE_TENANT: "a" };
  }, 60_000);
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await scratch.drop();
  }, 30_000);

  /** Statements that run for a server's clients just now. */
  const running = (): Promise<number> =>
    asSuperuser(scratch.url, async (client) => {
      const { rowCount } = await client.query(
        "select 1 from pg_stat_activity where usename = 'metricgate_api' and datname = current_database() and state <> 'idle'",
      );
      return rowCount ?? 0;
    });
  /** While `work` runs, every statement on issues waits for a lock. */
  const whileLocked = (work: () => Promise<void>): Promise<void> =>
    asSuperuser(scratch.url, async (client) => {
      await client.query("begin; lock table warehouse.issue in access exclusive mode");
      await work();
      await client.query("rollback");
    });

  test("SIGTERM in the middle of calls over HTTP: not ready, all answered, exit status 0", async () => {
    await using server = await startHttp(environment);
    const clients = await Promise.all(GENERATIONS.map((generation) => connect(generation, { url: server.url })));
    for (const client of clients) expect((await client.call("list_values", { dimension: "issue_type" })).isError ?? false).toBe(false);
    proxy.latencyMs = LATENCY_MS;
    try {
      const answers = clients.map((client, at) => client.call("run_analytics_spec", { ...SPEC, limit: at + 1 }));
      await sleep(LATENCY_MS);
      server.process.kill("SIGTERM");
      await expect.poll(async () => (await fetch(`${server.origin}/health/ready`)).status, { interval: 10, timeout: 5_000 }).toBe(503);
      expect((await fetch(`${server.origin}/health/live`)).status).toBe(200);
      for (const answer of await Promise.all(answers)) {
        expect(answer.isError ?? false, JSON.stringify(answer.content)).toBe(false);
        expect(answer.structuredContent).toMatchObject({ success: true });
      }
    } finally {
      proxy.latencyMs = 0;
    }
    expect(await server.exited).toBe(0);
    expect(server.mistakes()).toEqual([]);
    await Promise.allSettled(clients.map((client) => client.raw.close()));
  });

  /** Speaks to a server over stdio by raw lines. */
  const speak = async () => {
    const server = startStdio(environment);
    const stdin = must(server.process.stdin, "stdin");
    const heard = new Map<number, Record<string, unknown>>();
    createInterface({ input: must(server.process.stdout, "stdout") }).on("line", (line) => {
      const message = JSON.parse(line) as Record<string, unknown>;
      if (typeof message["id"] === "number") heard.set(message["id"], message);
    });
    const say = (message: Record<string, unknown>): void => void stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const call = (id: number, input: Record<string, unknown>): void =>
      say({ id, method: "tools/call", params: { name: "run_analytics_spec", arguments: input } });
    say({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } },
    });
    await expect.poll(() => heard.has(1), { timeout: 20_000 }).toBe(true);
    say({ method: "notifications/initialized" });
    call(2, { ...SPEC, limit: 7 });
    await expect.poll(() => heard.has(2), { timeout: 20_000 }).toBe(true);
    return { server, stdin, heard, call };
  };

  test("SIGTERM in the middle of a call over stdio: answered, exit status 0", async () => {
    const { server, heard, call } = await speak();
    await using _ = server;
    proxy.latencyMs = LATENCY_MS;
    try {
      call(3, SPEC);
      await sleep(LATENCY_MS);
      server.process.kill("SIGTERM");
      expect(await server.exited).toBe(0);
    } finally {
      proxy.latencyMs = 0;
    }
    expect(heard.get(3)).toMatchObject({ result: { structuredContent: { success: true } } });
    expect(server.mistakes()).toEqual([]);
  });

  test("a second signal ends it at once, with exit status 1", async () => {
    await using server = await startHttp(environment);
    await using client = await connect("v1", { url: server.url });
    await client.call("list_values", { dimension: "issue_type" });
    proxy.latencyMs = 8 * LATENCY_MS;
    try {
      const answer = client.call("run_analytics_spec", SPEC, { timeout: 3_000 }).catch(() => undefined);
      await sleep(LATENCY_MS);
      server.process.kill("SIGTERM");
      await expect.poll(async () => (await fetch(`${server.origin}/health/ready`)).status, { interval: 10, timeout: 5_000 }).toBe(503);
      const startMs = performance.now();
      server.process.kill("SIGINT");
      expect(await server.exited).toBe(1);
      expect(performance.now() - startMs).toBeLessThan(1_000);
      await answer;
    } finally {
      proxy.latencyMs = 0;
    }
  });

  test("a client of stdio that is killed takes its statement and its server with it", async () => {
    const { server, stdin, call } = await speak();
    await using _ = server;
    await whileLocked(async () => {
      call(3, SPEC);
      await expect.poll(running, { interval: 20 }).toBeGreaterThan(0);
      const startMs = performance.now();
      stdin.destroy();
      must(server.process.stdout, "stdout").destroy();
      await expect.poll(running, { interval: 20, timeout: ENDED_WITHIN_MS }).toBe(0);
      expect(performance.now() - startMs).toBeLessThan(ENDED_WITHIN_MS);
      expect(await server.exited).toBe(0);
    });
    expect(server.mistakes()).toEqual([]);
  });

  test("a client over HTTP that is killed takes its statement with it; the others go on", async () => {
    await using server = await startHttp(environment);
    await using other = await connect("v2-2026", { url: server.url });
    const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "run_analytics_spec", arguments: SPEC } };
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const script = `await fetch(${JSON.stringify(server.url)}, { method: "POST", headers: ${JSON.stringify(headers)}, body: ${JSON.stringify(JSON.stringify(body))} })`;
    await whileLocked(async () => {
      const client = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
      await expect.poll(running, { interval: 20, timeout: 5_000 }).toBeGreaterThan(0);
      const startMs = performance.now();
      client.kill("SIGKILL");
      await once(client, "exit");
      await expect.poll(running, { interval: 20, timeout: ENDED_WITHIN_MS }).toBe(0);
      expect(performance.now() - startMs).toBeLessThan(ENDED_WITHIN_MS);
    });
    expect((await other.call("run_analytics_spec", SPEC)).isError ?? false).toBe(false);
    expect(server.mistakes()).toEqual([]);
  });
});
