import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import { audited } from "../../src/audited.ts";
import { memoryAnswerCache } from "../../src/cache/answer-cache.ts";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import type { Database } from "../../src/db/database.ts";
import { openNative } from "../../src/db/native.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { CACHE_LIMITS } from "../../src/execute/limits.ts";
import { readAsTenant, streamAsTenant } from "../../src/execute/tenant-transaction.ts";
import { must } from "../../src/must.ts";
import { verifyTrails } from "../../src/oversight.ts";
import { createPipeline, type Pipeline } from "../../src/pipeline.ts";
import type { StoredResult } from "../../src/result/page.ts";
import { shippedCatalog, testPipeline } from "../support/answers.ts";
import { asSuperuser, createScratch, nativeTestUrl, type ScratchDatabase } from "../support/native-database.ts";
import { dirtOfAll, dirtOfNext } from "../support/pool-probe.ts";
import { foreignMarks, furnish, lasting, type MarkedTenant, NOW, questionsFor } from "./marked-tenants.ts";
import { choices, type Choices } from "./random.ts";
import { SEED, tell } from "./report.ts";

/*
 * 64 clients of 10 tenants at once through the real pipeline, trail and port, on pools far too small for them: valid
 * questions, mistakes, statements that fail, cancels at any moment, deadlines of a millisecond, streams left early, backends
 * that die. Every answer must be that of its tenant to the last digit, and no connection may be lent with anything on it.
 */
const CLIENTS = 64;
const CALLS = Number(process.env["FUZZ_CALLS"] ?? 20_000);
const ROUNDS = 20;
const POOL_SIZES = { api: 8, stream: 3, auditor: 4 };
/** Shorter than statements that are meant to hold connections: some callers must find none. */
const CONNECT_TIMEOUT_MS = 150;
const SLOW = "select count(*) from generate_series(1, 2000000000)";
/** Waits for a lock that a superuser keeps: holds a connection, and costs nothing. */
const HOLD = "select from hold.it";
const DIMENSIONS = ["label", "status", "sprint_name", "assignee", "issue_type"] as const;

/** What may happen to a call whoever makes it, while others exhaust pools and backends die. */
const OF_THE_CROWD: readonly ErrorCode[] = ["BUSY", "UNAVAILABLE", "AUDIT_UNAVAILABLE"];

/** How often each kind of call is made, and how it may end besides OF_THE_CROWD. */
const KINDS = {
  run: { weight: 34, ends: ["ok"] },
  cached: { weight: 6, ends: ["ok"] },
  page: { weight: 12, ends: ["ok"] },
  foreignPage: { weight: 4, ends: ["NOT_FOUND"] },
  values: { weight: 8, ends: ["ok"] },
  mistake: { weight: 10, ends: ["SPEC_INVALID"] },
  cancelled: { weight: 10, ends: ["ok", "CANCELLED"] },
  deadline: { weight: 4, ends: ["TIMEOUT"] },
  failing: { weight: 4, ends: ["INTERNAL"] },
  held: { weight: 3, ends: ["CANCELLED"] },
  stream: { weight: 3, ends: ["ok", "CANCELLED", "TIMEOUT"] },
  probe: { weight: 2, ends: ["ok"] },
} as const satisfies Record<string, { readonly weight: number; readonly ends: readonly ("ok" | ErrorCode)[] }>;
type Kind = keyof typeof KINDS;
const WEIGHTS = Object.fromEntries(Object.entries(KINDS).map(([kind, { weight }]) => [kind, weight])) as Record<Kind, number>;

const serverUrl = nativeTestUrl();
const catalog = await shippedCatalog();
const questions = questionsFor(catalog, SEED, 40);

interface Paged {
  readonly id: string;
  readonly question: number;
}

interface Client {
  readonly own: MarkedTenant;
  readonly choose: Choices;
}

