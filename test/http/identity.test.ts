import { extractWWWAuthenticateParams as extractOfV2 } from "@modelcontextprotocol/client";
import { extractWWWAuthenticateParams as extractOfV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { access } from "../../src/access.ts";
import { readConfig } from "../../src/config.ts";
import { AppError } from "../../src/errors.ts";
import type { Scope } from "../../src/tenant.ts";
import { createIdentity, openKeyRing } from "../../src/identity.ts";
import { logSink } from "../../src/observe/log.ts";
import { traceSink } from "../../src/observe/trace.ts";
import { must } from "../../src/must.ts";
import { DEFAULT_SCOPES } from "../../src/tenant.ts";
import { openEmbeddedForTest, type TestDatabase } from "../support/databases.ts";
import { AUDIENCE, testIssuer, type TestIssuer } from "../support/issuer.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { testHttp, type TestHttp } from "../support/mcp-http.ts";
import { createTenant } from "../support/tenants.ts";

/*
 * Real requests to a real server: keys in a real database, tokens of a real issuer. Whatever is sent as a credential
 * is remembered, and after every test none of it may be in a log line, a span, an observation or an answer.
 */
const RING = `k1:${Buffer.alloc(32, 5).toString("base64")}`;
const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const CALL = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "run_analytics_spec", arguments: { measures: [{ name: "wip" }] } },
};
const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } },
};
const METADATA_URL = "https://metrics.example.com/.well-known/oauth-protected-resource/mcp";

let held: TestDatabase;
let issuer: TestIssuer;
const sent = new Set<string>([RING]);
const heard: string[] = [];

beforeAll(async () => {
  held = await openEmbeddedForTest();
  issuer = await testIssuer();
  await createTenant(held.database, { id: 7, slug: "acme" });
  await createTenant(held.database, { id: 8, slug: "other" });
}, 60_000);
afterAll(async () => {
  await held.close();
  await issuer[Symbol.asyncDispose]();
});

