import { expect, test, vi } from "vitest";
import { legacySessions } from "../../src/http/legacy-sessions.ts";
import { connections } from "../../src/mcp/announce.ts";
import { serverFactory } from "../../src/mcp/server.ts";
import { testParts } from "../support/mcp-parts.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const PRINCIPAL = testPrincipal(testTenant({ id: 1 }));
const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } },
};

function post(session?: string): Request {
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...(session === undefined ? {} : { "mcp-session-id": session }),
  };
  return new Request("http://localhost/mcp", { method: "POST", headers, body: "{}" });
}

async function sessionsOf(options: { readonly maxSessions: number; readonly idleMs: number }) {
  const sessions = legacySessions(
    serverFactory(await testParts()),
    connections(() => undefined),
    options,
  );
  const open = async (): Promise<string> => {
    const response = await sessions.open(post(), INITIALIZE, PRINCIPAL);
    await response.text();
    return response.headers.get("mcp-session-id") ?? "";
  };
  return { sessions, open };
}

test("the least recently used session makes room", async () => {
  const { sessions, open } = await sessionsOf({ maxSessions: 2, idleMs: 60_000 });
  const [first, second] = [await open(), await open()];
  const ping = { jsonrpc: "2.0", id: 2, method: "ping" };
  await (await sessions.handle(post(first), ping, PRINCIPAL))?.text();
  const third = await open();
  expect(sessions.size).toBe(2);
  expect(sessions.handle(post(second), ping, PRINCIPAL)).toBeNull();
  for (const kept of [first, third]) expect((await sessions.handle(post(kept), ping, PRINCIPAL))?.status).toBe(200);
  await sessions.close();
  expect(sessions.size).toBe(0);
});

test("an idle session ends", async () => {
  vi.useFakeTimers();
  try {
    const { sessions, open } = await sessionsOf({ maxSessions: 10, idleMs: 1000 });
    await open();
    await vi.advanceTimersByTimeAsync(900);
    expect(sessions.size).toBe(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(sessions.size).toBe(0);
    await sessions.close();
  } finally {
    vi.useRealTimers();
  }
});

test("a request that opens nothing leaves no session", async () => {
  const { sessions } = await sessionsOf({ maxSessions: 10, idleMs: 60_000 });
  const response = await sessions.open(post(), { jsonrpc: "2.0", id: 1, method: "tools/list" }, PRINCIPAL);
  expect(response.status).toBe(400);
  expect(sessions.size).toBe(0);
  await sessions.close();
});
