import { beforeAll, expect, test } from "vitest";
import { memoryResultStore } from "../src/cache/result-store.ts";
import { loadCatalog } from "../src/catalog/load.ts";
import { recordVersions } from "../src/catalog/record.ts";
import type { Database } from "../src/db/database.ts";
import { AppError } from "../src/errors.ts";
import { importInto } from "../src/ingest/import.ts";
import type { SourceRecord } from "../src/ingest/source.ts";
import type { Observation } from "../src/observe/observation.ts";
import { createPipeline, type Pipeline } from "../src/pipeline.ts";
import type { StoredResult } from "../src/result/page.ts";
import { copyCatalog } from "./catalog/catalog-copy.ts";
import { event, issue, sprint, stay, status } from "./ingest/records.ts";
import { sourceOf } from "./ingest/support.ts";
import { type Asked, ask, shippedCatalog } from "./support/answers.ts";
import { describeOnEachDatabase, describeOnNative } from "./support/databases.ts";
import { testPrincipal, testTenant } from "./support/tenants.ts";

/** Weeks start on Sunday, days in Prague: 2024-03-31 has 23 hours there and 2024-10-27 has 25. */
const TENANT = testTenant({ id: 1, timezone: "Europe/Prague", weekStart: 7 });
const OTHER = testTenant({ id: 2 });
const NOW = new Date("2024-11-20T12:00:00Z");

const change = (key: string, at: string, from: string, to: string) => event(key, 0, { at, from, to });
const RECORDS: readonly SourceRecord[] = [
  status("Open", "new"),
  status("In Progress", "in_progress"),
  status("Done", "done"),
  // In progress over the short day and over the long day.
  issue("DST-1", { status: "Done", createdAt: "2024-03-29T12:00:00Z", resolvedAt: "2024-04-01T22:00:00Z" }),
  change("DST-1", "2024-03-29T22:00:00Z", "Open", "In Progress"),
  change("DST-1", "2024-04-01T22:00:00Z", "In Progress", "Done"),
  issue("DST-2", { status: "Done", createdAt: "2024-10-26T20:00:00Z", resolvedAt: "2024-10-28T12:00:00Z" }),
  change("DST-2", "2024-10-26T22:00:00Z", "Open", "In Progress"),
  change("DST-2", "2024-10-28T12:00:00Z", "In Progress", "Done"),
  // Half past midnight of April in Prague, half past ten of March in UTC.
  issue("ZONE-1", { createdAt: "2024-03-31T22:30:00Z" }),
  // Saturday, Sunday, Saturday; and the Sunday 364 days before.
  issue("WEEK-1", { createdAt: "2024-01-06T12:00:00Z" }),
  issue("WEEK-2", { createdAt: "2024-01-07T12:00:00Z" }),
  issue("WEEK-3", { createdAt: "2024-01-13T12:00:00Z" }),
  issue("WEEK-4", { createdAt: "2023-01-08T12:00:00Z" }),
  // One in January, two in February.
  issue("CMP-1", { createdAt: "2024-01-31T12:00:00Z" }),
  issue("CMP-2", { createdAt: "2024-02-01T12:00:00Z" }),
  issue("CMP-3", { createdAt: "2024-02-29T12:00:00Z" }),
  // Bugs: 1 of ada's 2, 1 of ben's 1, none of cy's 1. Only ada estimates.
  issue("RAT-1", {
    type: "Bug",
    assignee: "ada",
    storyPoints: 3,
    createdAt: "2024-05-01T12:00:00Z",
    resolvedAt: "2024-05-02T12:00:00Z",
    labels: ["ui", "api"],
  }),
  issue("RAT-2", {
    type: "Story",
    assignee: "ada",
    storyPoints: 2,
    createdAt: "2024-05-02T12:00:00Z",
    resolvedAt: "2024-05-05T12:00:00Z",
    labels: ["ui"],
  }),
  issue("RAT-3", { type: "Bug", assignee: "ben", createdAt: "2024-05-03T12:00:00Z", resolvedAt: "2024-05-04T12:00:00Z" }),
  issue("RAT-4", { type: "Story", assignee: "cy", createdAt: "2024-05-04T12:00:00Z" }),
  sprint("1", { startAt: "2024-05-01T00:00:00Z", completeAt: "2024-05-08T00:00:00Z" }),
  stay("1", "RAT-1", 120),
  stay("1", "RAT-2", 120),
  // The newest instant there is.
  issue("END-1", { createdAt: "2024-11-15T10:00:00Z" }),
];

