import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { shippedCatalog } from "../support/answers.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { asSuperuser, nativeTestUrl } from "../support/native-database.ts";
import { redisTestUrl } from "../support/redis.ts";
import { type Heard, type HttpProcess, readLog, startHttp } from "../support/server-process.ts";
import { askInPeace, type Crowd, crowd, type Member } from "./crowd.ts";
import { questionsFor } from "./marked-tenants.ts";
import { choices } from "./random.ts";
import { countOf, SEED, tell } from "./report.ts";
import { services, servicesTool } from "./services.ts";
import { openStage, type Stage } from "./stage.ts";

/*
 * Real servers and real clients of every generation, over HTTP and stdio, while PostgreSQL and Redis are restarted and
 * killed under them. Every call ends with its tenant's data or a code that says what is the matter; soon after the service is
 * back, so are the answers; what was answered is in the trail.
 */
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
/** How long after the database is ready the first call is answered, in milliseconds. */
const HEALED_WITHIN_MS = 2_000;
const CALM_MS = 1_000;
const CLEAN = ["ok", "UNAVAILABLE", "AUDIT_UNAVAILABLE", "BUSY", "TIMEOUT"];

const tool = servicesTool();
const serverUrl = nativeTestUrl();
// By text only, over all time: what they answer does not depend on the day.
const questions = questionsFor(await shippedCatalog(), SEED, 0) as readonly object[];

