import { request } from "node:http";
import { connect as connectSocket } from "node:net";
import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { httpStatusOf } from "../../src/http/status.ts";
import { connect } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";

const LIST = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** A request as no fetch would send it. */
function raw(
  url: string,
  options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string },
): Promise<{ status: number; text: string }> {
  const answered = Promise.withResolvers<{ status: number; text: string }>();
  const sent = request(url, { method: options.method ?? "POST", headers: { ...HEADERS, ...options.headers } }, (response) => {
    let text = "";
    response.on("data", (chunk: Buffer) => (text += chunk.toString()));
    response.on("end", () => answered.resolve({ status: response.statusCode ?? 0, text }));
  });
  sent.on("error", answered.reject);
  sent.end(options.body ?? LIST);
  return answered.promise;
}

test.each([
  [{}, 200],
  [{ host: "localhost:1" }, 200],
  [{ host: "[::1]" }, 200],
  [{ host: "evil.example" }, 403],
  [{ host: "127.0.0.1.evil.example" }, 403],
  [{ origin: "http://localhost:3000" }, 200],
  [{ origin: "https://tools.example.com" }, 200],
  [{ host: "tools.example.com" }, 200],
  [{ origin: "http://tools.example.com" }, 403],
  [{ origin: "https://tools.example.com:444" }, 403],
  [{ origin: "https://evil.example" }, 403],
  [{ origin: "null" }, 403],
  [{ origin: "file://localhost" }, 403],
  [{ origin: "" }, 403],
] as const)("a request with %j is answered %d", async (headers, status) => {
  await using http = await testHttp({}, { allowedOrigins: ["https://tools.example.com"] });
  const answer = await raw(http.edge.url, { headers });
  expect(answer.status).toBe(status);
  if (status === 403) expect(http.parts.observed.at(-1)).toMatchObject({ kind: "request_refused", status: 403 });
});

test("a browser of an allowed origin may ask beforehand and read the session", async () => {
  await using http = await testHttp({}, { allowedOrigins: ["https://tools.example.com"] });
  const response = await fetch(http.edge.url, {
    method: "OPTIONS",
    headers: { origin: "https://tools.example.com", "access-control-request-method": "POST" },
  });
  expect(response.headers.get("access-control-allow-origin")).toBe("https://tools.example.com");
  expect(response.headers.get("access-control-expose-headers")).toContain("mcp-session-id");
});

test.each([
  ["not JSON", "{", 400],
  ["an empty body", "", 400],
  ["a number", "7", 400],
  ["an array of nothing", "[]", 400],
] as const)("%s is a client's error", async (_what, body, status) => {
  await using http = await testHttp();
  expect((await raw(http.edge.url, { body })).status).toBe(status);
});

test("a body over the limit is refused before it is read as JSON", async () => {
  await using http = await testHttp();
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { padding: "x".repeat(1024 * 1024) } });
  expect((await fetch(http.edge.url, { method: "POST", headers: HEADERS, body })).status).toBe(413);
  const unmeasured = new ReadableStream({
    start: (stream) => {
      stream.enqueue(new TextEncoder().encode(body));
      stream.close();
    },
  });
  expect((await fetch(http.edge.url, { method: "POST", headers: HEADERS, body: unmeasured, duplex: "half" } as RequestInit)).status).toBe(
    413,
  );
});

