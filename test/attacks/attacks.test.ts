import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { AUDIENCE, type TestIssuer, testIssuer } from "../support/issuer.ts";
import { MARK } from "../support/marked-world.ts";
import {
  type Attack,
  ATTACKS,
  AUTH_ATTACKS,
  type AuthAttack,
  generated,
  HTTP_ATTACKS,
  STDIO_ATTACKS,
  WIRE_ATTACKS,
  withText,
} from "./case.ts";
import { forgedToken } from "./forged-token.ts";
import { envelopeOf, judge } from "./judge.ts";
import { httpSpeaker, type Said, type Speaker, stdioSpeaker } from "./speaker.ts";
import { DATABASES, openStage, type Stage } from "./stage.ts";

/*
 * Every case of cases/ against real server processes, over HTTP and over stdio, on both databases. Whether a statement was
 * run is read from the server's own log.
 */
const SPEC = { measures: [{ name: "issues_created" }], dimensions: ["label"] };
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

test("there are at least 200 cases", () => {
  expect(ATTACKS.length + AUTH_ATTACKS.length + HTTP_ATTACKS.length + WIRE_ATTACKS.length + STDIO_ATTACKS.length).toBeGreaterThan(200);
});

/** Lines of a server's log about what nobody planned for. */
function troubleIn(log: string): string[] {
  return log.split("\n").filter((line) => /unexpected_error|unhandled|uncaught/i.test(line));
}

function bearer(stage: Stage, key: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${must(stage.keys[key], key)}` };
}

async function resultIdOf(ask: Speaker["ask"]): Promise<string> {
  const said = await ask("tools/call", JSON.stringify({ name: "run_analytics_spec", arguments: SPEC }));
  return must((envelopeOf(said) as { meta?: { result_id?: string } }).meta?.result_id, JSON.stringify(said.message));
}

/** A job that is done, and what it found. */
async function finishedJobOf(ask: Speaker["ask"]): Promise<{ job: string; jobResult: string }> {
  const call = async (name: string, input: object) => {
    const said = await ask("tools/call", JSON.stringify({ name, arguments: input }));
    return (envelopeOf(said) as { data?: { job_id?: string; result_id?: string } }).data;
  };
  const job = must((await call("start_job", { spec: SPEC }))?.job_id, "a job");
  const ended = await call("get_job", { job_id: job, wait_seconds: 20 });
  return { job, jobResult: must(ended?.result_id, JSON.stringify(ended)) };
}

/** The message that a case sends; the handles of the two tenants in their places. */
async function send(attack: Attack, ask: Speaker["ask"]): Promise<{ said: Said; sent: string }> {
  const { tool, input, body, resource, complete, csvOf, pageOf } = attack;
  const call = async (method: string, params: string): Promise<{ said: Said; sent: string }> => ({
    said: await ask(method, params),
    sent: params,
  });
  if (csvOf !== undefined || pageOf !== undefined) {
    const answered = await ask("tools/call", JSON.stringify({ name: "run_analytics_spec", arguments: csvOf ?? pageOf }));
    const id = must((envelopeOf(answered) as { meta?: { result_id?: string } }).meta?.result_id, "a result");
    return csvOf === undefined
      ? call("tools/call", JSON.stringify({ name: "get_result", arguments: { result_id: id } }))
      : call("resources/read", JSON.stringify({ uri: `metricgate://results/${id}.csv` }));
  }
  if (resource !== undefined) return call("resources/read", JSON.stringify({ uri: resource }));
  if (complete !== undefined) {
    const ref = { type: "ref/prompt", name: complete.prompt };
    return call("completion/complete", JSON.stringify({ ref, argument: { name: complete.argument, value: "" } }));
  }
  const written = body === undefined ? JSON.stringify(generated(input)) : String(generated(body));
  return call("tools/call", `{"name":${JSON.stringify(tool)},"arguments":${written}}`);
}

const stages = new Map<string, Stage>();

