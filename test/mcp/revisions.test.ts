import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { testHttp } from "../support/mcp-http.ts";

const LEGACY = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] as const;
const ASKED_AND_ANSWERED = [...LEGACY.map((version) => [version, version] as const), ["2099-01-01", "2025-11-25"] as const];
const SERVER = new URL("../support/mcp-stdio-server.ts", import.meta.url).pathname;
const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

function initialize(protocolVersion: string): Record<string, unknown> {
  return {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion, capabilities: {}, clientInfo: { name: "raw", version: "1" } },
  };
}

function modern(method: string, params: Record<string, unknown> = {}): Record<string, unknown> {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
  };
  return { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } };
}

/** The JSON-RPC message in a response, streamed or not. */
async function messageOf(response: Response): Promise<Record<string, never>> {
  const text = await response.text();
  const data = /^data: (\{.*\})$/m.exec(text)?.[1] ?? text;
  return JSON.parse(data) as Record<string, never>;
}

test.each(ASKED_AND_ANSWERED)("over HTTP a client of %s is answered in %s", async (asked, answered) => {
  await using http = await testHttp();
  const response = await fetch(http.edge.url, { method: "POST", headers: HEADERS, body: JSON.stringify(initialize(asked)) });
  expect(response.status).toBe(200);
  expect(await messageOf(response)).toMatchObject({ result: { protocolVersion: answered, serverInfo: { name: "metricgate" } } });
});

test.each(ASKED_AND_ANSWERED)(
  "over stdio a client of %s is answered in %s, and nothing but the protocol is written",
  async (asked, answered) => {
    const lines = await talk(
      [
        initialize(asked),
        { jsonrpc: "2.0", method: "notifications/initialized" },
        {
          jsonrpc: "2.0",
          id: 2,
          method: "tools/call",
          params: { name: "run_analytics_spec", arguments: { measures: [{ name: "nope" }] } },
        },
      ],
      2,
    );
    const messages = lines.map((line) => JSON.parse(line) as { jsonrpc: string; result?: unknown });
    expect(messages.every(({ jsonrpc }) => jsonrpc === "2.0")).toBe(true);
    expect(messages[0]).toMatchObject({ result: { protocolVersion: answered } });
    expect(messages[1]).toMatchObject({ id: 2, result: { isError: true } });
  },
);

test("the newest revision is discovered, listed and cached over HTTP", async () => {
  await using http = await testHttp();
  const ask = async (method: string) => {
    const headers = { ...HEADERS, "mcp-protocol-version": "2026-07-28", "mcp-method": method };
    return messageOf(await fetch(http.edge.url, { method: "POST", headers, body: JSON.stringify(modern(method)) }));
  };
  expect(await ask("server/discover")).toMatchObject({ result: { supportedVersions: ["2026-07-28"] } });
  expect(await ask("tools/list")).toMatchObject({ result: { ttlMs: 300_000, cacheScope: "private" } });
});

test("a request with a session that this server does not know is answered alone", async () => {
  await using http = await testHttp();
  const response = await fetch(http.edge.url, {
    method: "POST",
    headers: { ...HEADERS, "mcp-session-id": "from-another-replica" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/list" }),
  });
  const tools: unknown = expect.arrayContaining([expect.objectContaining({ name: "list_metrics" })]);
  expect(await messageOf(response)).toMatchObject({ id: 5, result: { tools } });
});

test("a session that its client ended is gone", async () => {
  await using http = await testHttp();
  const opened = await fetch(http.edge.url, { method: "POST", headers: HEADERS, body: JSON.stringify(initialize("2025-11-25")) });
  await opened.text();
  const session = opened.headers.get("mcp-session-id") ?? "";
  expect(session).toMatch(/^[0-9a-f-]{36}$/);
  const headers = { ...HEADERS, "mcp-session-id": session };
  expect((await fetch(http.edge.url, { method: "DELETE", headers })).status).toBe(200);
  expect(
    (await fetch(http.edge.url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/list" }) })).status,
  ).toBe(404);
});

/** Writes messages to a stdio server and returns the lines of its standard output, once there are `count`. */
async function talk(messages: readonly unknown[], count: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [SERVER], { stdio: ["pipe", "pipe", "ignore"] });
  const enough = Promise.withResolvers<void>();
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output.split("\n").length > count) enough.resolve();
  });
  for (const message of messages) child.stdin.write(`${JSON.stringify(message)}\n`);
  await enough.promise;
  child.stdin.end();
  await new Promise((resolve) => child.on("close", resolve));
  return output.trimEnd().split("\n");
}
