import { InMemoryTransport } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import { serveOverStdio } from "../../src/mcp/stdio.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import type { Generation } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";
import { testParts } from "../support/mcp-parts.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const tenant = testTenant({ id: 7 });
const narrow = testPrincipal(tenant, "narrow", { allowed: { metrics: ["wip"] } });
const wide = testPrincipal(tenant, "wide");
/** Each client says who it is by the header of its user. */
const identify = (request: Request | null) => (request?.headers.get("user-agent")?.includes("wide") === true ? wide : narrow);

/** Everything a client can be shown about metrics, as one text. */
async function shown(generation: Generation, url: string): Promise<string> {
  await using client = await connect(generation, { url });
  const { raw } = client;
  const { tools } = await raw.listTools();
  const texts: unknown[] = [tools.map(({ inputSchema }) => inputSchema), await client.call("list_metrics", {})];
  for (const { uri } of (await raw.listResources()).resources) texts.push(await raw.readResource({ uri }));
  texts.push(await client.call("run_analytics_spec", { measures: [{ name: "velocty" }] }));
  const ref = { type: "ref/resource", uri: "metricgate://catalog/metrics/{name}" } as const;
  texts.push(await raw.complete({ ref, argument: { name: "name", value: "" } }));
  await expect(raw.readResource({ uri: "metricgate://catalog/metrics/velocity" })).rejects.toThrow();
  return JSON.stringify(texts).replaceAll("velocty", "");
}

test.each(GENERATIONS)("%s is shown only the metrics on its list", async (generation) => {
  await using http = await testHttp({ identify });
  const text = await shown(generation, http.edge.url);
  expect(text).toContain("wip");
  const others = [...http.parts.pipeline.catalog.metrics.keys()].filter((name) => name !== "wip");
  expect(others.filter((name) => new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});

test("callers with different lists are served side by side, each from its own catalog", async () => {
  await using http = await testHttp({ identify });
  const listed = async (agent: string): Promise<string> => {
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "user-agent": agent };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
    return (await fetch(http.edge.url, { method: "POST", headers, body })).text();
  };
  const [own, all, again] = [await listed("narrow"), await listed("wide"), await listed("narrow")];
  expect(own).not.toContain("velocity");
  expect(all).toContain("velocity");
  expect(again).toBe(own);
});

test("over stdio a caller that may be narrowed is looked up before anything is listed", async () => {
  const known = Promise.withResolvers<void>();
  const parts = { ...(await testParts({ identify: () => known.promise.then(() => narrow) })), narrowsLocal: true };
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const edge = serveOverStdio(parts, ours);
  const received: string[] = [];
  theirs.onmessage = (message) => void received.push(JSON.stringify(message));
  await theirs.start();
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
  await theirs.send({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  await theirs.send({ jsonrpc: "2.0", id: 2, method: "tools/list" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(received).toEqual([]);
  known.resolve();
  await expect.poll(() => received.length).toBe(2);
  expect(received.join("")).toContain('"wip"');
  expect(received.join("")).not.toContain("velocity");
  await edge.close();
});
