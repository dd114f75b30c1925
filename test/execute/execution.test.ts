import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { memoryAnswerCache, type AnswerCache } from "../../src/cache/answer-cache.ts";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import type { Database, ReadRequest } from "../../src/db/database.ts";
import { AppError } from "../../src/errors.ts";
import { ADMISSION_LIMITS, CACHE_LIMITS, WARM_UP_LIMITS } from "../../src/execute/limits.ts";
import { importInto } from "../../src/ingest/import.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { createPipeline, type PipelineParts } from "../../src/pipeline.ts";
import { issue } from "../ingest/records.ts";
import { sourceOf } from "../ingest/support.ts";
import { shippedCatalog } from "../support/answers.ts";
import { describeOnEachDatabase, describeOnNative, type TestDatabase } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const TENANT = testTenant({ id: 1 });
const ANN = testPrincipal(TENANT, "ann");
const BEN = testPrincipal(TENANT, "ben");
const CREATED = { measures: [{ name: "issues_created", as: "n" }] };

async function load({ database }: TestDatabase, keys: readonly string[], tenant = TENANT): Promise<void> {
  const records = keys.map((key, index) => issue(key, { createdAt: new Date(Date.UTC(2024, 0, 1 + (index % 300), 12)).toISOString() }));
  await importInto(database, tenant, { instanceId: "inst1", source: sourceOf(records) });
}

/** Issues that the tenant has, as the product answers it. */
async function countOf(pipeline: ReturnType<typeof createPipeline>): Promise<number> {
  return Number((await pipeline.run(ANN, CREATED)).data.rows[0]?.[0]);
}

interface Made {
  readonly pipeline: ReturnType<typeof createPipeline>;
  readonly observed: Observation[];
  readonly statements: string[];
  /** Outcomes of the cache, in order. */
  readonly outcomes: () => string[];
}

async function make(
  base: Database,
  more: Partial<PipelineParts> & { onRead?: (request: ReadRequest) => Promise<void> } = {},
): Promise<Made> {
  const observed: Observation[] = [];
  const statements: string[] = [];
  const { onRead = async () => undefined, ...parts } = more;
  const database: Database = {
    ...base,
    read: async (request) => {
      statements.push(request.statement.text);
      await onRead(request);
      return base.read(request);
    },
  };
  const pipeline = createPipeline({
    catalog: await shippedCatalog(),
    database: async () => database,
    results: memoryResultStore({ maxBytes: 2 ** 24, maxTenantBytes: 2 ** 24 }),
    observe: (one) => observed.push(one),
    now: () => new Date("2024-11-20T12:00:00Z"),
    cache: memoryAnswerCache(CACHE_LIMITS),
    ...parts,
  });
  const outcomes = () => observed.flatMap((one) => (one.kind === "cache_asked" ? [one.outcome] : []));
  return { pipeline, observed, statements, outcomes };
}

const isAnswer = (text: string): boolean => text.startsWith("with ");

