import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { buildPlan, MAX_BUCKETS } from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { shippedCatalog } from "../support/answers.ts";

const catalog = await shippedCatalog();

function plan(input: unknown, weekStart = 1): Plan {
  const parsed = parseSpec(input, { catalog, defaultTimezone: "Europe/Prague", maxRows: 1000 });
  if (!("spec" in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return buildPlan(parsed.spec, { catalog, now: new Date("2024-06-15T22:30:00Z"), weekStart });
}

test("every metric by every aggregate and dimension plans to data that survives JSON", () => {
  for (const metric of catalog.metrics.values()) {
    for (const agg of metric.aggregates) {
      const made = plan({
        measures: [{ name: metric.name, agg }],
        dimensions: metric.dimensions.slice(0, 5),
        time: { grain: "month", range: "last_6_months", compare: "previous_year" },
        totals: true,
      });
      expect(JSON.parse(JSON.stringify(made))).toEqual(made);
      expect(made.outputs).toHaveLength(1);
    }
  }
});

test("a plan names no tenant and no table", () => {
  const text = JSON.stringify(plan({ measures: [{ name: "velocity" }, { name: "wip" }, { name: "status_changes" }] }));
  expect(text).not.toMatch(/tenant|warehouse|select /i);
});

test("a range is read in the spec's zone", () => {
  expect(plan({ measures: [{ name: "wip" }], time: { range: "last_7_days" } }).time).toMatchObject({
    from: "2024-06-10",
    to: "2024-06-17",
  });
  expect(plan({ measures: [{ name: "wip" }], time: { range: "last_7_days" }, timezone: "UTC" }).time).toMatchObject({
    from: "2024-06-09",
    to: "2024-06-16",
  });
  expect(plan({ measures: [{ name: "wip" }], time: { range: "this_week" } }, 7).time).toMatchObject({
    from: "2024-06-16",
    to: "2024-06-23",
  });
  expect(plan({ measures: [{ name: "wip" }] }).time).toEqual({ grain: null, from: null, to: null, compare: "none", shift: null });
});

test("too many buckets are refused with what would do, exactly enough are not", () => {
  const days = (to: string) => () => plan({ measures: [{ name: "issues_created" }], time: { grain: "day", from: "2000-01-01", to } });
  const last = new Date(Date.UTC(2000, 0, 1 + MAX_BUCKETS)).toISOString().slice(0, 10);
  const tooFar = new Date(Date.UTC(2000, 0, 2 + MAX_BUCKETS)).toISOString().slice(0, 10);
  expect(days(last)).not.toThrow();
  // An end far ahead, without a beginning: the data cannot be that long.
  const ahead = (to: string) => () => plan({ measures: [{ name: "issues_created" }], time: { grain: "day", to } });
  expect(ahead("2030-01-01")).not.toThrow();
  expect(ahead("9999-12-31")).toThrow(/day buckets are more than the 5000 allowed/);
  expect(days(tooFar)).toThrow(AppError);
  try {
    days("2024-01-01")();
  } catch (error) {
    expect(error).toMatchObject({
      code: "SPEC_INVALID",
      message: expect.stringContaining("about 8766 day buckets are more than the 5000 allowed; use a coarser grain"),
      details: { problems: [{ code: "LIMIT_EXCEEDED", path: "time.grain" }] },
    });
  }
  expect(() => plan({ measures: [{ name: "issues_created" }], time: { from: "2000-01-01", to: "2024-01-01" } })).not.toThrow();
});

test("sprints are closed ones unless the spec filters on their state", () => {
  const stateFilters = (input: unknown) =>
    plan(input).facts.flatMap(({ filters }) => filters.filter(({ field }) => field === "sprint_state"));
  expect(stateFilters({ measures: [{ name: "velocity" }] })).toEqual([
    { field: "sprint_state", op: "in", values: ["closed"], kind: "text" },
  ]);
  expect(stateFilters({ measures: [{ name: "velocity" }], filters: [{ field: "sprint_state", op: "=", value: "active" }] })).toEqual([
    { field: "sprint_state", op: "=", values: ["active"], kind: "text" },
  ]);
  expect(stateFilters({ measures: [{ name: "issues_created" }] })).toEqual([]);
});

test("measures over the same rows, time and unit share one pass; others do not", () => {
  const facts = (...names: string[]) => plan({ measures: names.map((name) => ({ name })) }).facts;
  expect(facts("issues_created", "bug_count", "bug_ratio", "escaped_defects").map(({ measures }) => measures.length)).toEqual([4]);
  expect(facts("issues_created", "issues_closed").map(({ time }) => time)).toEqual(["created_at", "resolved_at"]);
  expect(facts("velocity", "say_do_ratio").map(({ per }) => per)).toEqual([["sprint_no"]]);
  expect(facts("velocity", "sprint_problematic_score").map(({ score }) => score === null)).toEqual([true, false]);
});

test("time.field moves every measure's time", () => {
  const made = plan({ measures: [{ name: "issues_created" }, { name: "issues_closed" }], time: { grain: "month", field: "updated_at" } });
  expect(made.facts.map(({ time }) => time)).toEqual(["updated_at"]);
});

test("a derived metric is arithmetic over its parts, each by its own default", () => {
  const made = plan({ measures: [{ name: "net_flow" }] });
  expect(made.outputs[0]?.source).toEqual({
    expression: "issues_created - issues_closed",
    measures: { issues_created: "m1", issues_closed: "m2" },
  });
});

test("a condition on a measure is one on the answer, not on the rows", () => {
  const made = plan({
    measures: [{ name: "issues_created", as: "n" }],
    filters: [
      { field: "n", op: ">", value: 3 },
      { field: "status", op: "=", value: "Done" },
    ],
  });
  expect(made.having).toEqual([{ field: "n", op: ">", values: [3] }]);
  expect(made.facts[0]?.filters.map(({ field }) => field)).toEqual(["status"]);
});

test("percentiles, last and components become what a statement computes", () => {
  const aggregates = (name: string, agg: string) => plan({ measures: [{ name, agg }] }).facts[0]?.measures[0];
  expect(aggregates("lead_time", "p85")).toMatchObject({ aggregate: "quantile", fraction: 0.85 });
  expect(aggregates("wip", "last")).toMatchObject({ aggregate: "sum" });
  expect(aggregates("sprint_problematic_score", "churn_z")).toMatchObject({ aggregate: "avg", value: { score: "churn_z" } });
  expect(aggregates("sprint_problematic_score", "max")).toMatchObject({ aggregate: "max", value: { score: "score" } });
});

test("filter values are looked up where the field comes from, and only those that can be listed", () => {
  const checks = (name: string, field: string) =>
    plan({ measures: [{ name }], filters: [{ field, op: "=", value: "x" }] }).valueChecks.map(({ datasource }) => datasource);
  expect(checks("velocity", "project_key")).toEqual(["issues"]);
  expect(checks("velocity", "sprint_name")).toEqual(["sprint_members"]);
  expect(checks("wip", "status")).toEqual(["issue_states"]);
  expect(checks("issues_created", "status")).toEqual(["issues"]);
  expect(checks("status_changes", "from_status")).toEqual(["status_changes"]);
  expect(
    plan({
      measures: [{ name: "wip" }],
      filters: [
        { field: "summary", op: "=", value: "x" },
        { field: "status", op: "!=", value: "x" },
        { field: "story_points", op: "=", value: 1 },
      ],
    }).valueChecks,
  ).toEqual([]);
});