/** A server as the product puts it together, over the pipeline in memory. */
async function served(environment: Record<string, string> = {}, host = "0.0.0.0") {
  const oauth = { METRICGATE_OAUTH_ISSUER: issuer.url, METRICGATE_OAUTH_AUDIENCE: AUDIENCE };
  const config = readConfig({ METRICGATE_SECRET_KEYS: RING, METRICGATE_TENANT: "acme", ...oauth, ...environment }, "/nowhere");
  const exporter = new InMemorySpanExporter();
  const log = logSink({ level: "trace", version: "1", destination: { write: (line) => void heard.push(line) } });
  const trace = traceSink({ version: "1", processor: new SimpleSpanProcessor({ exporter }) });
  const identity = createIdentity({
    config,
    database: async () => held.database,
    ring: openKeyRing(config),
    observe: (observation) => void heard.push(JSON.stringify(observation)),
  });
  const { identify, auth } = await identity.overHttp(host);
  const http = await testHttp({ identify }, { auth, ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }) });
  const { observed } = http.parts;
  const push = observed.push.bind(observed);
  observed.push = (...observations) => {
    for (const observation of observations) {
      heard.push(JSON.stringify(observation));
      log.observe(observation);
      trace.observe(observation);
    }
    return push(...observations);
  };
  return {
    ...http,
    local: identity.local,
    [Symbol.asyncDispose]: async () => {
      await http[Symbol.asyncDispose]();
      heard.push(...exporter.getFinishedSpans().map((span) => JSON.stringify([span.name, span.attributes, span.events, span.status])));
      await trace.close();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly session: string | null;
  readonly body: string;
}

async function ask(
  http: Pick<TestHttp, "edge">,
  body: unknown,
  headers: Record<string, string> = {},
  url = http.edge.url,
): Promise<Answer> {
  const response = await fetch(url, { method: "POST", headers: { ...HEADERS, ...headers }, body: JSON.stringify(body) });
  const text = await response.text();
  heard.push(text, JSON.stringify([...response.headers]));
  return {
    status: response.status,
    challenge: response.headers.get("www-authenticate"),
    session: response.headers.get("mcp-session-id"),
    body: text,
  };
}

/** A header with a credential, which is watched for from then on. */
function bearer(credential: string): { authorization: string } {
  sent.add(credential);
  for (const part of credential.split(/[._]/)) if (part.length > 20) sent.add(part);
  return { authorization: `Bearer ${credential}` };
}

async function newKey(
  order: {
    readonly user?: string;
    readonly scopes?: readonly Scope[];
    readonly metrics?: readonly string[];
    readonly tenant?: string;
  } = {},
) {
  const { user, scopes = DEFAULT_SCOPES, metrics, tenant = "acme" } = order;
  const config = readConfig({ METRICGATE_SECRET_KEYS: RING }, "/nowhere");
  const desk = access(held.database, openKeyRing(config), config);
  const allowed = metrics === undefined ? {} : { metrics };
  const made = await desk.createKey({ tenant, name: "test", scopes, allowed, ...(user === undefined ? {} : { user }) });
  bearer(made.key);
  return { ...made, revoke: () => desk.revokeKey(made.keyId) };
}

afterEach(() => {
  const all = heard.join("\n");
  const told = [...sent].find((secret) => all.includes(secret));
  if (told !== undefined) throw new Error(`a credential is in what was told: ${told.slice(0, 6)}…`);
});

test("what is watched for would be found", () => {
  sent.add("canary-credential");
  heard.push("… canary-credential …");
  expect([...sent].some((secret) => heard.join("\n").includes(secret))).toBe(true);
  heard.pop();
  expect(heard.join("\n")).not.toContain("canary-credential");
});

describe("where to get a token", () => {
  test("is told to anyone, at the root and for our path", async () => {
    await using http = await served();
    for (const path of ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]) {
      const response = await fetch(`${http.origin}${path}`);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        resource: AUDIENCE,
        authorization_servers: [issuer.url],
        scopes_supported: ["metrics:read", "jobs:write", "search:read", "drill:read"],
        bearer_methods_supported: ["header"],
        resource_name: "metricgate",
      });
    }
  });

  test("is not there without an issuer", async () => {
    await newKey();
    await using http = await served({ METRICGATE_OAUTH_ISSUER: "", METRICGATE_OAUTH_AUDIENCE: "" });
    expect((await fetch(`${http.origin}/.well-known/oauth-protected-resource`)).status).toBe(404);
    const { status, challenge, body } = await ask(http, CALL);
    expect({ status, challenge }).toEqual({ status: 401, challenge: 'Bearer scope="metrics:read"' });
    expect(body).toContain("API key");
    const token = await ask(http, CALL, bearer(await issuer.token()));
    expect(token).toMatchObject({ status: 401, challenge: 'Bearer error="invalid_token", scope="metrics:read"' });
    expect(token.body).toContain("API keys only");
  });

  test("follows the public URL where the audience is none", async () => {
    await using http = await served({ METRICGATE_OAUTH_AUDIENCE: "metricgate-api", METRICGATE_PUBLIC_URL: "https://a.example/tools/mcp" });
    const metadata = (await (await fetch(`${http.origin}/.well-known/oauth-protected-resource/tools/mcp`)).json()) as { resource: string };
    expect(metadata.resource).toBe("https://a.example/tools/mcp");
    expect((await ask(http, CALL)).challenge).toContain(
      'resource_metadata="https://a.example/.well-known/oauth-protected-resource/tools/mcp"',
    );
    expect((await ask(http, CALL, bearer(await issuer.token({ claims: { aud: "metricgate-api" } })))).status).toBe(200);
    expect((await ask(http, CALL, bearer(await issuer.token()))).status).toBe(401);
  });
});

test.each([
  ["first", extractOfV1],
  ["second", extractOfV2],
])("the %s generation's client library reads from a refusal where and for what to log in", async (_generation, extract) => {
  await using http = await served();
  const refused = (headers: Record<string, string>): Promise<Response> =>
    fetch(http.edge.url, { method: "POST", headers: { ...HEADERS, ...headers }, body: JSON.stringify(CALL) });
  expect(extract(await refused({}))).toMatchObject({ resourceMetadataUrl: new URL(METADATA_URL), scope: "metrics:read" });
  const { key } = await newKey({ scopes: ["search:read"] });
  expect(extract(await refused(bearer(key)))).toMatchObject({
    resourceMetadataUrl: new URL(METADATA_URL),
    scope: "metrics:read search:read",
    error: "insufficient_scope",
  });
});