beforeAll(async () => {
  for (const kind of DATABASES) {
    const stage = await openStage(kind);
    if (stage) stages.set(kind, stage);
  }
}, 120_000);

afterAll(async () => {
  for (const stage of stages.values()) await stage.close();
});

describe.each(DATABASES)("on the %s database", (kind) => {
  describe.each(["http", "stdio"] as const)("over %s", (transport) => {
    let speaker: Speaker | undefined;
    let handles: Readonly<Record<string, string>> = {};
    const told = new Map<string, string>();

    beforeAll(async () => {
      const stage = stages.get(kind);
      if (stage === undefined) return;
      let foreign = { result: "res_BBBBBBBBBBBBBBBBBBBBBB", job: "job_BBBBBBBBBBBBBBBBBBBBBB", jobResult: "res_CCCCCCCCCCCCCCCCCCCCCC" };
      if (transport === "http") {
        const http = await httpSpeaker({ ...stage.environment, METRICGATE_AUTH: "required" }, bearer(stage, "$A.key"));
        speaker = http;
        const asB = http.as(bearer(stage, "$B.key"));
        foreign = { result: await resultIdOf(asB), ...(await finishedJobOf(asB)) };
      } else {
        // Each way to be somebody over stdio once.
        const { METRICGATE_TENANT: _, ...rest } = stage.environment;
        const byKey = { ...rest, METRICGATE_API_KEY: must(stage.keys["$A.key"], "a key") };
        speaker = await stdioSpeaker(kind === "native" ? byKey : stage.environment);
      }
      const own = await resultIdOf(speaker.ask);
      handles = {
        "$A.result_id": own,
        "$A.RESULT_ID": own.toUpperCase(),
        "$B.result_id": foreign.result,
        "$B.job_id": foreign.job,
        "$B.job_result_id": foreign.jobResult,
      };
    }, 60_000);

    afterAll(async () => void (await speaker?.close()));

    test("a statement that is run is seen in the log", async () => {
      if (speaker === undefined) return;
      const said = await speaker.ask("tools/call", JSON.stringify({ name: "run_analytics_spec", arguments: { ...SPEC, limit: 77 } }));
      expect(await speaker.statements(said.id)).toBeGreaterThan(0);
    });

    const ordered = ATTACKS.toSorted((a, b) => Number(a.expect.sameAs !== undefined) - Number(b.expect.sameAs !== undefined));
    test.each(ordered.map((attack) => [`${attack.class}: ${attack.id}`, attack] as const))("%s", async (_, attack) => {
      if (speaker === undefined) return;
      const { expect: expected, ...rest } = Object.entries(handles).reduce((data, [place, id]) => withText(data, place, id), attack);
      // The log names the requests of tool calls only. Of any other all that ran meanwhile is counted, so that it is sent again
      // where a look of somebody else's came between: what a request runs itself, it runs every time.
      const isNamed = attack.resource === undefined && attack.complete === undefined;
      const isCounted = expected.sql === 0;
      let said: Said;
      for (let triesLeft = isCounted && !isNamed ? 2 : 0; ; triesLeft -= 1) {
        const before = isCounted && !isNamed ? await settledCounts(speaker) : [0, 0];
        const answered = await send({ ...rest, expect: expected }, speaker.ask);
        said = answered.said;
        judge(said, expected, answered.sent);
        if (!isCounted) break;
        const meant = [0, expected.lookUps ?? 0];
        const counts = await countsOf(speaker, {
          id: isNamed ? said.id : undefined,
          before,
          meant,
          withinMs: triesLeft > 0 ? 1_000 : 5_000,
        });
        if (triesLeft === 0) expect(counts).toEqual(meant);
        if (counts.join() === meant.join()) break;
      }
      const plain = JSON.stringify(said.message)
        .replaceAll(/"id":\d+/g, "")
        .replaceAll(/(res|job)_[\w-]{22}/g, "$1_…");
      told.set(attack.id, plain);
      expect(plain).toBe(told.get(expected.sameAs ?? attack.id));
    });

    test("and the server ends in good order, with nothing in its log that nobody planned for", async () => {
      if (speaker === undefined) return;
      expect(await speaker.close()).toBe(0);
      expect(troubleIn(speaker.log())).toEqual([]);
    });
  });
});

