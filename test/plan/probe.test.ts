import { expect, test } from "vitest";
import { buildPlan } from "../../src/plan/build.ts";
import { probeOf } from "../../src/plan/probe.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { compile } from "../../src/sql/compile.ts";
import { shippedCatalog } from "../support/answers.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const catalog = await shippedCatalog();
const SPAN = { firstDay: "2023-01-10", lastDay: "2024-01-20" };
const MEASURES = { measures: [{ name: "issues_created" }] };

function probe(input: Record<string, unknown>) {
  const parsed = parseSpec({ ...MEASURES, ...input }, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const plan = buildPlan(parsed.spec, { catalog, now: new Date("2024-06-15T12:00:00Z"), weekStart: 1 });
  return { plan, ...probeOf(plan, SPAN) };
}

test("ends that a plan leaves open are closed by the data's", () => {
  expect(probe({ time: { grain: "month", range: "all" } }).closed.time).toMatchObject({ from: "2023-01-09", to: "2024-01-22" });
  expect(probe({ time: { grain: "month", from: "2023-05-01" } }).closed.time).toMatchObject({ from: "2023-05-01", to: "2024-01-22" });
  const given = probe({ time: { grain: "day", from: "2023-05-01", to: "2023-05-11" } });
  expect([given.closed, given.buckets]).toEqual([given.plan, 10]);
  const none = probe({});
  expect([none.closed, none.buckets, none.groups]).toEqual([none.plan, 1, null]);
});

test("buckets are counted by the grain, twice where they are compared, and never none", () => {
  expect(probe({ time: { grain: "day", range: "all" } }).buckets).toBe(378);
  expect(probe({ time: { grain: "day", range: "all", compare: "previous_year" } }).buckets).toBe(756);
  expect(probe({ time: { grain: "year", range: "all" } }).buckets).toBe(2);
  expect(probe({ time: { grain: "day", from: "2030-01-01" } }).buckets).toBe(1);
});

test("groups are counted over one bucket, whatever the spec sorts, compares and conditions", () => {
  const { groups, closed } = probe({
    dimensions: ["issue_type"],
    time: { grain: "week", range: "all", compare: "previous_year" },
    sort: [
      { field: "issues_created__delta_ratio", dir: "desc" },
      { field: "time", dir: "asc" },
    ],
    filters: [{ field: "issues_created", op: ">", value: 1 }],
    totals: true,
  });
  expect(groups?.time).toEqual({ ...closed.time, grain: null, compare: "none", shift: null });
  for (const plan of [closed, groups])
    expect(plan && compile(plan, testPrincipal(testTenant({ id: 1 })), catalog).text).toContain("grid_stack");
  expect(probe({ dimensions: ["issue_type"] }).groups).toBeNull();
  expect(probe({ time: { grain: "week", range: "all" } }).groups).toBeNull();
});
