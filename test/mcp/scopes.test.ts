import { InMemoryTransport } from "@modelcontextprotocol/server";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import { specJsonSchema } from "../../src/spec/json-schema.ts";
import { scopeOfRequest, scopesLacking } from "../../src/mcp/scopes.ts";
import { authInfoOf } from "../../src/mcp/callers.ts";
import { toolsOf } from "../../src/mcp/server.ts";
import { serveOverStdio } from "../../src/mcp/stdio.ts";
import { DEFAULT_SCOPES } from "../../src/tenant.ts";
import { shippedCatalog } from "../support/mcp-pipeline.ts";
import { testParts } from "../support/mcp-parts.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const NOBODY = testPrincipal(testTenant({ id: 7 }), "eve", { scopes: ["jobs:write"] });

/** Tools that ask for another scope than to read metrics. */
const SPECIAL = new Map([
  ["drill_down", "drill:read"],
  ["semantic_search", "search:read"],
  ["start_job", "jobs:write"],
  ["cancel_job", "jobs:write"],
]);

test("every tool and everything that reads asks for a scope; what only lists for none", async () => {
  const catalog = await shippedCatalog();
  for (const { name } of toolsOf(catalog, specJsonSchema(catalog)))
    expect(scopeOfRequest("tools/call", { name }), name).toBe(SPECIAL.get(name) ?? "metrics:read");
  for (const params of [undefined, null, {}, { name: 7 }, { name: "constructor" }])
    expect(scopeOfRequest("tools/call", params)).toBe("metrics:read");
  for (const method of ["resources/read", "completion/complete"]) expect(scopeOfRequest(method, {})).toBe("metrics:read");
  for (const method of ["initialize", "ping", "tools/list", "resources/list", "prompts/get", "server/discover"])
    expect(scopeOfRequest(method, {})).toBeUndefined();
});

test("what a body asks for is what all its messages ask for", () => {
  const call = { method: "tools/call", params: { name: "list_metrics" } };
  expect(scopesLacking([{ method: "ping" }, call], NOBODY)).toEqual(["metrics:read"]);
  expect(scopesLacking(call, testPrincipal(testTenant({ id: 7 })))).toEqual([]);
  for (const body of [undefined, null, 7, "tools/call", [], [null, 7], {}, { method: 7 }]) expect(scopesLacking(body, NOBODY)).toEqual([]);
});

/** A stdio edge over these parts, and what it answers to whoever has said hello. */
async function speaking(parts: Awaited<ReturnType<typeof testParts>>) {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const edge = serveOverStdio(parts, ours);
  const received = new Map<unknown, unknown>();
  theirs.onmessage = (message) => void ("id" in message && received.set(message.id, message));
  await theirs.start();
  const ask = async (id: number, method: string, params: unknown): Promise<unknown> => {
    await theirs.send({ jsonrpc: "2.0", id, method, params } as JSONRPCMessage);
    await expect.poll(() => received.get(id)).toBeDefined();
    return received.get(id);
  };
  await ask(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } });
  return { edge, ask };
}

test("to open up a number needs a scope of its own, which reading metrics is not", async () => {
  const reader = testPrincipal(testTenant({ id: 7 }), "ann", { scopes: ["metrics:read"] });
  const parts = await testParts({ identify: () => reader });
  const { edge, ask } = await speaking(parts);
  await ask(2, "tools/call", { name: "run_analytics_spec", arguments: { measures: [{ name: "wip" }] } });
  const params = { name: "drill_down", arguments: { result_id: "res_1", row: 0, measure: "wip" } };
  expect(await ask(3, "tools/call", params)).toMatchObject({
    result: { isError: true, structuredContent: { error: { code: "FORBIDDEN", message: expect.stringContaining("drill:read") } } },
  });
  expect(parts.pipeline.seen).toHaveLength(1);
  expect(scopesLacking({ method: "tools/call", params }, reader)).toEqual(["drill:read"]);
  await edge.close();
});

test("what the library carries of a caller holds no token", () => {
  expect(authInfoOf(testPrincipal(testTenant({ id: 7 }), "ada"))).toMatchObject({ token: "", clientId: "ada", scopes: DEFAULT_SCOPES });
});

test("over stdio too a call, a result and a completion answer FORBIDDEN without their scope", async () => {
  const parts = await testParts({ identify: () => NOBODY });
  const { edge, ask } = await speaking(parts);
  expect(await ask(2, "tools/call", { name: "run_analytics_spec", arguments: { measures: [{ name: "wip" }] } })).toMatchObject({
    result: { isError: true, structuredContent: { error: { code: "FORBIDDEN", message: expect.stringContaining("metrics:read") } } },
  });
  expect(await ask(3, "resources/read", { uri: "metricgate://results/res_1" })).toMatchObject({
    error: { message: expect.stringContaining("FORBIDDEN") },
  });
  const completion = { ref: { type: "ref/prompt", name: "sprint_review" }, argument: { name: "project", value: "" } };
  expect(await ask(4, "completion/complete", completion)).toMatchObject({ error: { message: expect.stringContaining("FORBIDDEN") } });
  expect(parts.pipeline.seen).toEqual([]);
  expect(parts.observed).toContainEqual(expect.objectContaining({ kind: "tool_called", outcome: "FORBIDDEN", tenantId: 7 }));
  await edge.close();
});
