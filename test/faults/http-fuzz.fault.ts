import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { shippedCatalog } from "../support/answers.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { nativeTestUrl } from "../support/native-database.ts";
import { redisTestUrl } from "../support/redis.ts";
import { type HttpProcess, startHttp } from "../support/server-process.ts";
import { askInPeace, crowd, type Member } from "./crowd.ts";
import { questionsFor } from "./marked-tenants.ts";
import { choices } from "./random.ts";
import { countOf, SEED, tell } from "./report.ts";
import { openStage, type Stage } from "./stage.ts";

/** The fuzz once more from outside: a real server, API keys, clients that ask, err and hang up. */
const MEMBERS = 30;
const CALLS_EACH = 50;
const serverUrl = nativeTestUrl();
const questions = questionsFor(await shippedCatalog(), SEED, 0) as readonly object[];

describe.skipIf(serverUrl === undefined)(`a server under a crowd, seed ${SEED} (native)`, () => {
  let stage: Stage;
  let http: HttpProcess;
  const members: Member[] = [];

  beforeAll(async () => {
    stage = await openStage(must(serverUrl, "TEST_DATABASE_URL"), redisTestUrl());
    http = await startHttp(stage.environment);
    for (let at = 0; at < MEMBERS; at += 1) {
      const own = must(stage.tenants[at % stage.tenants.length], "a tenant");
      const generation = must(GENERATIONS[at % GENERATIONS.length], "a generation");
      members.push({ own, choose: choices(SEED + at), client: await connect(generation, { url: http.url, bearer: own.key }) });
    }
  }, 120_000);
  afterAll(async () => {
    await Promise.allSettled(members.map(({ client }) => client.raw.close()));
    await http[Symbol.asyncDispose]();
    await stage.close();
  }, 60_000);

  test(`${MEMBERS * CALLS_EACH} calls over HTTP: everybody is told their own`, { timeout: 300_000 }, async () => {
    const answers = await askInPeace(members, questions);
    const startMs = performance.now();
    const asked = crowd(members, { questions, answers, mischief: true, calls: CALLS_EACH });
    await asked.stop();
    const tally = countOf(asked.ended.map(({ end }) => end));
    tell(`HTTP fuzz: seed ${SEED}, ${asked.ended.length} calls in ${((performance.now() - startMs) / 1000).toFixed(1)} s`, tally);
    expect(asked.wrong).toEqual([]);
    expect(Object.keys(tally).filter((end) => !["ok", "SPEC_INVALID", "BUSY", "gone"].includes(end))).toEqual([]);
    for (const end of ["ok", "SPEC_INVALID", "gone"]) expect(tally[end], end).toBeGreaterThan(0);
    expect(await stage.recordedAnswers()).toBeGreaterThanOrEqual(answers.size + (tally["ok"] ?? 0));
    http.process.kill("SIGTERM");
    expect(await http.exited).toBe(0);
    expect(http.mistakes()).toEqual([]);
  });
});
