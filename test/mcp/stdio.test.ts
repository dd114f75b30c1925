import { InMemoryTransport } from "@modelcontextprotocol/server";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import { serveOverStdio } from "../../src/mcp/stdio.ts";
import { testParts } from "../support/mcp-parts.ts";

const LEGACY = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
};
const CALL = { name: "run_analytics_spec", arguments: { measures: [{ name: "wip" }] } };

/** A stdio edge whose other end is in this process. */
async function wired(options: Parameters<typeof testParts>[0] = {}) {
  const parts = await testParts(options);
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const edge = serveOverStdio(parts, ours);
  const received: (JSONRPCMessage & { method?: string; id?: unknown; params?: unknown; result?: unknown })[] = [];
  theirs.onmessage = (message) => void received.push(message);
  await theirs.start();
  const send = (message: Record<string, unknown>) => theirs.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage);
  const methods = () => received.flatMap(({ method }) => (method === undefined ? [] : [method]));
  return { parts, edge, theirs, received, send, methods };
}

test("a cancelled call is ended while the connection stays", async () => {
  const { parts, edge, received, send } = await wired({ gate: () => new Promise(() => undefined) });
  await send({ id: 1, method: "initialize", params: LEGACY });
  await send({ id: 2, method: "tools/call", params: CALL });
  await expect.poll(() => parts.pipeline.seen.length).toBe(1);
  await send({ method: "notifications/cancelled", params: { requestId: 2 } });
  await expect.poll(() => parts.pipeline.cancelled).toBe(1);
  await send({ id: 3, method: "ping" });
  await expect.poll(() => received.find(({ id }) => id === 3)).toMatchObject({ result: {} });
  expect(received.find(({ id }) => id === 2)).toBeUndefined();
  await edge.close();
});

test("a client of the older era hears of changes, and of the resources it subscribed to", async () => {
  const { edge, send, methods, received } = await wired();
  await send({ id: 1, method: "initialize", params: LEGACY });
  await send({ method: "notifications/initialized" });
  await send({ id: 2, method: "resources/subscribe", params: { uri: "metricgate://catalog/metrics" } });
  await expect.poll(() => received.some(({ id }) => id === 2)).toBe(true);
  edge.toolsChanged();
  edge.promptsChanged();
  edge.resourcesChanged();
  edge.resourceUpdated("metricgate://catalog/metrics");
  edge.resourceUpdated("metricgate://catalog/dimensions");
  await expect
    .poll(methods)
    .toEqual([
      "notifications/tools/list_changed",
      "notifications/prompts/list_changed",
      "notifications/resources/list_changed",
      "notifications/resources/updated",
    ]);
  await send({ id: 3, method: "resources/unsubscribe", params: { uri: "metricgate://catalog/metrics" } });
  await expect.poll(() => received.some(({ id }) => id === 3)).toBe(true);
  edge.resourceUpdated("metricgate://catalog/metrics");
  await send({ id: 4, method: "ping" });
  await expect.poll(() => received.some(({ id }) => id === 4)).toBe(true);
  expect(methods()).toHaveLength(4);
  await edge.close();
});

test("a client of the newer era hears of what it listens to", async () => {
  const { edge, send, methods } = await wired();
  await send({
    id: 1,
    method: "subscriptions/listen",
    params: { notifications: { toolsListChanged: true, resourceSubscriptions: ["metricgate://catalog/metrics"] }, _meta: ENVELOPE },
  });
  await expect.poll(methods).toEqual(["notifications/subscriptions/acknowledged"]);
  edge.promptsChanged();
  edge.toolsChanged();
  edge.resourceUpdated("metricgate://catalog/metrics");
  edge.resourceUpdated("metricgate://catalog/dimensions");
  await expect
    .poll(methods)
    .toEqual(["notifications/subscriptions/acknowledged", "notifications/tools/list_changed", "notifications/resources/updated"]);
  await edge.close();
});

test("the edge is closed when its client has gone", async () => {
  const { edge, theirs, send } = await wired();
  await send({ id: 1, method: "initialize", params: LEGACY });
  await theirs.close();
  await expect(edge.closed).resolves.toBeUndefined();
  edge.toolsChanged();
});

test("an operator's failure is logged to the client from the level it asked for on", async () => {
  const { edge, send, methods, received } = await wired({ failure: new Error("secret") });
  await send({ id: 1, method: "initialize", params: LEGACY });
  await send({ id: 2, method: "logging/setLevel", params: { level: "critical" } });
  await send({ id: 3, method: "tools/call", params: CALL });
  await expect.poll(() => received.some(({ id }) => id === 3)).toBe(true);
  expect(methods()).toEqual([]);
  await send({ id: 4, method: "logging/setLevel", params: { level: "warning" } });
  await send({ id: 5, method: "tools/call", params: CALL });
  await expect.poll(() => received.some(({ id }) => id === 5)).toBe(true);
  expect(received.find(({ method }) => method === "notifications/message")?.params).toEqual({
    level: "error",
    data: { tool: "run_analytics_spec", code: "INTERNAL" },
    logger: "metricgate",
  });
  await edge.close();
});

test("a call carries its trace, its stages and its end to the observers", async () => {
  const { parts, edge, received, send } = await wired();
  await send({
    id: 1,
    method: "tools/call",
    params: { ...CALL, _meta: { ...ENVELOPE, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b" } },
  });
  await expect.poll(() => received.some(({ id }) => id === 1)).toBe(true);
  expect(parts.observed.map(({ kind }) => kind)).toEqual(["tool_started", "tool_called"]);
  expect(parts.observed[1]).toMatchObject({ tool: "run_analytics_spec", tenantId: 7, outcome: "ok" });
  await edge.close();
});

test("a failure that no result can carry is a protocol error with its code", async () => {
  const { edge, received, send } = await wired({ identify: () => Promise.reject(new Error("secret")) });
  await send({ id: 1, method: "initialize", params: LEGACY });
  await send({ id: 2, method: "resources/read", params: { uri: "metricgate://results/res_1" } });
  await send({
    id: 3,
    method: "completion/complete",
    params: { ref: { type: "ref/prompt", name: "ask_metrics" }, argument: { name: "project", value: "" } },
  });
  await send({
    id: 4,
    method: "completion/complete",
    params: { ref: { type: "ref/prompt", name: "ask_metrics" }, argument: { name: "question", value: "" } },
  });
  await send({
    id: 5,
    method: "completion/complete",
    params: { ref: { type: "ref/resource", uri: "file:///etc" }, argument: { name: "x", value: "" } },
  });
  await expect.poll(() => received.length).toBe(5);
  const text = JSON.stringify(received);
  expect(text).not.toContain("secret");
  for (const id of [2, 3])
    expect(received.find((message) => message.id === id)).toMatchObject({
      error: { code: -32603, message: expect.stringMatching(/^INTERNAL: /) },
    });
  expect(received.find(({ id }) => id === 4)).toMatchObject({ result: { completion: { values: [] } } });
  expect(received.find(({ id }) => id === 5)).toMatchObject({ error: { code: -32602 } });
  await edge.close();
});
