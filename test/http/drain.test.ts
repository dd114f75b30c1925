import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";

const SPEC = { measures: [{ name: "wip" }] };

test.each(GENERATIONS)("a server that stops answers the call of a %s client first, and begins no other", async (generation) => {
  const gate = Promise.withResolvers<void>();
  let isBehindGate = false;
  const http = await testHttp({ gate: () => ((isBehindGate = true), gate.promise) });
  const health = async (): Promise<[number, string]> => {
    const response = await fetch(`${http.origin}/health/ready`);
    return [response.status, ((await response.json()) as { status: string }).status];
  };
  await using client = await connect(generation, { url: http.edge.url });
  expect(await health()).toEqual([200, "ready"]);
  const answer = client.call("run_analytics_spec", SPEC);
  await expect.poll(() => isBehindGate).toBe(true);

  let isClosed = false;
  const closing = http.edge.close().then(() => (isClosed = true));
  expect(await health()).toEqual([503, "stopping"]);
  expect((await fetch(`${http.origin}/health/live`)).status).toBe(200);
  const late = await fetch(http.edge.url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  expect(late.status).toBe(503);
  expect(late.headers.get("retry-after")).toBe("1");
  expect(await late.text()).toContain("UNAVAILABLE: This server is stopping.");
  await sleep(50);
  expect(isClosed).toBe(false);

  gate.resolve();
  const { isError, structuredContent } = await answer;
  expect(isError ?? false).toBe(false);
  expect(structuredContent).toMatchObject({ success: true });
  await closing;
  await expect(fetch(`${http.origin}/health/live`)).rejects.toThrow();
});

test("a client that listens for notices, or that has gone, holds up nobody", async () => {
  const http = await testHttp({ gate: () => new Promise(() => undefined) });
  await using listening = await connect("v1", { url: http.edge.url });
  await listening.raw.listTools();
  const gone = new AbortController();
  const asked = fetch(http.edge.url, {
    method: "POST",
    signal: gone.signal,
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "run_analytics_spec", arguments: SPEC } }),
  });
  await sleep(100);
  const startMs = performance.now();
  const closing = http.edge.close();
  await sleep(100);
  gone.abort();
  await expect(asked.then((response) => response.text())).rejects.toThrow();
  await closing;
  expect(performance.now() - startMs).toBeLessThan(3_000);
});

test.each(["v1", "v2-2025"] as const)("a call that a %s client cancelled is not waited for, nor its stream kept", async (generation) => {
  let isBehindGate = false;
  const http = await testHttp({ gate: () => ((isBehindGate = true), new Promise(() => undefined)) });
  await using client = await connect(generation, { url: http.edge.url });
  const cancel = new AbortController();
  const call = client.call("run_analytics_spec", SPEC, { signal: cancel.signal });
  await expect.poll(() => isBehindGate).toBe(true);
  cancel.abort();
  await expect(call).rejects.toThrow();
  await expect.poll(() => http.parts.pipeline.cancelled).toBe(1);
  const startMs = performance.now();
  await http.edge.close();
  expect(performance.now() - startMs).toBeLessThan(3_000);
});