describe.skipIf(tool === undefined || serverUrl === undefined)(`services that end, seed ${SEED}`, () => {
  let stage: Stage;
  let http: HttpProcess;
  const logs: Heard[] = [];
  const members: Member[] = [];
  let answers: ReadonlyMap<string, string>;
  let answered = 0;

  beforeAll(async () => {
    tell(`faults: seed ${SEED} (FUZZ_SEED repeats it)`);
    stage = await openStage(must(serverUrl, "TEST_DATABASE_URL"), redisTestUrl());
    http = await startHttp(stage.environment);
    logs.push(http);
    for (const [at, own] of stage.tenants.entries()) {
      const generation = must(GENERATIONS[at % GENERATIONS.length], "a generation");
      members.push({ own, choose: choices(SEED + at), client: await connect(generation, { url: http.url, bearer: own.key }) });
    }
    for (const [at, generation] of (["v1", "v2-2026"] as const).entries()) {
      const own = must(stage.tenants[at], "a tenant");
      const log = readLog();
      logs.push(log);
      const environment = { ...stage.environment, METRICGATE_API_KEY: own.key, METRICGATE_LOG_LEVEL: "info" };
      const target = { stdio: environment, entry: MAIN, args: ["serve", "--stdio"], onStderr: log.hear };
      members.push({ own, choose: choices(SEED + 100 + at), client: await connect(generation, target) });
    }
    answers = await askInPeace(members, questions);
    answered += answers.size;
  }, 120_000);
  afterAll(async () => {
    await Promise.allSettled(members.map(({ client }) => client.raw.close()));
    await http[Symbol.asyncDispose]();
    await stage.close();
  }, 60_000);

  /** Has the crowd ask while `fault` happens; resolves with when the service was back. */
  const through = async (fault: () => Promise<number>): Promise<{ asked: Crowd; backMs: number }> => {
    const asked = crowd(members, { questions, answers });
    await sleep(CALM_MS);
    const backMs = await fault();
    await sleep(HEALED_WITHIN_MS + CALM_MS);
    await asked.stop();
    return { asked, backMs };
  };

  /** What holds whatever happened. */
  const expectSound = async ({ asked, backMs }: { asked: Crowd; backMs: number }, name: string): Promise<void> => {
    const tally = countOf(asked.ended.map(({ end }) => end));
    const first = (ended: Crowd["ended"]): number =>
      Math.min(...ended.filter(({ end, endMs }) => end === "ok" && endMs >= backMs).map(({ endMs }) => endMs - backMs));
    const last = Math.max(...members.map((member) => first(asked.ended.filter((one) => one.member === member))));
    const longest = Math.max(...asked.ended.map(({ startMs, endMs }) => endMs - startMs));
    tell(
      `${name}: first answer ${first(asked.ended).toFixed(0)} ms, last client's ${last.toFixed(0)} ms after the service was back; longest call ${longest.toFixed(0)} ms`,
      tally,
    );
    expect(Object.keys(tally).filter((end) => !CLEAN.includes(end))).toEqual([]);
    expect(asked.wrong).toEqual([]);
    expect(first(asked.ended)).toBeLessThan(HEALED_WITHIN_MS);
    // Everybody, not only whoever was lucky.
    expect(last).toBeLessThan(HEALED_WITHIN_MS + CALM_MS);
    for (const log of logs) expect(log.mistakes()).toEqual([]);
    expect(http.process.exitCode).toBe(null);
    expect((await fetch(`${http.origin}/health/ready`)).status).toBe(200);
    answered += tally["ok"] ?? 0;
    expect(await stage.recordedAnswers()).toBeGreaterThanOrEqual(answered);
    const open = () =>
      asSuperuser(stage.url, async (admin) => {
        const inTransaction = "select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
        return (await admin.query(inTransaction)).rowCount;
      });
    // What is written behind calls may be between two statements just now; what is stuck stays.
    await expect.poll(open, { timeout: 5_000 }).toBe(0);
  };

  /** Runs a fault of PostgreSQL and watches from outside; when the first connection succeeded after the last that did not. */
  const untilBack = async (fault: () => Promise<void>): Promise<number> => {
    let isOver = false;
    let backMs: number | undefined;
    let wasAway = false;
    const watching = (async () => {
      while (!isOver || backMs === undefined) {
        if (isOver && !wasAway) throw new Error("TEST_SERVICES restarted another PostgreSQL than TEST_DATABASE_URL names");
        try {
          await asSuperuser(must(serverUrl, "TEST_DATABASE_URL"), (admin) => admin.query("select 1"));
          if (wasAway) backMs ??= performance.now();
        } catch {
          wasAway = true;
          backMs = undefined;
        }
        await sleep(10);
      }
    })();
    await fault().finally(() => (isOver = true));
    await watching;
    return must(backMs, "PostgreSQL's return");
  };
  const use = must(tool ?? "", "TEST_SERVICES");

  test("PostgreSQL is restarted", async () => {
    await expectSound(await through(() => untilBack(() => services(use, "restart-pg"))), "restart-pg");
  });

  test("PostgreSQL is killed, and comes back through recovery", async () => {
    const fault = async (): Promise<void> => {
      await services(use, "kill-pg");
      try {
        await sleep(1_000);
        expect((await fetch(`${http.origin}/health/ready`)).status).toBe(503);
        expect((await fetch(`${http.origin}/health/live`)).status).toBe(200);
      } finally {
        await services(use, "up");
      }
    };
    await expectSound(await through(() => untilBack(fault)), "kill-pg");
  });

  test("Redis is restarted: nobody notices", async () => {
    const fault = async (): Promise<number> => {
      await services(use, "restart-redis");
      return performance.now();
    };
    const outcome = await through(fault);
    await expectSound(outcome, "restart-redis");
    expect(outcome.asked.ended.filter(({ end }) => end !== "ok")).toEqual([]);
  });

  test("backends are ended, one after the other, whatever they do", async () => {
    const fate = choices(SEED);
    const fault = async (): Promise<number> => {
      for (let ended = 0; ended < 40; ended += 1) {
        await asSuperuser(stage.url, (admin) =>
          admin.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and usename in ('metricgate_api', 'metricgate_auditor', 'metricgate_directory')
             order by md5(pid::text || $1) limit 1`,
            [String(fate.next())],
          ),
        );
        await sleep(fate.below(100));
      }
      return performance.now();
    };
    const outcome = await through(fault);
    await expectSound(outcome, "pg_terminate_backend");
  });

  test("after it all, SIGTERM ends the server in order", async () => {
    http.process.kill("SIGTERM");
    expect(await http.exited).toBe(0);
    expect(http.mistakes()).toEqual([]);
  });
});
