import { connect as connectSocket } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { rateLimiter } from "../../src/auth/rate-limit.ts";
import { isDeeperThan, MAX_JSON_DEPTH } from "../../src/http/json-depth.ts";
import { serveOverHttp } from "../../src/http/server.ts";
import { limited } from "../../src/limited.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";
import { testParts } from "../support/mcp-parts.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const SPEC = { measures: [{ name: "wip" }] };

/** A server whose callers are named by their authorization header, and may call `perMinute` times. */
async function limitedHttp(perMinute: number) {
  const parts = await testParts();
  const limiter = rateLimiter({ tenantPerMinute: 100, principalPerMinute: perMinute, burst: 0 });
  const mcp = {
    ...parts,
    pipeline: limited(parts.pipeline, limiter, parts.observe),
    identify: (request: Request | null) => testPrincipal(testTenant({ id: 7 }), request?.headers.get("authorization") ?? "nobody"),
  };
  const edge = await serveOverHttp({
    host: "127.0.0.1",
    port: 0,
    allowedOrigins: [],
    ready: async () => true,
    mcp,
    callsLeft: limiter.state,
  });
  return { url: edge.url, parts, [Symbol.asyncDispose]: () => edge.close() };
}

function post(url: string, body: string, more: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: "POST", headers: { ...HEADERS, ...more }, body });
}

const call = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "run_analytics_spec", arguments: SPEC } });
const told = ({ headers }: Response) =>
  ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"].map((name) => headers.get(name));

test("each answer says how many calls its caller has left, and when there are more", async () => {
  await using http = await limitedHttp(2);
  const ann = { authorization: "ann" };
  const listed = await post(http.url, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }), ann);
  expect([listed.status, ...told(listed)]).toEqual([200, "2", "2", "60", null]);
  expect(await listed.text()).toContain("run_analytics_spec");
  for (const text of [await (await post(http.url, call, ann)).text(), await (await post(http.url, call, ann)).text()])
    expect(text).not.toContain("RATE_LIMITED");
  const over = await post(http.url, call, ann);
  const text = await over.text();
  expect(text).toContain("RATE_LIMITED: This caller may make 2 calls a minute");
  expect(text).toMatch(/Retry after \d+ s\./);
  const after = await post(http.url, call, ann);
  await after.text();
  const [limit, remaining, reset, retryAfter] = told(after);
  expect([limit, remaining]).toEqual(["2", "0"]);
  expect(Number(reset)).toBeGreaterThan(50);
  expect(retryAfter).toBe(reset);
  const other = await post(http.url, call, { authorization: "ben" });
  expect(await other.text()).not.toContain("RATE_LIMITED");
  expect(http.parts.observed).toContainEqual({ kind: "rate_limited", tenantId: 7, scope: "principal" });
});

test.each(GENERATIONS)("a real client (%s) reads the refusal and its seconds", async (generation) => {
  await using http = await limitedHttp(1);
  await using client = await connect(generation, { url: http.url });
  expect((await client.call("run_analytics_spec", SPEC)).isError ?? false).toBe(false);
  expect(await client.call("run_analytics_spec", SPEC)).toMatchObject({
    isError: true,
    structuredContent: { success: false, error: { code: "RATE_LIMITED", retry_after: expect.any(Number), next: expect.any(String) } },
  });
});

test("without a limiter no answer speaks of calls", async () => {
  await using http = await testHttp();
  expect(told(await post(http.edge.url, call))).toEqual([null, null, null, null]);
});

test("a limiter that fails costs the headers only", async () => {
  await using http = await testHttp({}, { callsLeft: () => Promise.reject(new Error("away")) });
  const answer = await post(http.edge.url, call);
  expect([answer.status, ...told(answer)]).toEqual([200, null, null, null, null]);
});

test("a body may nest so deep and no deeper", async () => {
  await using http = await testHttp();
  const nested = (depth: number) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_metrics","arguments":{"search":${"[".repeat(depth - 3)}${"]".repeat(depth - 3)}}}}`;
  expect((await post(http.edge.url, nested(MAX_JSON_DEPTH))).status).toBe(200);
  const refused = await post(http.edge.url, nested(MAX_JSON_DEPTH + 1));
  expect(refused.status).toBe(400);
  expect(await refused.json()).toEqual({
    jsonrpc: "2.0",
    error: { code: -32_600, message: "A request may nest at most 64 arrays and objects inside each other." },
    id: null,
  });
  expect(http.parts.observed.at(-1)).toEqual({ kind: "request_refused", reason: "depth", status: 400 });
  expect((await post(http.edge.url, "[".repeat(500_000))).status).toBe(400);
});

test("depth is what a parser would find", () => {
  const depthOf = (value: unknown): number =>
    typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 7 }), (value, limit) => {
      expect(isDeeperThan(limit, JSON.stringify(value))).toBe(depthOf(value) > limit);
    }),
  );
  expect(isDeeperThan(1, String.raw`{"a":"\"[[[\\","b":"]"}`)).toBe(false);
});

test("headers over their size end the request", async () => {
  await using http = await testHttp();
  const answered = (bytes: number) =>
    new Promise<string>((resolve) => {
      let text = "";
      const socket = connectSocket(Number(new URL(http.origin).port), "127.0.0.1");
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.on("close", () => resolve(text.split("\r\n")[0] ?? ""));
      socket.on("error", () => undefined);
      socket.write(`GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Large: ${"x".repeat(bytes)}\r\n\r\n`);
    });
  expect(await answered(15_000)).toContain("200");
  expect(await answered(17_000)).toContain("431");
});