async function failure(call: Promise<unknown>): Promise<AppError> {
  const thrown: unknown = await call.then(
    () => new Error("it was answered"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw thrown;
  return thrown;
}

describeOnEachDatabase("answers that are kept", (get) => {
  beforeAll(() => load(get(), ["A-1", "A-2"]));

  test("a repeated question is answered from the cache, under a handle of its own", async () => {
    const { pipeline, statements, outcomes } = await make(get().database);
    const first = await pipeline.run(ANN, CREATED);
    const asked = statements.length;
    const again = await pipeline.run(BEN, { ...CREATED, limit: 100 });
    expect(statements.slice(asked).filter(isAnswer)).toEqual([]);
    expect(outcomes()).toEqual(["miss", "hit"]);
    expect([first.data.cached, again.data.cached]).toEqual([false, true]);
    expect(again.data.rows).toEqual(first.data.rows);
    expect({ ...again.meta, result_id: "", result_uri: "", cache_ttl: 0 }).toEqual({
      ...first.meta,
      result_id: "",
      result_uri: "",
      cache_ttl: 0,
    });
    for (const { meta } of [first, again]) {
      expect(Number.isInteger(meta.cache_ttl)).toBe(true);
      expect(meta.cache_ttl).toBeGreaterThan(290);
      expect(meta.cache_ttl).toBeLessThanOrEqual(300);
      expect(meta.data_as_of).not.toBeNull();
    }
    expect(again.meta.result_id).not.toBe(first.meta.result_id);
    expect((await pipeline.page(BEN, { result_id: again.meta.result_id })).data).toMatchObject({ cached: true, rows: first.data.rows });
    expect((await failure(pipeline.page(ANN, { result_id: again.meta.result_id }))).code).toBe("NOT_FOUND");
  });

  test("the time told is that of this answer", async () => {
    let isSlow = true;
    const onRead = async ({ statement }: ReadRequest): Promise<void> => void (isSlow && isAnswer(statement.text) && (await sleep(300)));
    const { pipeline } = await make(get().database, { onRead });
    const slow = await pipeline.run(ANN, CREATED);
    isSlow = false;
    const hit = await pipeline.run(ANN, CREATED);
    expect(slow.data.query_time_ms).toBeGreaterThan(290);
    expect(hit.data.cached).toBe(true);
    expect(hit.data.query_time_ms).toBeLessThan(250);
  });

  test("an import by anyone is seen at once by all, and another tenant's changes nothing", async () => {
    const cache = memoryAnswerCache(CACHE_LIMITS);
    const [one, two] = [await make(get().database, { cache }), await make(get().database, { cache })];
    const count = ({ pipeline }: Made): Promise<number> => countOf(pipeline);
    expect(await count(await make(get().database))).toBe(2);
    expect([await count(one), await count(two)]).toEqual([2, 2]);
    await load(get(), ["X-1"], testTenant({ id: 9 }));
    expect([await count(one), await count(two)]).toEqual([2, 2]);
    expect([one.outcomes(), two.outcomes()]).toEqual([
      ["miss", "hit"],
      ["hit", "hit"],
    ]);
    await load(get(), ["A-1", "A-2", "A-3"]);
    expect([await count(one), await count(two)]).toEqual([3, 3]);
    expect([one.outcomes().at(-1), two.outcomes().at(-1)]).toEqual(["miss", "hit"]);
  });

  test("an answer of newer data than its question found is given, and not kept", async () => {
    const known = await countOf((await make(get().database)).pipeline);
    let isFirst = true;
    const onRead = async ({ statement }: ReadRequest): Promise<void> => {
      if (!isFirst || !isAnswer(statement.text)) return;
      isFirst = false;
      await load(get(), ["A-4"]);
    };
    const { pipeline, outcomes } = await make(get().database, { onRead });
    const first = await pipeline.run(ANN, CREATED);
    expect(first).toMatchObject({ data: { rows: [[known + 1]] }, meta: { cache_ttl: 0 } });
    expect((await pipeline.run(ANN, CREATED)).meta.cache_ttl).toBeGreaterThan(0);
    expect(outcomes()).toEqual(["miss", "miss"]);
  });

  test("other rights, another day and another zone have other answers", async () => {
    let now = new Date("2024-11-20T22:30:00Z");
    const { pipeline, outcomes } = await make(get().database, { now: () => now });
    const spec = { ...CREATED, time: { range: "last_7_days" } };
    await pipeline.run(ANN, spec);
    await pipeline.run(testPrincipal(TENANT, "ann", { allowed: { projects: ["A"] } }), spec);
    await pipeline.run(testPrincipal(TENANT, "ann", { scopes: ["metrics:read"] }), spec);
    await pipeline.run(ANN, { ...spec, timezone: "Asia/Tokyo" });
    now = new Date("2024-11-20T23:59:59Z");
    await pipeline.run(ANN, spec);
    now = new Date("2024-11-21T00:00:00Z");
    await pipeline.run(ANN, spec);
    expect(outcomes()).toEqual(["miss", "miss", "miss", "miss", "hit", "miss"]);
  });

  test("errors and dry runs are not kept, and a tenant without data has nothing to keep by", async () => {
    let isFailing = true;
    const onRead = async ({ statement }: ReadRequest): Promise<void> => {
      if (isFailing && isAnswer(statement.text)) throw new AppError("TIMEOUT", "The query took longer than allowed.");
    };
    const { pipeline, outcomes } = await make(get().database, { onRead });
    expect((await failure(pipeline.run(ANN, CREATED))).code).toBe("TIMEOUT");
    isFailing = false;
    await pipeline.run(ANN, { ...CREATED, dry_run: true });
    expect((await pipeline.run(ANN, CREATED)).data.cached).toBe(false);
    const nobody = testPrincipal(testTenant({ id: 77 }));
    for (let time = 0; time < 2; time += 1) expect((await pipeline.run(nobody, CREATED)).meta.cache_ttl).toBe(0);
    expect(outcomes()).toEqual(["miss", "miss", "off", "off"]);
  });

  test("what cannot be read back is asked again", async () => {
    const broken: AnswerCache = { get: async () => undefined, put: async () => undefined, close: async () => undefined };
    const { pipeline } = await make(get().database, { cache: broken });
    const first = await pipeline.run(ANN, CREATED);
    expect((await pipeline.run(ANN, CREATED)).data).toMatchObject({ cached: false, rows: first.data.rows });
  });

  test("the most asked question is answered again in the background when the data has changed", async () => {
    const { pipeline, observed, statements } = await make(get().database);
    const popular = { ...CREATED, dimensions: ["project_key"] };
    for (let time = 0; time < 3; time += 1) await pipeline.run(ANN, popular);
    const known = await countOf(pipeline);
    await load(get(), ["A-5"]);
    await pipeline.run(ANN, CREATED);
    await expect
      .poll(() => observed.filter(({ kind }) => kind === "warmed_up"), { timeout: 5_000 })
      .toEqual([{ kind: "warmed_up", tenantId: 1, outcome: "done" }]);
    const before = statements.length;
    expect((await pipeline.run(ANN, popular)).data).toMatchObject({ cached: true, rows: [["A", known + 1]] });
    expect(statements.slice(before).filter(isAnswer)).toEqual([]);
  });

  test("a popular answer that is about to expire is made anew by the clock, so that nobody meets its end", async () => {
    const popular = { ...CREATED, dimensions: ["issue_type"] };
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    try {
      const { pipeline, observed, statements } = await make(get().database);
      for (let time = 0; time < 2; time += 1) await pipeline.run(ANN, popular);
      pipeline.keepWarm();
      vi.setSystemTime(Date.now() + CACHE_LIMITS.lifetimeMs - WARM_UP_LIMITS.soonMs + 1);
      pipeline.keepWarm();
      await expect
        .poll(() => observed.filter(({ kind }) => kind === "warmed_up"), { timeout: 5_000 })
        .toEqual([{ kind: "warmed_up", tenantId: 1, outcome: "done" }]);
      vi.setSystemTime(Date.now() + WARM_UP_LIMITS.soonMs + 1);
      const before = statements.length;
      expect((await pipeline.run(ANN, popular)).data.cached).toBe(true);
      expect(statements.slice(before).filter(isAnswer)).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describeOnEachDatabase("an answer made afresh in the background", (get) => {
  beforeAll(() => load(get(), ["A-1"]));

  test("is given up as soon as somebody would have to wait for it, and when the process closes", { timeout: 30_000 }, async () => {
    const SLOW = "select count(*) from generate_series(1, 2000000000)";
    const base = get().database;
    const closing = new AbortController();
    let isEndless = false;
    let running = 0;
    const database: Database = {
      ...base,
      read: async (request) => {
        if (!isEndless || !isAnswer(request.statement.text) || request.statement.text.includes("issue_type")) return base.read(request);
        running += 1;
        try {
          return await base.read({ ...request, statement: { text: SLOW, values: [] } });
        } finally {
          running -= 1;
        }
      },
    };
    const gateLimits = { running: 1, runningPerTenant: 1, waitingPerTenant: 5, waitMs: 10_000 };
    const { pipeline, observed } = await make(database, { gateLimits, closed: closing.signal });
    const byType = { ...CREATED, dimensions: ["issue_type"] };
    const warmed = () => observed.flatMap((one) => (one.kind === "warmed_up" ? [one.outcome] : []));
    for (let time = 0; time < 2; time += 1) await pipeline.run(ANN, CREATED);
    for (const key of ["A-2", "A-3"]) {
      await load(get(), [key]);
      isEndless = true;
      await pipeline.run(ANN, { ...byType, limit: 900 });
      await expect.poll(() => running, { timeout: 5_000 }).toBe(1);
      if (key === "A-2") {
        const startMs = performance.now();
        await pipeline.run(ANN, byType);
        expect(performance.now() - startMs).toBeLessThan(10_000);
      } else closing.abort();
      await expect.poll(() => running, { timeout: 5_000 }).toBe(0);
      isEndless = false;
    }
    await expect.poll(warmed).toEqual(["skipped", "skipped"]);
  });
});

describeOnEachDatabase("a question asked by many at once", (get) => {
  beforeAll(() => load(get(), ["A-1", "A-2"]));
  const SLOW = "select count(*) from generate_series(1, 2000000000)";
  /** The product over a database whose answers take for ever, until told otherwise. */
  const endless = async (more: Partial<PipelineParts> = {}) => {
    const base = get().database;
    const state = { isEndless: true, running: 0 };
    const database: Database = {
      ...base,
      read: async (request) => {
        if (!isAnswer(request.statement.text) || !state.isEndless) return base.read(request);
        state.running += 1;
        try {
          return await base.read({ ...request, statement: { text: SLOW, values: [] } });
        } finally {
          state.running -= 1;
        }
      },
    };
    return { state, ...(await make(database, more)) };
  };
  /** Statements that really run in the native server. */
  const backends = async (): Promise<number> =>
    get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ n: number }>(
        "select count(*)::int as n from pg_stat_activity where state = 'active' and query like '%generate_series(1, 2000000000)%' and pid <> pg_backend_pid()",
      );
      return rows[0]?.n ?? -1;
    });

  test("is run once; one who leaves does not end it for the others, and all who leave do", { timeout: 30_000 }, async () => {
    const { pipeline, state, statements, outcomes } = await endless();
    const callers = [0, 1, 2].map(() => new AbortController());
    const calls = callers.map(({ signal }, index) => failure(pipeline.run(index === 0 ? ANN : BEN, CREATED, { signal })));
    await expect.poll(() => state.running, { timeout: 5_000 }).toBe(1);
    await expect.poll(() => outcomes().length).toBe(3);
    expect(outcomes().toSorted()).toEqual(["joined", "joined", "miss"]);
    if (get().database.mode === "native") await expect.poll(backends).toBe(1);
    callers[0]?.abort();
    expect((await calls[0])?.code).toBe("CANCELLED");
    await sleep(150);
    expect(state.running).toBe(1);
    callers[1]?.abort();
    callers[2]?.abort();
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(["CANCELLED", "CANCELLED", "CANCELLED"]);
    await expect.poll(() => state.running, { timeout: 5_000 }).toBe(0);
    if (get().database.mode === "native") await expect.poll(backends).toBe(0);
    expect(statements.filter(isAnswer)).toHaveLength(1);
    state.isEndless = false;
    expect((await pipeline.run(ANN, CREATED)).data.rows).toEqual([[2]]);
  });

  test("waits in turn; who cancels while waiting is gone at once, and too many are told so", { timeout: 30_000 }, async () => {
    const gateLimits = { running: 1, runningPerTenant: 1, waitingPerTenant: 2, waitMs: 1_500 };
    const { pipeline, state } = await endless({ gateLimits });
    const first = new AbortController();
    const unlike = (limit: number) => ({ ...CREATED, limit });
    const running = failure(pipeline.run(ANN, unlike(1), { signal: first.signal }));
    await expect.poll(() => state.running, { timeout: 5_000 }).toBe(1);
    const leaving = new AbortController();
    const [waiting, left] = [failure(pipeline.run(ANN, unlike(2))), failure(pipeline.run(ANN, unlike(3), { signal: leaving.signal }))];
    await sleep(100);
    expect(await failure(pipeline.run(ANN, unlike(4)))).toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("2 waiting, which is the limit"),
    });
    const startMs = performance.now();
    leaving.abort();
    expect((await left).code).toBe("CANCELLED");
    expect(performance.now() - startMs).toBeLessThan(100);
    expect(await waiting).toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("waited 1.5 s, which is the limit"),
      details: { retryAfterSeconds: 5 },
    });
    first.abort();
    expect((await running).code).toBe("CANCELLED");
    state.isEndless = false;
    expect((await pipeline.run(ANN, unlike(5))).data.rows).toEqual([[2]]);
  });
});