test("deeply nested and very broad arguments are refused, and the server lives on", async () => {
  await using http = await testHttp();
  const call = (input: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_metrics","arguments":${input}}}`;
  const deep = await raw(http.edge.url, { body: call(`{"search":${"[".repeat(100_000)}${"]".repeat(100_000)}}`) });
  expect(deep.text).toMatch(/isError|error/);
  const broad = await raw(http.edge.url, { body: call(`{"names":[${"1,".repeat(20_000)}1]}`) });
  expect(broad.text).toMatch(/more than the maximum/);
  expect((await raw(http.edge.url, {})).status).toBe(200);
});

test("another media type and another method are refused", async () => {
  await using http = await testHttp();
  expect((await raw(http.edge.url, { headers: { "content-type": "text/plain" } })).status).toBe(415);
  expect((await raw(http.edge.url, { method: "GET", body: "" })).status).toBe(405);
  expect((await raw(http.edge.url, { method: "PUT" })).status).toBe(405);
  const absent = await raw(`${http.origin}/else`, { method: "GET", body: "" });
  expect(absent.status).toBe(404);
  expect(JSON.parse(absent.text)).toMatchObject({ success: false, error: { code: "NOT_FOUND" } });
});

test("a client that dawdles over its headers is cut off", { timeout: 20_000 }, async () => {
  await using http = await testHttp();
  const socket = connectSocket(Number(new URL(http.origin).port), "127.0.0.1");
  const closed = new Promise<number>((resolve) => socket.on("close", () => resolve(performance.now())));
  const start = performance.now();
  socket.on("error", () => undefined);
  socket.write("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  socket.resume();
  expect((await closed) - start).toBeLessThan(15_000);
});

test("health is told to anyone, by any name, and says nothing more", async () => {
  let isReady = false;
  await using http = await testHttp({}, { ready: async () => isReady });
  const get = (path: string) => raw(`${http.origin}${path}`, { method: "GET", body: "", headers: { host: "10.1.2.3:8765" } });
  expect(await get("/health/live")).toEqual({ status: 200, text: '{"status":"live"}' });
  expect(await get("/health/ready")).toEqual({ status: 503, text: '{"status":"starting"}' });
  isReady = true;
  expect(await get("/health/ready")).toEqual({ status: 200, text: '{"status":"ready"}' });
});

test("a database that is away, or does not answer, makes the server unready", async () => {
  await using failing = await testHttp({}, { ready: () => Promise.reject(new Error("down")) });
  expect((await fetch(`${failing.origin}/health/ready`)).status).toBe(503);
  await using hanging = await testHttp({}, { ready: () => new Promise(() => undefined) });
  expect((await fetch(`${hanging.origin}/health/ready`)).status).toBe(503);
});

test("counters are shown on this machine only, and not through a proxy", async () => {
  await using http = await testHttp({}, { metricsText: async () => "metricgate_up 1\n" });
  const response = await fetch(`${http.origin}/metrics`);
  expect(await response.text()).toBe("metricgate_up 1\n");
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  expect((await fetch(`${http.origin}/metrics`, { headers: { "x-forwarded-for": "1.2.3.4" } })).status).toBe(404);
  await using without = await testHttp();
  expect((await fetch(`${without.origin}/metrics`)).status).toBe(404);
});

test("a failure inside a route is told by its code alone", async () => {
  await using http = await testHttp({}, { metricsText: () => Promise.reject(new Error("secret /etc/passwd")) });
  const response = await fetch(`${http.origin}/metrics`);
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("passwd");
  expect(http.parts.observed).toContainEqual(expect.objectContaining({ kind: "unexpected_error", where: "http" }));
});

test("a caller that cannot be identified is turned away before anything is read", async () => {
  const refuse = (error: AppError) => testHttp({ identify: () => Promise.reject(error) });
  await using unknown = await refuse(new AppError("UNAUTHENTICATED", "This key is not known."));
  const response = await fetch(unknown.edge.url, { method: "POST", headers: HEADERS, body: LIST });
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toBe('Bearer scope="metrics:read"');
  await using limited = await refuse(new AppError("RATE_LIMITED", "Too many calls.", { retryAfterSeconds: 2.2 }));
  const slowed = await fetch(limited.edge.url, { method: "POST", headers: HEADERS, body: LIST });
  expect([slowed.status, slowed.headers.get("retry-after")]).toEqual([429, "3"]);
  await using broken = await testHttp({ identify: () => Promise.reject(new Error("pg: password wrong")) });
  const hidden = await fetch(broken.edge.url, { method: "POST", headers: HEADERS, body: LIST });
  expect(hidden.status).toBe(500);
  expect(await hidden.text()).not.toContain("password");
});

test("while the database is away lists are answered and calls say so", async () => {
  await using http = await testHttp({ identify: () => Promise.reject(new AppError("UNAVAILABLE", "The database is away.")) });
  await using client = await connect("v1", { url: http.edge.url });
  expect((await client.raw.listTools()).tools.map(({ name }) => name)).toContain("run_analytics_spec");
  const answer = await client.call("run_analytics_spec", { measures: [{ name: "wip" }] });
  expect(answer).toMatchObject({ isError: true, structuredContent: { error: { code: "UNAVAILABLE" } } });
});

test("a session belongs to who opened it", async () => {
  const users = new Map([
    ["a", 1],
    ["b", 2],
  ]);
  const { testPrincipal, testTenant } = await import("../support/tenants.ts");
  await using http = await testHttp({
    identify: (asked) => {
      const user = asked?.headers.get("authorization") ?? "";
      return testPrincipal(testTenant({ id: users.get(user) ?? 9 }), user);
    },
  });
  const initialize = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } },
  });
  const opened = await fetch(http.edge.url, { method: "POST", headers: { ...HEADERS, authorization: "a" }, body: initialize });
  await opened.text();
  const session = opened.headers.get("mcp-session-id") ?? "";
  const call = JSON.stringify({
    jsonrpc: "2.0",
    id: 2,
    method: "tools/call",
    params: { name: "run_analytics_spec", arguments: { measures: [{ name: "wip" }] } },
  });
  await (
    await fetch(http.edge.url, { method: "POST", headers: { ...HEADERS, authorization: "b", "mcp-session-id": session }, body: call })
  ).text();
  expect(http.parts.pipeline.seen.at(-1)?.principal.tenant.id).toBe(2);
  expect(
    (await fetch(http.edge.url, { method: "DELETE", headers: { ...HEADERS, authorization: "b", "mcp-session-id": session } })).status,
  ).toBe(405);
});

test("a port that is taken is an error, not a silence", async () => {
  await using http = await testHttp();
  await expect(testHttp({}, { port: Number(new URL(http.origin).port) })).rejects.toThrow(/EADDRINUSE/);
});

test("every error code has its status", () => {
  expect(httpStatusOf("UNAUTHENTICATED")).toBe(401);
  expect(httpStatusOf("BUSY")).toBe(503);
  expect(httpStatusOf("TIMEOUT")).toBe(504);
});