describe("a request", () => {
  test("without a credential is told how to get one, whatever it asks", async () => {
    await using http = await served();
    for (const body of [CALL, INITIALIZE, { jsonrpc: "2.0", id: 1, method: "tools/list" }, [], 7]) {
      const { status, challenge } = await ask(http, body);
      expect({ status, challenge }).toEqual({ status: 401, challenge: `Bearer resource_metadata="${METADATA_URL}", scope="metrics:read"` });
    }
    for (const method of ["GET", "DELETE"])
      expect((await fetch(http.edge.url, { method, headers: { accept: "text/event-stream" } })).status).toBe(401);
    expect(http.parts.pipeline.seen).toEqual([]);
    expect(http.parts.observed).toContainEqual({ kind: "request_refused", reason: "identity", status: 401 });
  });

  test.each([
    ["Basic YWRhOnNlY3JldC1vZi1hZGE=", false],
    ["Bearer", true],
    ["Bearer ", true],
    ["Bearer a b", true],
    ["Bearer mgk_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true],
    ["Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", true],
    ["garbage-credential-of-nobody", false],
  ])("with %j is refused, as a bad token where it is a bearer's", async (authorization, isBearer) => {
    await using http = await served();
    for (const word of authorization.split(" ")) if (word.length > 12) sent.add(word);
    const { status, challenge } = await ask(http, CALL, { authorization });
    expect(status).toBe(401);
    expect(challenge?.includes('error="invalid_token"')).toBe(isBearer);
  });

  test("with two credentials is refused", async () => {
    await using http = await served();
    const { key } = await newKey();
    const response = await fetch(http.edge.url, {
      method: "POST",
      headers: [...Object.entries(HEADERS), ["authorization", `Bearer ${key}`], ["authorization", `Bearer ${key}`]],
      body: JSON.stringify(CALL),
    });
    expect(response.status).toBe(401);
  });

  test.each(["access_token", "ACCESS_TOKEN", "token", "api_key", "key"])(
    "with a credential as ?%s= is refused without reading it",
    async (name) => {
      await using http = await served();
      const { key } = await newKey();
      const { status, body } = await ask(http, CALL, {}, `${http.edge.url}?${name}=${key}`);
      expect(status).toBe(400);
      expect(body).toContain("does not belong in the address");
      expect((await ask(http, CALL, bearer(key), `${http.edge.url}?${name}=x`)).status).toBe(400);
      expect(http.parts.pipeline.seen).toEqual([]);
    },
  );

  test("larger than headers may be is refused by the server itself", async () => {
    await using http = await served();
    expect((await ask(http, CALL, { authorization: `Bearer ${"x".repeat(20_000)}` })).status).toBe(431);
    expect((await ask(http, CALL, bearer(await issuer.token({ claims: { padding: "x".repeat(9000) } })))).status).toBe(401);
  });
});

describe.each(GENERATIONS)("the client %s", (generation) => {
  test("asks by API key or token, as the tenant that it belongs to", async () => {
    await using http = await served();
    const { key } = await newKey({ user: "ada", tenant: "other" });
    const token = await issuer.token({ claims: { sub: "eve", metrics: "wip" } });
    bearer(token);
    for (const [credential, expected] of [
      [key, { user: "ada", tenant: { slug: "other" }, allowed: {} }],
      [token, { user: "eve", tenant: { slug: "acme" }, allowed: { metrics: ["wip"] } }],
    ] as const) {
      await using client = await connect(generation, { url: http.edge.url, bearer: credential });
      expect((await client.raw.listTools()).tools.length).toBeGreaterThan(3);
      expect((await client.call("run_analytics_spec", { measures: [{ name: "wip" }] })).isError).not.toBe(true);
      expect(http.parts.pipeline.seen.at(-1)?.principal).toMatchObject(expected);
    }
  });

  test("without a scope lists tools, and is told all the scopes that a call needs", async () => {
    await using http = await served();
    const { key } = await newKey({ scopes: ["search:read"] });
    await using client = await connect(generation, { url: http.edge.url, bearer: key });
    expect((await client.raw.listTools()).tools.length).toBeGreaterThan(3);
    await expect(client.call("run_analytics_spec", { measures: [{ name: "wip" }] })).rejects.toThrow();
    expect(http.parts.observed).toContainEqual({ kind: "request_refused", reason: "scope", status: 403 });
    expect(http.parts.pipeline.seen).toEqual([]);
  });

  test("without a credential does not even connect", async () => {
    await using http = await served();
    await expect(connect(generation, { url: http.edge.url })).rejects.toThrow();
  });
});

describe("a scope that is lacking", () => {
  const read = { jsonrpc: "2.0", id: 2, method: "resources/read", params: { uri: "metricgate://catalog/metrics" } };
  const complete = {
    jsonrpc: "2.0",
    id: 3,
    method: "completion/complete",
    params: { ref: { type: "ref/prompt", name: "ask_metrics" }, argument: { name: "project", value: "" } },
  };

  test.each([
    ["a call", CALL],
    ["a call of no tool", { ...CALL, params: { name: "no_such_tool" } }],
    ["a call without a name", { ...CALL, params: {} }],
    ["a resource", read],
    ["a completion", complete],
    ["a batch", [{ jsonrpc: "2.0", id: 9, method: "ping" }, CALL]],
  ])("is asked for by %s: 403 with what is granted and what is needed", async (_what, body) => {
    await using http = await served();
    const { key } = await newKey({ scopes: ["drill:read"] });
    const { status, challenge, body: text } = await ask(http, body, bearer(key));
    expect({ status, challenge }).toEqual({
      status: 403,
      challenge: `Bearer error="insufficient_scope", resource_metadata="${METADATA_URL}", scope="metrics:read drill:read"`,
    });
    expect(text).toContain("FORBIDDEN: This needs the scope metrics:read");
  });

  test("a token without any may still initialize and list", async () => {
    await using http = await served();
    const headers = bearer(await issuer.token({ claims: { scope: "openid profile" } }));
    expect((await ask(http, INITIALIZE, headers)).status).toBe(200);
    expect((await ask(http, { jsonrpc: "2.0", id: 1, method: "tools/list" }, headers)).status).toBe(200);
    expect((await ask(http, CALL, headers)).status).toBe(403);
  });
});

describe("a session", () => {
  const opened = async (http: TestHttp, key: string): Promise<string> =>
    must((await ask(http, INITIALIZE, bearer(key))).session, "a session");
  const end = (http: TestHttp, session: string, key: string): Promise<Response> =>
    fetch(http.edge.url, { method: "DELETE", headers: { ...bearer(key), "mcp-session-id": session } });

  test.each([
    ["another user", { user: "eve" }],
    ["another tenant", { user: "ada", tenant: "other" }],
    ["the same user with fewer scopes", { user: "ada", scopes: ["metrics:read"] }],
    ["the same user with narrower limits", { user: "ada", metrics: ["wip"] }],
  ] as const)("is not that of %s", async (_what, order) => {
    await using http = await served();
    const { key } = await newKey({ user: "ada" });
    const session = await opened(http, key);
    const { key: other } = await newKey(order);
    expect((await end(http, session, other)).status).toBe(405);
    await ask(http, CALL, { ...bearer(other), "mcp-session-id": session });
    expect(http.parts.pipeline.seen.at(-1)?.principal.allowed).toEqual("metrics" in order ? { metrics: ["wip"] } : {});
    const { key: same } = await newKey({ user: "ada" });
    expect((await end(http, session, same)).status).toBe(200);
  });

  test("ends for a key that was revoked, and asks each time", async () => {
    await using http = await served();
    const { key, revoke } = await newKey({ user: "ada" });
    const session = await opened(http, key);
    const headers = { ...bearer(key), "mcp-session-id": session };
    expect((await ask(http, CALL, headers)).status).toBe(200);
    expect((await ask(http, CALL, { "mcp-session-id": session })).status).toBe(401);
    await revoke();
    const startMs = performance.now();
    await expect.poll(async () => (await ask(http, CALL, headers)).status, { timeout: 6000, interval: 250 }).toBe(401);
    expect(performance.now() - startMs).toBeLessThan(5000);
  });
});

describe("on this machine without an issuer", () => {
  const alone = { METRICGATE_OAUTH_ISSUER: "", METRICGATE_OAUTH_AUDIENCE: "" };

  test("nobody need say who they are, but a credential that is shown must be right", async () => {
    await using http = await served(alone, "127.0.0.1");
    await ask(http, CALL);
    expect(http.parts.pipeline.seen.at(-1)?.principal).toMatchObject({ user: "local", tenant: { slug: "acme" }, scopes: DEFAULT_SCOPES });
    const { key } = await newKey({ user: "ada", tenant: "other" });
    await ask(http, CALL, bearer(key));
    expect(http.parts.pipeline.seen.at(-1)?.principal).toMatchObject({ user: "ada", tenant: { slug: "other" } });
    expect((await ask(http, CALL, bearer(`${key.slice(0, -4)}AAAA`))).status).toBe(401);
    expect((await ask(http, CALL, { authorization: "Basic YTpi" })).status).toBe(401);
    expect(http.parts.pipeline.seen).toHaveLength(2);
  });

  test("METRICGATE_AUTH=required asks them all the same", async () => {
    await newKey();
    await using http = await served({ ...alone, METRICGATE_AUTH: "required" }, "127.0.0.1");
    expect((await ask(http, CALL)).status).toBe(401);
  });

  test("the process itself may be proven by a key, which ends when it is revoked", async () => {
    const { key, revoke } = await newKey({ user: "robot", scopes: ["metrics:read"], tenant: "other" });
    await using elsewhere = await served({ ...alone, METRICGATE_API_KEY: key, METRICGATE_TENANT: "acme" }, "127.0.0.1");
    await expect(elsewhere.local()).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining('the tenant "acme"'),
    });
    await using http = await served({ ...alone, METRICGATE_API_KEY: key, METRICGATE_TENANT: "" }, "127.0.0.1");
    expect(await http.local()).toMatchObject({ user: "robot", tenant: { slug: "other" }, scopes: ["metrics:read"] });
    await ask(http, CALL);
    expect(http.parts.pipeline.seen.at(-1)?.principal.user).toBe("robot");
    await revoke();
    await expect
      .poll(
        () =>
          http.local().then(
            () => "in",
            (error: AppError) => error.code,
          ),
        { timeout: 6000, interval: 250 },
      )
      .toBe("UNAUTHENTICATED");
  });
});