describeOnNative("a question that is too heavy", (get) => {
  beforeAll(async () => {
    await load(
      get(),
      Array.from({ length: 25_000 }, (_, index) => `A-${index}`),
    );
  }, 60_000);
  /** 25,000 groups on each of 300 days and more. */
  const GRID = { ...CREATED, dimensions: ["issue_key"], time: { grain: "day", range: "all" } };
  const verdicts = ({ observed }: Made) => observed.flatMap((one) => (one.kind === "weighed" ? [one.verdict] : []));

  test(
    "is tried for a while, then refused with its estimate, the limit and what to do, and from then on at once",
    { timeout: 60_000 },
    async () => {
      const made = await make(get().database);
      const error = await failure(made.pipeline.run(ANN, GRID));
      expect(error).toMatchObject({
        code: "TOO_LARGE",
        message: expect.stringMatching(
          /^The question is estimated at [\d,]+ units of work; while a conversation waits 2,000,000 are the limit, and 8 s did not/,
        ),
        details: { next: expect.stringContaining("coarser grain") },
      });
      const startMs = performance.now();
      expect((await failure(made.pipeline.run(ANN, { ...GRID, limit: 7 }))).code).toBe("TOO_LARGE");
      expect(performance.now() - startMs).toBeLessThan(1_000);
      expect(verdicts(made)).toEqual(["trial", "refused"]);
      expect(made.observed).toContainEqual(expect.objectContaining({ kind: "query_finished", outcome: "TIMEOUT" }));
    },
  );

  test("is refused unseen where nothing could help it", async () => {
    const made = await make(get().database);
    const hopeless = {
      ...GRID,
      time: { grain: "day", from: "2012-01-01", to: "2025-01-01", compare: "previous_year" },
      filters: [{ field: "created_at", op: ">", values: ["2000-01-01"] }],
    };
    const startMs = performance.now();
    expect(await failure(made.pipeline.run(ANN, hopeless))).toMatchObject({
      code: "TOO_LARGE",
      message: expect.not.stringContaining("did not suffice"),
    });
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(made.statements.filter(isAnswer)).toEqual([]);
    const { meta } = await made.pipeline.run(ANN, { ...hopeless, dry_run: true });
    expect(meta.explanation?.admission).toMatch(/^It would be refused as TOO_LARGE: estimated at [\d,]+ units of work, limit 2,000,000\.$/);
    expect(meta.explanation?.estimate.work).toBeGreaterThan(ADMISSION_LIMITS.hopelessWork);
  });

  test("a light one runs, is explained once for all its likes, and its dry run says so", async () => {
    const made = await make(get().database);
    const light = (day: string) => ({ ...CREATED, dimensions: ["project_key"], time: { grain: "month", from: day, to: "2024-12-01" } });
    for (const day of ["2024-01-01", "2024-01-02", "2024-01-03"]) await made.pipeline.run(ANN, light(day));
    expect(verdicts(made)).toEqual(["admitted", "admitted", "admitted"]);
    expect(made.statements.filter((text) => text.startsWith("explain"))).toHaveLength(1);
    const { meta } = await made.pipeline.run(ANN, { ...light("2024-01-01"), dry_run: true });
    expect(meta.explanation?.admission).toMatch(/^It would run: estimated at/);
    const filtered = { ...light("2024-01-01"), filters: [{ field: "issue_type", op: "=", value: "Bug" }] };
    await made.pipeline.run(ANN, filtered);
    await made.pipeline.run(ANN, { ...filtered, filters: [{ field: "issue_type", op: "=", value: "Story" }] });
    expect(made.statements.filter((text) => text.startsWith("explain"))).toHaveLength(4);
  });

  test("a small tenant's are never explained", async () => {
    const small = testTenant({ id: 2 });
    await load(get(), ["S-1", "S-2"], small);
    const made = await make(get().database);
    for (const limit of [1, 2]) await made.pipeline.run(testPrincipal(small), { ...GRID, limit });
    expect(verdicts(made)).toEqual(["small", "small"]);
    expect(made.statements.some((text) => text.startsWith("explain"))).toBe(false);
    const { meta } = await made.pipeline.run(testPrincipal(small), { ...GRID, dry_run: true });
    expect(meta.explanation?.admission).toBe("It would run: the tenant's data is small.");
  });
});