describe.skipIf(serverUrl === undefined)(`the pool under a crowd, seed ${SEED} (native)`, () => {
  let scratch: ScratchDatabase;
  let database: Database;
  let pipeline: Pipeline;
  let cachedPipeline: Pipeline;
  let tenants: readonly MarkedTenant[];
  const unlock = Promise.withResolvers<void>();
  let locking: Promise<void> = Promise.resolve();
  /** By tenant and question, and by tenant and dimension: what a quiet moment answered. */
  const answers = new Map<string, string>();
  const pages = new Map<number, Paged[]>();
  const tally = new Map<string, number>();
  const wrong: string[] = [];
  let auditedOk = 0;

  beforeAll(async () => {
    tell(`pool fuzz: seed ${SEED} (FUZZ_SEED repeats it), ${CALLS} calls`);
    scratch = await createScratch(must(serverUrl, "TEST_DATABASE_URL"));
    const quiet = openNative({ url: scratch.url, observe: () => undefined });
    tenants = await furnish(quiet);
    const calm = await testPipeline(quiet, NOW);
    for (const own of tenants) {
      for (const [at, question] of questions.entries())
        answers.set(`${own.tenant.id}/${at}`, lasting(await calm.run(own.principal, question)));
      for (const dimension of DIMENSIONS)
        answers.set(`${own.tenant.id}/${dimension}`, JSON.stringify(await calm.values(own.principal, { dimension, limit: 200 })));
    }
    await quiet.close();
    const isLocked = Promise.withResolvers<void>();
    locking = asSuperuser(scratch.url, async (admin) => {
      await admin.query("create schema hold; create table hold.it (); grant usage on schema hold to metricgate_reader");
      await admin.query("grant select on hold.it to metricgate_reader");
      await admin.query("begin; lock table hold.it in access exclusive mode");
      isLocked.resolve();
      await unlock.promise;
    });
    await Promise.race([isLocked.promise, locking]);
    database = openNative({ url: scratch.url, observe: () => undefined, poolSizes: POOL_SIZES, connectTimeoutMs: CONNECT_TIMEOUT_MS });
    const results = memoryResultStore<StoredResult>({ maxBytes: 2 ** 28, maxTenantBytes: 2 ** 28 });
    const parts = {
      catalog,
      database: () => Promise.resolve(database),
      results,
      observe: () => undefined,
      now: () => NOW,
      // More than the pool has: the gate must not be what keeps the pool from being exhausted.
      gateLimits: { running: 12, runningPerTenant: 6, waitingPerTenant: 20, waitMs: 5_000 },
    };
    const audit = databaseAudit(() => Promise.resolve(database));
    pipeline = audited(createPipeline(parts), audit, () => undefined);
    cachedPipeline = audited(createPipeline({ ...parts, cache: memoryAnswerCache(CACHE_LIMITS) }), audit, () => undefined);
  }, 120_000);
  afterAll(async () => {
    unlock.resolve();
    await locking;
    await database.close();
    await scratch.drop();
  }, 30_000);

  test("what the tenants are told in a quiet moment is their own, and differs", () => {
    for (const own of tenants) {
      const told = [...answers].filter(([name]) => name.startsWith(`${own.tenant.id}/`)).map(([, answer]) => answer);
      expect(foreignMarks(own, told)).toEqual([]);
      expect(told.filter((answer) => answer.includes(own.mark)).length).toBeGreaterThan(10);
    }
    const numbers = tenants.map(({ tenant, mark }) =>
      questions.map((_, at) => answers.get(`${tenant.id}/${at}`)?.replaceAll(mark, "")).join(),
    );
    expect(new Set(numbers).size).toBe(tenants.length);
  });

  const same = (own: MarkedTenant, name: string | number, told: string): void => {
    if (told !== answers.get(`${own.tenant.id}/${name}`)) wrong.push(`tenant ${own.tenant.id}, ${name}: ${told.slice(0, 300)}`);
  };

  const run = async ({ own, choose }: Client, through: Pipeline, signal?: AbortSignal): Promise<unknown> => {
    const question = choose.below(questions.length);
    const result = await through.run(own.principal, questions[question], signal === undefined ? {} : { signal });
    auditedOk += 1;
    same(own, question, lasting(result));
    const mine = pages.get(own.tenant.id) ?? [];
    pages.set(own.tenant.id, [...mine.slice(-20), { id: result.meta.result_id, question }]);
    return result;
  };
  const port = (own: MarkedTenant, text: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<unknown> =>
    readAsTenant(database, own.tenant, { text, values: [] }, options);

  /** Each kind of call; resolves with whatever its tenant was told. */
  const make: Readonly<Record<Kind, (client: Client) => Promise<unknown>>> = {
    run: (client) => run(client, pipeline),
    cached: (client) => run(client, cachedPipeline),
    cancelled: (client) => run(client, pipeline, AbortSignal.timeout(client.choose.below(200))),
    page: async (client) => {
      const { own, choose } = client;
      const mine = pages.get(own.tenant.id) ?? [];
      if (mine.length === 0) return run(client, pipeline);
      const { id, question } = choose.oneOf(mine);
      const result = await pipeline.page(own.principal, { result_id: id });
      auditedOk += 1;
      same(own, question, lasting(result));
      return result;
    },
    foreignPage: async ({ own, choose }) => {
      const others = [...pages].filter(([id]) => id !== own.tenant.id).flatMap(([, theirs]) => theirs);
      const id = others.length === 0 ? "res_none" : choose.oneOf(others).id;
      return pipeline.page(own.principal, { result_id: id });
    },
    values: async ({ own, choose }) => {
      const dimension = choose.oneOf(DIMENSIONS);
      const told = await pipeline.values(own.principal, { dimension, limit: 200 });
      auditedOk += 1;
      same(own, dimension, JSON.stringify(told));
      return told;
    },
    mistake: ({ own, choose }) =>
      pipeline.run(
        own.principal,
        choose.oneOf([{}, { measures: [{ name: "wipp" }] }, { measures: [{ name: "wip" }], dimensions: ["x"] }, 7]),
      ),
    deadline: ({ own, choose }) => port(own, choose.oneOf([SLOW, HOLD]), { timeoutMs: 1 + choose.below(5) }),
    failing: ({ own, choose }) =>
      port(own, choose.oneOf(["select 1 / (select 0)", "selec 1", "select summary::int from warehouse.issue"]), { timeoutMs: 5_000 }),
    held: ({ own, choose }) => port(own, HOLD, { timeoutMs: 5_000, signal: AbortSignal.timeout(20 + choose.below(180)) }),
    stream: async ({ own, choose }) => {
      const statement = { text: "select summary, tenant_id from warehouse.issue order by issue_key", values: [] };
      const wanted = choose.below(4);
      const options = { timeoutMs: choose.oneOf([1, 5_000]), batchRows: 5, signal: AbortSignal.timeout(1 + choose.below(60)) };
      const told: unknown[] = [];
      for await (const batch of streamAsTenant(database, own.tenant, statement, options)) {
        told.push(batch);
        if (batch.some((row) => row[1] !== own.tenant.id)) wrong.push(`tenant ${own.tenant.id}: a stream of another`);
        if (told.length > wanted) break;
      }
      return told;
    },
    probe: async ({ choose }) => {
      const dirt = await dirtOfNext(database, choose.oneOf(["api", "auditor"] as const)).catch(excusable);
      wrong.push(...dirt);
      return [];
    },
  };
  /** Takes every connection of the pool for longer than anybody waits for one. */
  const exhaust = async (): Promise<void> => {
    const own = must(tenants[0], "a tenant");
    const hold = (): Promise<unknown> => port(own, HOLD, { timeoutMs: 5_000, signal: AbortSignal.timeout(3 * CONNECT_TIMEOUT_MS) });
    await Promise.allSettled(Array.from({ length: 2 * POOL_SIZES.api }, hold));
  };
  /** A probe may find no connection, or one that dies in its hands; that it found dirt is never excused. */
  const excusable = (): string[] => [];

  const call = async (client: Client): Promise<void> => {
    const kind = client.choose.weighted(WEIGHTS);
    let told: unknown;
    let end: string;
    try {
      told = await make[kind](client);
      end = "ok";
    } catch (error) {
      told = [String(error), error];
      end = (error as { code?: string }).code ?? String(error);
    }
    const foreign = foreignMarks(client.own, told);
    if (foreign.length > 0) wrong.push(`tenant ${client.own.tenant.id}, ${kind}, ${end}: ${foreign.join()}`);
    const allowed: readonly string[] = [...KINDS[kind].ends, ...OF_THE_CROWD];
    if (!allowed.includes(end)) wrong.push(`${kind} ended as ${end}: ${String((told as unknown[])[0])}`);
    tally.set(`${kind}: ${end}`, (tally.get(`${kind}: ${end}`) ?? 0) + 1);
  };

  test(`${CALLS} calls: no foreign row, no dirty connection, every end clean`, { timeout: 600_000 }, async () => {
    const startMs = performance.now();
    const clients = Array.from({ length: CLIENTS }, (_, at): Client => ({
      own: must(tenants[at % tenants.length], "a tenant"),
      choose: choices(SEED + at),
    }));
    const fate = choices(SEED - 1);
    const rounds: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const each = Math.ceil(CALLS / ROUNDS / CLIENTS);
      const ends = Promise.all(
        clients.map(async (client) => {
          for (let at = 0; at < each; at += 1) await call(client);
        }),
      );
      if (round % 4 === 0) await exhaust();
      // Two backends of the round die, whatever they do.
      for (let killed = 0; killed < 2; killed += 1) {
        await sleep(100 + fate.below(400));
        await asSuperuser(scratch.url, (admin) =>
          admin.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and usename = 'metricgate_api' order by md5(pid::text || $1) limit 1`,
            [String(fate.next())],
          ),
        );
      }
      await ends;
      rounds.push(Math.round(performance.now() - startMs));
      for (const [login, pool] of [
        ["api", "api"],
        ["api", "stream"],
        ["auditor", "auditor"],
      ] as const)
        wrong.push(...(await dirtOfAll(database, login, pool)));
      expect(wrong).toEqual([]);
    }
    const calls = [...tally.values()].reduce((sum, count) => sum + count, 0);
    const seconds = (performance.now() - startMs) / 1000;
    tell(`pool fuzz: ${calls} calls in ${seconds.toFixed(1)} s`, Object.fromEntries([...tally].toSorted()));
    expect(calls).toBeGreaterThanOrEqual(CALLS);
  });

  test("the crowd met every kind of end", () => {
    for (const [kind, { ends }] of Object.entries(KINDS))
      for (const end of ends) expect(tally.get(`${kind}: ${end}`) ?? 0, `${kind}: ${end}`).toBeGreaterThan(0);
    const busy = [...tally].filter(([name]) => name.endsWith(": BUSY")).reduce((sum, [, count]) => sum + count, 0);
    expect(busy).toBeGreaterThan(0);
  });

  test("nothing runs on, nothing is lent, nothing waits", async () => {
    const left = (): Promise<unknown[]> =>
      asSuperuser(scratch.url, async (admin) => {
        const { rows } = await admin.query(
          `select state, query from pg_stat_activity
           where datname = current_database() and usename like 'metricgate\\_%' and state <> 'idle'`,
        );
        return rows;
      });
    await expect.poll(left, { timeout: 5_000 }).toEqual([]);
    for (const login of ["api", "auditor"] as const) {
      const { totalCount, idleCount, waitingCount, options } = database.pool(login);
      expect({ idleCount, waitingCount }).toEqual({ idleCount: totalCount, waitingCount: 0 });
      expect(totalCount).toBeLessThanOrEqual(options.max);
    }
  });

  test("every answer is in the trail, and the trail is whole", { timeout: 120_000 }, async () => {
    const chains = await verifyTrails(database, {});
    expect(chains.map(({ tenant }) => tenant)).toHaveLength(tenants.length);
    for (const { tenant, report } of chains) expect(report.broken, tenant).toBeUndefined();
    const recorded = await asSuperuser(scratch.url, async (admin) => {
      const { rows } = await admin.query<{ n: number }>("select count(*)::int as n from audit.entry where outcome = 'ok'");
      return rows[0]?.n ?? 0;
    });
    expect(auditedOk).toBeGreaterThan(0);
    expect(recorded).toBeGreaterThanOrEqual(auditedOk);
  });
});