describe("the HTTP port", () => {
  let speaker: Awaited<ReturnType<typeof httpSpeaker>> | undefined;
  let port = 0;

  beforeAll(async () => {
    speaker = await httpSpeaker(must(stages.get("embedded"), "a stage").environment);
    port = Number(new URL(speaker.url).port);
    await resultIdOf(speaker.ask);
  }, 60_000);

  afterAll(async () => void (await speaker?.close()));

  test.each(HTTP_ATTACKS.map((attack) => [attack.id, attack] as const))(
    "%s",
    async (_, { method = "POST", path = "/mcp", headers = {}, body, expect: expected }) => {
      const written = body === undefined ? PING : String(generated(body));
      const before = await speaker?.statements();
      const all = { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers };
      const answer = await exchange(
        port,
        requestOf({ method, path, headers: all, body: method === "GET" || method === "OPTIONS" ? "" : written, port }),
        5000,
      );
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
      expect([expected.status].flat(), answer.slice(0, 500)).toContain(status);
      expect(answer).not.toMatch(/node_modules|\.ts:\d|set-cookie|x-powered-by/i);
      if (expected.sql === 0) expect(await speaker?.statements()).toBe(before);
    },
  );

  test.each(WIRE_ATTACKS.map((attack) => [attack.id, attack] as const))(
    "%s",
    { timeout: 30_000 },
    async (_, { send: pieces, expect: expected }) => {
      const startMs = performance.now();
      const answer = await exchange(port, pieces.map((piece) => String(generated(piece))).join(""), expected.closedWithinMs ?? 5000);
      if (expected.answer !== undefined) expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${expected.answer}`));
      expect(performance.now() - startMs).toBeLessThan((expected.closedWithinMs ?? 5000) + 100);
      expect(answer).not.toMatch(/node_modules|\.ts:\d|set-cookie/i);
    },
  );

  test("and serves the next caller as before", async () => {
    const running = must(speaker, "a server");
    expect(await resultIdOf(running.ask)).toMatch(/^res_/);
    expect(await running.close()).toBe(0);
    expect(troubleIn(running.log())).toEqual([]);
  });
});

function requestOf({
  method,
  path,
  headers,
  body,
  port,
}: {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  port: number;
}): string {
  const all: Record<string, string> = {
    host: `127.0.0.1:${port}`,
    connection: "close",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  return `${method} ${path} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n${body}`;
}

/** Writes bytes to the port and reads until it is closed. Rejects when that takes too long. */
/** Statements and look-ups since `before`: as soon as they are what is meant, else as they are after a while, since a log may lag. */
async function countsOf(
  speaker: Speaker,
  {
    id,
    before,
    meant,
    withinMs,
  }: {
    readonly id: number | undefined;
    readonly before: readonly number[];
    readonly meant: readonly number[];
    readonly withinMs: number;
  },
): Promise<readonly number[]> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const after = await Promise.all([speaker.statements(id), speaker.lookUps(id)]);
    const counts = after.map((count, at) => count - (before[at] ?? 0));
    if (counts.join() === meant.join() || performance.now() > endMs) return counts;
    await sleep(20);
  }
}

/** What the log tells of statements and look-ups once it tells no more: lines of the case before may still be on their way. */
async function settledCounts(speaker: Speaker): Promise<readonly number[]> {
  let last = [-1];
  for (;;) {
    const next = await Promise.all([speaker.statements(), speaker.lookUps()]);
    if (next.join() === last.join()) return next;
    last = next;
    await sleep(60);
  }
}

function exchange(port: number, bytes: string, withinMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1");
    const timer = setTimeout(
      () => (socket.destroy(), reject(new Error(`not closed within ${withinMs} ms: ${answer.slice(0, 200)}`))),
      withinMs,
    );
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      // An event stream may leave the connection open after its one event.
      if (/^data: .*\n\n/m.test(answer)) socket.destroy();
    });
    // A server that refuses may close before all was written.
    socket.on("error", () => undefined);
    socket.on("close", () => (clearTimeout(timer), resolve(answer)));
    socket.write(bytes, "latin1");
  });
}

describe("credentials", () => {
  let speaker: Awaited<ReturnType<typeof httpSpeaker>> | undefined;
  let issuer: TestIssuer | undefined;
  const sent = new Set<string>();

  beforeAll(async () => {
    issuer = await testIssuer();
    const { environment } = must(stages.get("embedded"), "a stage");
    const oauth = { METRICGATE_OAUTH_ISSUER: issuer.url, METRICGATE_OAUTH_AUDIENCE: AUDIENCE };
    speaker = await httpSpeaker({ ...environment, ...oauth });
  }, 60_000);

  afterAll(async () => {
    await speaker?.close();
    await issuer?.[Symbol.asyncDispose]();
  });

  /** The text a case stands for, keys and forged tokens in their places. */
  async function written(text: AuthAttack["path"] | AuthAttack["authorization"]): Promise<string> {
    if (typeof text === "object" && "$jwt" in text) {
      const token = await forgedToken(must(issuer, "an issuer"), text.$jwt);
      sent.add(token);
      return text.$jwt.query === undefined ? `Bearer ${token}` : `/mcp?${text.$jwt.query}=${token}`;
    }
    const { keys } = must(stages.get("embedded"), "a stage");
    return Object.entries(keys).reduce(
      (result, [place, key]) => {
        if (result.includes(place)) sent.add(key);
        return result.replaceAll(place, key);
      },
      String(generated(text)),
    );
  }

  test.each(AUTH_ATTACKS.map((attack) => [attack.id, attack] as const))(
    "%s",
    async (_, { authorization, path = "/mcp", headers = {}, expect: { status } }) => {
      const running = must(speaker, "a server");
      const before = await running.statements();
      const all: Record<string, string> = { "content-type": "application/json", accept: "application/json, text/event-stream" };
      for (const [name, value] of Object.entries(headers)) all[name] = await written(value);
      if (authorization !== undefined) all["authorization"] = await written(authorization);
      const port = Number(new URL(running.url).port);
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "run_analytics_spec", arguments: SPEC } });
      const answer = await exchange(port, requestOf({ method: "POST", path: await written(path), headers: all, body, port }), 5000);
      expect(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]), answer.slice(0, 800)).toBe(status);
      if (status === 200) return;
      expect(await running.statements()).toBe(before);
      expect(answer).not.toContain(MARK);
      if (status === 401) expect(answer).toMatch(/www-authenticate: Bearer .*resource_metadata="[^"]+"/i);
      if (status === 403) expect(answer).toMatch(/www-authenticate: Bearer .*insufficient_scope.*scope="[^"]*metrics:read/i);
      for (const credential of sent) expect(answer).not.toContain(credential);
    },
  );

  test("and none of them is in the server's log", () => {
    const log = must(speaker, "a server").log();
    expect(sent.size).toBeGreaterThan(30);
    for (const credential of sent) expect(log).not.toContain(credential);
    expect(troubleIn(log)).toEqual([]);
  });
});

describe("standard input", () => {
  test.each(STDIO_ATTACKS.map((attack) => [attack.id, attack] as const))("%s", { timeout: 30_000 }, async (_, { lines }) => {
    const speaker = await stdioSpeaker(must(stages.get("embedded"), "a stage").environment);
    for (const line of lines) speaker.write(String(generated(line)));
    const said = await speaker.ask("tools/list", "{}");
    expect(JSON.stringify(said.message.result)).toContain("run_analytics_spec");
    expect(await speaker.statements()).toBe(0);
    expect(await speaker.close()).toBe(0);
    expect(speaker.log()).not.toMatch(/unhandled|uncaught/i);
  });
});