test("while the database is away a credential cannot be checked, and nothing is told", async () => {
  const away = () => Promise.reject(new AppError("UNAVAILABLE", "The database cannot be reached.", { retryAfterSeconds: 2 }));
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  await using open = await testHttp({ identify: away });
  expect((await ask(open, list)).status).toBe(200);
  expect(await ask(open, list, bearer((await newKey()).key))).toMatchObject({ status: 503, challenge: null });
  await using closed = await testHttp({ identify: away }, { auth: { required: true } });
  expect((await ask(closed, list)).status).toBe(503);
});

test("an address open to others needs someone to let in, and never lets in anyone", async () => {
  const empty = await openEmbeddedForTest();
  try {
    const over = async (environment: Record<string, string>, host: string) => {
      const config = readConfig({ METRICGATE_SECRET_KEYS: RING, ...environment }, "/nowhere");
      return createIdentity({ config, database: async () => empty.database, ring: openKeyRing(config), observe: () => undefined }).overHttp(
        host,
      );
    };
    await expect(over({}, "0.0.0.0")).rejects.toMatchObject({
      name: "ConfigInvalid",
      message: expect.stringContaining("metricgate key create"),
    });
    await expect(over({ METRICGATE_AUTH: "none" }, "0.0.0.0")).rejects.toMatchObject({
      name: "ConfigInvalid",
      message: expect.stringContaining("METRICGATE_AUTH"),
    });
    await createTenant(empty.database, { id: 7, slug: "acme" });
    const config = readConfig({ METRICGATE_SECRET_KEYS: RING }, "/nowhere");
    const desk = access(empty.database, openKeyRing(config), config);
    const { keyId } = await desk.createKey({ tenant: "acme", name: "a", scopes: DEFAULT_SCOPES, allowed: {} });
    await expect(over({}, "0.0.0.0")).resolves.toMatchObject({ auth: { required: true } });
    const otherRing = { METRICGATE_SECRET_KEYS: `k9:${Buffer.alloc(32, 9).toString("base64")}` };
    await expect(over(otherRing, "0.0.0.0")).rejects.toMatchObject({ name: "ConfigInvalid" });
    await desk.revokeKey(keyId);
    await expect(over({}, "0.0.0.0")).rejects.toMatchObject({ name: "ConfigInvalid" });
  } finally {
    await empty.close();
  }
}, 60_000);

test("the public URL's host may be called by", async () => {
  await using http = await served();
  const { request } = await import("node:http");
  const statusFor = (host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(http.edge.url, { method: "POST", headers: { ...HEADERS, host } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end("{}");
    });
  expect(await statusFor("metrics.example.com")).toBe(401);
  expect(await statusFor("other.example.com")).toBe(403);
});