interface Made {
  readonly pipeline: Pipeline;
  readonly observed: Observation[];
}

async function makePipeline(database: () => Promise<Database>, catalog = shippedCatalog()): Promise<Made> {
  const observed: Observation[] = [];
  const results = memoryResultStore<StoredResult>({ maxBytes: 2 ** 24, maxTenantBytes: 2 ** 24 });
  const pipeline = createPipeline({ catalog: await catalog, database, results, observe: (one) => observed.push(one), now: () => NOW });
  return { pipeline, observed };
}

const of = (project: string) => ({ field: "project_key", op: "=", values: [project] });
const column = ({ rows }: Asked, name: string) => rows.map((row) => row[name]);

/** The error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<AppError> {
  const thrown: unknown = await call.then(
    () => new Error("it was answered"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw thrown;
  return thrown;
}

describeOnEachDatabase("the pipeline", (get) => {
  let pipeline: Pipeline;
  let observed: Observation[];
  const on = (spec: Record<string, unknown>): Promise<Asked> => ask(pipeline, TENANT, spec);
  const created = [{ name: "issues_created", as: "n" }];

  beforeAll(async () => {
    await importInto(get().database, TENANT, { instanceId: "inst1", source: sourceOf(RECORDS) });
    ({ pipeline, observed } = await makePipeline(() => Promise.resolve(get().database)));
  });

  test("a day has the hours it has: 23 when clocks go forward, 25 when they go back", async () => {
    const spent = (from: string, to: string) =>
      on({
        measures: [{ name: "time_in_status", as: "hours" }],
        filters: [of("DST"), { field: "status", op: "=", value: "In Progress" }],
        time: { grain: "day", from, to },
      });
    const spring = await spent("2024-03-29", "2024-04-03");
    expect(column(spring, "time")).toEqual(["2024-03-29", "2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02"]);
    expect(column(spring, "hours")).toEqual([1, 24, 23, 24, 0]);
    expect(column(await spent("2024-10-26", "2024-10-30"), "hours")).toEqual([0, 25, 13, 0]);
  });

  test("a bucket follows the spec's zone", async () => {
    const months = async (timezone: string) =>
      (
        await on({ measures: created, filters: [of("ZONE")], timezone, time: { grain: "month", from: "2024-03-01", to: "2024-05-01" } })
      ).rows.map((row) => row["n"]);
    expect(await months("Europe/Prague")).toEqual([0, 1]);
    expect(await months("UTC")).toEqual([1, 0]);
  });

  test("weeks start on the tenant's day", async () => {
    const weeks = await on({ measures: created, filters: [of("WEEK")], time: { grain: "week", from: "2024-01-01", to: "2024-01-14" } });
    expect(weeks.rows).toEqual([
      { time: "2023-12-31", n: 1 },
      { time: "2024-01-07", n: 2 },
    ]);
    expect(weeks.result.meta.partial_buckets).toEqual(["2023-12-31"]);
  });

  test("a year before a week is the week of the same days", async () => {
    const weeks = await on({
      measures: created,
      filters: [of("WEEK")],
      time: { grain: "week", from: "2024-01-07", to: "2024-01-14", compare: "previous_year" },
    });
    expect(weeks.rows).toEqual([{ time: "2024-01-07", n: 2, n__previous: 1, n__delta_ratio: 1 }]);
  });

  test("the period before whole months are months, before days days", async () => {
    const against = async (time: Record<string, unknown>) =>
      await on({ measures: created, filters: [of("CMP")], time: { compare: "previous_period", ...time }, totals: true });
    const february = await against({ from: "2024-02-01", to: "2024-03-01" });
    expect(february.rows).toEqual([{ n: 2, n__previous: 1, n__delta_ratio: 1 }]);
    expect(february.totals).toEqual({ n: 2, n__previous: 1, n__delta_ratio: 1 });
    expect((await against({ from: "2024-02-01", to: "2024-02-11" })).rows).toEqual([{ n: 1, n__previous: 1, n__delta_ratio: 0 }]);
    expect((await against({ grain: "month", from: "2024-01-01", to: "2024-03-01" })).rows).toEqual([
      { time: "2024-01-01", n: 1, n__previous: 0, n__delta_ratio: null },
      { time: "2024-02-01", n: 2, n__previous: 0, n__delta_ratio: null },
    ]);
  });

  test("buckets that the data or the period covers in part are marked", async () => {
    const months = async (from: string, to: string) => (await on({ measures: created, time: { grain: "month", from, to } })).result.meta;
    expect(await months("2024-11-01", "2024-12-01")).toMatchObject({
      partial_buckets: ["2024-11-01"],
      data_as_of: "2024-11-15T10:00:00.000Z",
      timezone: "Europe/Prague",
    });
    expect((await months("2024-10-15", "2024-11-01")).partial_buckets).toEqual(["2024-10-01"]);
    expect((await months("2024-09-01", "2024-11-01")).partial_buckets).toEqual([]);
  });

  test("a ratio's total is the ratio of sums, over everything", async () => {
    const ratio = await on({ measures: [{ name: "bug_ratio" }], dimensions: ["assignee"], filters: [of("RAT")], totals: true });
    expect(ratio.rows).toEqual([
      { assignee: "ada", bug_ratio: 0.5 },
      { assignee: "ben", bug_ratio: 1 },
      { assignee: "cy", bug_ratio: 0 },
    ]);
    expect(ratio.totals).toEqual({ assignee: null, bug_ratio: 0.5 });
  });

  test("a condition on a measure leaves groups out, not rows", async () => {
    const asked = await on({
      measures: created,
      dimensions: ["assignee"],
      filters: [of("RAT"), { field: "n", op: ">=", value: 2 }],
      totals: true,
    });
    expect(asked.rows).toEqual([{ assignee: "ada", n: 2 }]);
    expect(asked.totals["n"]).toBe(4);
    expect(asked.result.data.total).toBe(1);
    expect(asked.result.meta.warnings.join()).toContain("The total covers everything");
    const between = await on({
      measures: created,
      dimensions: ["assignee"],
      filters: [
        of("RAT"),
        { field: "n", op: "between", values: [1, 1] },
        { field: "n", op: "not_in", values: [7] },
        { field: "n", op: "is_not_null" },
      ],
    });
    expect(column(between, "assignee")).toEqual(["ben", "cy"]);
  });

  test("unknown is null and comes last, whichever way the rows are sorted", async () => {
    const sorted = async (dir: string) =>
      (
        await on({
          measures: [{ name: "story_points_closed", as: "points" }],
          dimensions: ["assignee"],
          filters: [of("RAT")],
          sort: [{ field: "points", dir }],
        })
      ).rows;
    expect(await sorted("asc")).toEqual([
      { assignee: "ada", points: 5 },
      { assignee: "ben", points: null },
    ]);
    expect(await sorted("desc")).toEqual([
      { assignee: "ada", points: 5 },
      { assignee: "ben", points: null },
    ]);
    const named = await on({ measures: created, dimensions: ["assignee"], sort: [{ field: "assignee", dir: "desc" }] });
    expect(column(named, "assignee")).toEqual(["cy", "ben", "ada", null]);
  });

  test("an issue counts once under each of its labels and once in the total", async () => {
    const labels = await on({
      measures: created,
      dimensions: ["label"],
      filters: [of("RAT")],
      totals: true,
      sort: [{ field: "n", dir: "desc" }],
    });
    expect(labels.rows).toEqual([
      { label: "ui", n: 2 },
      { label: null, n: 2 },
      { label: "api", n: 1 },
    ]);
    expect(labels.totals["n"]).toBe(4);
    expect(labels.result.meta.warnings.join()).toContain("these groups overlap");
  });

  test.each([
    [{ field: "label", op: "=", value: "api" }, 1],
    [{ field: "label", op: "!=", value: "api" }, 3],
    [{ field: "label", op: "contains", value: "U" }, 2],
    [{ field: "label", op: "starts_with", value: "AP" }, 1],
    [{ field: "label", op: "is_null" }, 2],
    [{ field: "label", op: "is_not_null" }, 2],
    [{ field: "assignee", op: "not_in", values: ["ada", "ben"] }, 1],
    [{ field: "assignee", op: "contains", value: "E" }, 1],
    [{ field: "assignee", op: "starts_with", value: "A" }, 2],
    [{ field: "priority", op: "is_null" }, 4],
    [{ field: "priority", op: "!=", value: "High" }, 4],
    [{ field: "assignee", op: "is_not_null" }, 4],
    [{ field: "story_points", op: "=", value: 3 }, 1],
    [{ field: "story_points", op: "!=", value: 3 }, 3],
    [{ field: "story_points", op: "<", value: 3 }, 1],
    [{ field: "story_points", op: "is_null" }, 2],
    [{ field: "story_points", op: "between", values: [2, 3] }, 2],
    [{ field: "lead_time_days", op: ">", value: 2.5 }, 1],
    [{ field: "created_at", op: "=", value: "2024-05-02" }, 1],
    [{ field: "created_at", op: "!=", value: "2024-05-02" }, 3],
    [{ field: "created_at", op: ">", value: "2024-05-02" }, 2],
    [{ field: "created_at", op: "<=", value: "2024-05-02" }, 2],
    [{ field: "created_at", op: ">=", value: "2024-05-02T12:00:00Z" }, 3],
    [{ field: "created_at", op: ">", value: "2024-05-02T12:00:00Z" }, 2],
    [{ field: "created_at", op: "between", values: ["2024-05-02", "2024-05-03"] }, 2],
    [{ field: "created_at", op: "<", value: "2024-05-02" }, 1],
    [{ field: "created_at", op: "in", values: ["2024-05-01T12:00:00Z", "2024-05-04"] }, 2],
    [{ field: "created_at", op: "<=", value: "2024-05-02T12:00:00Z" }, 2],
    [{ field: "resolved_at", op: "is_null" }, 1],
    [{ field: "resolved_at", op: "is_not_null" }, 3],
  ])("of four issues the filter %j keeps %i", async (filter, count) => {
    expect((await on({ measures: created, filters: [of("RAT"), filter] })).rows).toEqual([{ n: count }]);
  });

  test("a value that the data lacks brings the nearest there is; a project without sprints is no typo", async () => {
    const warnings = async (spec: Record<string, unknown>) => (await on(spec)).result.meta.warnings.join("\n");
    expect(await warnings({ measures: created, filters: [{ field: "issue_type", op: "=", value: "bug" }] })).toContain(
      "no issue_type 'bug'; there is 'Bug'.",
    );
    expect(await warnings({ measures: created, filters: [{ field: "label", op: "in", values: ["ui", "uii"] }] })).toMatch(
      /^no label 'uii'; there is 'ui'\.$/m,
    );
    expect(await warnings({ measures: created, filters: [{ field: "assignee", op: "=", value: "zzzzzz" }] })).toContain(
      "list_values names those there are",
    );
    expect(await warnings({ measures: [{ name: "velocity" }], filters: [of("WEEK")] })).not.toContain("no project_key");
    expect(await warnings({ measures: [{ name: "velocity" }], filters: [of("RATS")] })).toContain("no project_key 'RATS'; there is 'RAT'.");
  });

  test("the stages pass in order, each observed and told", async () => {
    observed.length = 0;
    const told: string[] = [];
    await pipeline.run(testPrincipal(TENANT), { measures: created }, { onStage: (stage) => told.push(stage) });
    const stages = ["parse", "plan", "compile", "execute", "shape"];
    expect(told).toEqual(stages);
    expect(observed.flatMap((one) => (one.kind === "stage_finished" ? [one.stage] : []))).toEqual(stages);
    expect(observed.find((one) => one.kind === "query_finished")).toMatchObject({ tenantId: 1, outcome: "ok", rows: 1 });
    expect(observed.every((one) => "tenantId" in one && one.tenantId === 1)).toBe(true);
  });

  test("a dry run explains and runs nothing", async () => {
    const told: string[] = [];
    const { data, meta } = await pipeline.run(
      testPrincipal(TENANT),
      { measures: created, dimensions: ["status"], dry_run: true },
      { onStage: (stage) => told.push(stage) },
    );
    expect(told).toEqual(["parse", "plan", "compile", "execute"]);
    expect(data).toMatchObject({ rows: [], total: 0, next_cursor: null, columns: [{ name: "status" }, { name: "n" }] });
    expect(meta).toMatchObject({
      summary: "Not run: this is the plan.",
      warnings: [],
      result_id: "",
      explanation: { plan: { dimensions: [{ name: "status" }] } },
    });
    expect(meta.explanation?.statement).toContain('from "warehouse"."issue"');
    expect(meta.explanation?.estimate.cost).toBeGreaterThan(0);
  });

  test("a refused spec tells every problem, and runs nothing", async () => {
    observed.length = 0;
    const error = await failure(pipeline.run(testPrincipal(TENANT), { measures: [{ name: "leadtime" }], dimensions: ["x"], limit: 0 }));
    expect(error).toMatchObject({ code: "SPEC_INVALID", message: "The spec has 3 problems; nothing was run." });
    expect(error.details.problems?.map(({ path }) => path).toSorted()).toEqual(["dimensions[0]", "limit", "measures[0].name"]);
    expect(observed.map(({ kind }) => kind)).toEqual(["spec_refused", "stage_finished"]);
    expect((await failure(pipeline.run(testPrincipal(TENANT), null))).message).toContain("a problem");
    expect(await failure(on({ measures: created, time: { grain: "day", from: "1900-01-01", to: "2024-01-01" } }))).toMatchObject({
      code: "SPEC_INVALID",
      details: { problems: [{ code: "LIMIT_EXCEEDED" }] },
    });
  });

  test("pages of an answer; a cursor or handle that is not this caller's is not found", async () => {
    const principal = testPrincipal(TENANT);
    const first = await pipeline.run(principal, {
      measures: created,
      time: { grain: "day", from: "2024-01-01", to: "2024-05-01" },
      limit: 1000,
    });
    expect(first.data).toMatchObject({ total: 121, truncated: true });
    expect(first.data.rows).toHaveLength(50);
    const { result_id } = first.meta;
    const second = await pipeline.page(principal, { result_id, cursor: first.data.next_cursor, limit: 71 });
    expect([second.data.rows.length, second.data.next_cursor]).toEqual([71, null]);
    const whole = await pipeline.page(principal, { result_id, limit: 1000 });
    expect(whole.data.rows).toEqual([...first.data.rows, ...second.data.rows]);
    const absent = await failure(pipeline.page(principal, { result_id: "res_absent" }));
    const foreign = await failure(pipeline.page(testPrincipal(OTHER), { result_id }));
    const colleague = await failure(pipeline.page(testPrincipal(TENANT, "colleague"), { result_id }));
    for (const error of [absent, foreign, colleague])
      expect(error).toMatchObject({ code: "NOT_FOUND", message: absent.message, details: absent.details });
    for (const cursor of ["garbage", Buffer.from("o:121").toString("base64url")])
      expect(await failure(pipeline.page(principal, { result_id, cursor }))).toMatchObject({ code: "NOT_FOUND" });
    expect(await failure(pipeline.page(principal, { result_id, limit: 1001 }))).toMatchObject({
      code: "SPEC_INVALID",
      details: { problems: [{ code: "LIMIT_EXCEEDED", path: "limit" }] },
    });
  });

  test("the values of a dimension, searched and cut, with the group that has none", async () => {
    const values = (request: Parameters<Pipeline["values"]>[1]) => pipeline.values(testPrincipal(TENANT), request);
    expect(await values({ dimension: "assignee" })).toEqual({
      dimension: "assignee",
      values: [
        { value: null, issues: 11 },
        { value: "ada", issues: 2 },
        { value: "ben", issues: 1 },
        { value: "cy", issues: 1 },
      ],
      total: 4,
      truncated: false,
    });
    expect(await values({ dimension: "assignee", limit: 1 })).toMatchObject({ values: [{ value: null }], total: 4, truncated: true });
    expect(await values({ dimension: "label", search: "U" })).toEqual({
      dimension: "label",
      values: [{ value: "ui", issues: 2 }],
      total: 1,
      truncated: false,
    });
    expect(await values({ dimension: "label", search: "%" })).toEqual({ dimension: "label", values: [], total: 0, truncated: false });
    expect(await values({ dimension: "to_status" })).toMatchObject({ total: 2 });
    expect(await values({ dimension: "sprint_name", search: "" })).toMatchObject({ values: [{ value: "1", issues: 2 }] });
    expect(await failure(values({ dimension: "asignee" }))).toMatchObject({
      code: "SPEC_INVALID",
      details: { problems: [{ code: "UNKNOWN_DIMENSION", suggestion: "assignee" }] },
    });
    expect(await failure(values({ dimension: "summary" }))).toMatchObject({ details: { problems: [{ code: "UNKNOWN_DIMENSION" }] } });
    const bad = await failure(values({ dimension: "label", limit: 201, search: "x".repeat(501) }));
    expect(bad.details.problems?.map(({ path }) => path)).toEqual(["search", "limit"]);
    expect((await pipeline.values(testPrincipal(OTHER), { dimension: "assignee" })).values).toEqual([]);
  });

  test("another tenant sees none of it", async () => {
    const asked = await ask(pipeline, OTHER, { measures: created, dimensions: ["project_key"] });
    expect(asked.rows).toEqual([]);
    expect(asked.result.meta).toMatchObject({ data_as_of: null, warnings: ["No data has been imported for this tenant yet."] });
  });

  test("an older major version answers beside the present one and says so", async () => {
    const copy = copyCatalog();
    copy.write("metrics/lead-time-1.yaml", copy.read("metrics/lead-time.yaml"));
    copy.replace("metrics/lead-time.yaml", "version: 1.0.0", "version: 2.0.0");
    copy.replace("metrics/lead-time.yaml", "unit: days", "unit: hours");
    copy.replace("metrics/lead-time.yaml", "86400.0", "3600.0");
    await recordVersions(copy.directory);
    const versioned = await makePipeline(() => Promise.resolve(get().database), loadCatalog(copy.directory));
    const asked = await ask(versioned.pipeline, TENANT, {
      measures: [
        { name: "lead_time", as: "hours" },
        { name: "lead_time@1", as: "days" },
      ],
      filters: [of("RAT")],
    });
    expect(asked.rows).toEqual([{ hours: 24, days: 1 }]);
    expect(asked.result.meta.metrics_used).toEqual([
      { name: "lead_time", version: "2.0.0" },
      { name: "lead_time@1", version: "1.0.0" },
    ]);
    expect(asked.result.meta.deprecations).toEqual(["lead_time@1 is an older version (1.0.0); the present one is lead_time."]);
  });
});

test("whatever breaks below, callers meet an AppError without its text", async () => {
  const broken = await makePipeline(() => Promise.reject(new Error("password of postgres is hunter2")));
  const error = await failure(broken.pipeline.run(testPrincipal(TENANT), { measures: [{ name: "wip" }] }));
  expect(error.code).toBe("INTERNAL");
  expect(`${error.message}${JSON.stringify(error.details.next)}`).not.toContain("hunter2");
  expect((await failure(broken.pipeline.values(testPrincipal(TENANT), { dimension: "label" }))).code).toBe("INTERNAL");
  const away = await makePipeline(() => Promise.reject(new AppError("UNAVAILABLE", "The database is away.")));
  expect((await failure(away.pipeline.run(testPrincipal(TENANT), { measures: [{ name: "wip" }] }))).code).toBe("UNAVAILABLE");
});

describeOnNative("a statement that does not end", (get) => {
  /** Runs `call` while a lock keeps every reader of issues waiting. */
  const whileLocked = <T>(call: () => Promise<T>): Promise<T> =>
    get().asSuperuser(async (client) => {
      await client.query("begin; lock table warehouse.issue in access exclusive mode");
      try {
        return await call();
      } finally {
        await client.query("rollback");
      }
    });

  test("is cancelled by the caller", async () => {
    const { pipeline, observed } = await makePipeline(() => Promise.resolve(get().database));
    const error = await whileLocked(() =>
      failure(pipeline.run(testPrincipal(TENANT), { measures: [{ name: "issues_created" }] }, { signal: AbortSignal.timeout(200) })),
    );
    expect(error.code).toBe("CANCELLED");
    expect(observed).toContainEqual(expect.objectContaining({ kind: "query_finished", outcome: "CANCELLED" }));
    expect((await failure(pipeline.values(testPrincipal(TENANT), { dimension: "label" }, { signal: AbortSignal.abort() }))).code).toBe(
      "CANCELLED",
    );
  });

  test("is ended at its limit", async () => {
    const { database } = get();
    // The product's limit is 30 seconds; the same request with a fifth of one.
    const hurried: Database = {
      ...database,
      read: (request) =>
        database.read({
          ...request,
          timeoutMs: 200,
          prologue: request.prologue.replace("statement_timeout = 30000", "statement_timeout = 200"),
        }),
    };
    const { pipeline, observed } = await makePipeline(() => Promise.resolve(hurried));
    expect((await whileLocked(() => failure(pipeline.run(testPrincipal(TENANT), { measures: [{ name: "issues_created" }] })))).code).toBe(
      "TIMEOUT",
    );
    expect(observed).toContainEqual(expect.objectContaining({ kind: "query_finished", outcome: "TIMEOUT" }));
    expect((await pipeline.run(testPrincipal(TENANT), { measures: [{ name: "issues_created" }] })).data.total).toBeGreaterThanOrEqual(0);
  });
});
