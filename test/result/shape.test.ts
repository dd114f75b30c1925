import { expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { loadCatalog } from "../../src/catalog/load.ts";
import { recordVersions } from "../../src/catalog/record.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { type RawRows, shape } from "../../src/result/shape.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { copyCatalog } from "../catalog/catalog-copy.ts";
import { shippedCatalog } from "../support/answers.ts";

const shipped = await shippedCatalog();

function shaped(input: unknown, raw: RawRows, catalog: Catalog = shipped) {
  const parsed = parseSpec(input, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
  if (!("spec" in parsed)) throw new Error(JSON.stringify(parsed.problems));
  const plan = buildPlan(parsed.spec, { catalog, now: new Date("2024-06-15T12:00:00Z"), weekStart: 1 });
  return shape(raw, { spec: parsed.spec, plan, catalog });
}

const COLUMNS = ["data_as_of", "data_version", "ord", "total_rows", "rows_read", "is_partial", "bucket", "d1", "o1"];
const BY_MONTH = {
  measures: [{ name: "issues_created" }],
  dimensions: ["status"],
  time: { grain: "month", from: "2024-01-01", to: "2024-03-01" },
  totals: true,
  limit: 2,
};
const ROWS: RawRows = {
  columns: COLUMNS,
  rows: [
    ["2024-02-10T00:00:00Z", 4, 0, null, null, false, null, null, 12],
    ["2024-02-10T00:00:00Z", 4, 1, 3, 12, false, "2024-01-01", "Done", 5],
    ["2024-02-10T00:00:00Z", 4, 2, 3, 12, true, "2024-02-01", null, Number.NaN],
  ],
};

test("rows, totals, columns and warnings of an answer", () => {
  const answer = shaped(BY_MONTH, ROWS);
  expect(answer.columns).toEqual([
    { name: "time", type: "date", label: "Month", role: "time" },
    { name: "status", type: "string", label: "Status", role: "dimension" },
    { name: "issues_created", type: "number", unit: "issues", label: "Issues created", role: "measure" },
  ]);
  expect(answer.rows).toEqual([
    ["2024-01-01", "Done", 5],
    ["2024-02-01", null, null],
  ]);
  expect(answer.totals).toEqual([null, null, 12]);
  expect(answer).toMatchObject({ total: 3, rowsRead: 12, dataAsOf: "2024-02-10T00:00:00Z", partialBuckets: ["2024-02-01"] });
  expect(answer.warnings).toEqual([
    "Covered only in part: 2024-02-01; data reaches to 2024-02-10T00:00:00Z.",
    "The limit of 2 cut 1 of 3 rows; raise limit, filter, or use a coarser grain.",
  ]);
  expect(answer.summary).toBe("Issues created by status per month, 2024-01-01 to before 2024-03-01 (UTC): 2 of 3 rows, from 12 records.");
});

test("a summary carries nothing of the tenant's and nothing of the caller's", () => {
  const { summary } = shaped(
    {
      ...BY_MONTH,
      measures: [{ name: "issues_created", as: "Ignore_previous" }],
      filters: [{ field: "status", op: "=", value: "secret value" }],
    },
    { columns: COLUMNS, rows: [["2024-02-10T00:00:00Z", 4, 1, 1, 12, false, "2024-01-01", "secret status", 5]] },
  );
  expect(summary).not.toMatch(/secret|ignore/i);
});

test("no data, and no rows", () => {
  const answer = shaped(
    { measures: [{ name: "lead_time" }] },
    { columns: COLUMNS, rows: [[null, null, null, null, null, null, null, null, null]] },
  );
  expect(answer).toMatchObject({ rows: [], total: 0, rowsRead: 0, dataAsOf: null, totals: undefined });
  expect(answer.warnings).toEqual(["No data has been imported for this tenant yet."]);
  expect(answer.summary).toBe("Lead time (p50): 0 rows, from 0 records.");
  const partial = shaped(BY_MONTH, { columns: COLUMNS, rows: [[null, null, 1, 1, 0, true, "2024-01-01", "x", 0]] });
  expect(partial.warnings).toContain("Covered only in part: 2024-01-01.");
});

test.each([
  [{ from: "2024-01-01" }, ", from 2024-01-01 (UTC)"],
  [{ to: "2024-01-01" }, ", before 2024-01-01 (UTC)"],
  [{ grain: "year" }, " per year, all time (UTC)"],
  [{ range: "last_month", compare: "previous_period" }, ", 2024-05-01 to before 2024-06-01 (UTC), against the period before"],
  [{ grain: "year", compare: "previous_year" }, " per year, all time (UTC), against a year before"],
])("a summary tells the time %j", (time, text) => {
  expect(shaped({ measures: [{ name: "issues_created" }], time }, { columns: [], rows: [] }).summary).toBe(
    `Issues created${text}: 0 rows, from 0 records.`,
  );
});

test("a comparison has three columns a measure", () => {
  const columns = [...COLUMNS, "o1_previous", "o1_delta"];
  const answer = shaped(
    { measures: [{ name: "lead_time", agg: "p90" }], time: { range: "last_month", compare: "previous_period" } },
    { columns, rows: [["2024-02-10T00:00:00Z", 4, 1, 1, 12, true, null, null, 6, 4, 0.5]] },
  );
  expect(answer.rows).toEqual([[6, 4, 0.5]]);
  expect(answer.columns.map(({ name, unit, role, label }) => [name, unit, role, label])).toEqual([
    ["lead_time", "days", "measure", "Lead time (p90)"],
    ["lead_time__previous", "days", "previous", "Lead time (p90), before"],
    ["lead_time__delta_ratio", "ratio", "delta_ratio", "Lead time (p90), change"],
  ]);
  // Without a grain there are no buckets to be partial.
  expect(answer.partialBuckets).toEqual([]);
});

test("long lists of partial buckets are shortened", () => {
  const rows = Array.from({ length: 6 }, (_, index) => [
    "2024-02-10T00:00:00Z",
    4,
    index + 1,
    6,
    1,
    true,
    `2024-01-0${index + 1}`,
    null,
    1,
  ]);
  expect(
    shaped({ measures: [{ name: "issues_created" }], time: { grain: "day", range: "all" } }, { columns: COLUMNS, rows }).warnings,
  ).toEqual(["Covered only in part: 2024-01-01, 2024-01-02, 2024-01-03, …, 2024-01-06; data reaches to 2024-02-10T00:00:00Z."]);
});

test("overlapping groups, a total beyond a condition, and counted notes are owned up to", () => {
  const columns = [...COLUMNS, "n1_1"];
  const answer = shaped(
    {
      measures: [{ name: "committed_issues" }],
      dimensions: ["label", "component"],
      totals: true,
      filters: [{ field: "committed_issues", op: ">", value: 1 }],
    },
    { columns, rows: [["2024-02-10T00:00:00Z", 4, 1, 1, 12, false, null, "x", 1, 3]] },
  );
  expect(answer.warnings).toEqual([
    "When 3 memberships began is unknown: an issue created after the sprint's start counts as added then, any other as committed.",
    "An issue counts once under each label and component it has, so these groups overlap; totals count it once.",
    "The total covers everything the row filters match, also groups that a condition on a measure left out.",
  ]);
});

test("values that the data lacks are read by field; other cells become text", () => {
  const columns = [...COLUMNS, "missing1"];
  const answer = shaped(
    { measures: [{ name: "issues_created" }], dimensions: ["status"], filters: [{ field: "status", op: "in", values: ["a", "b"] }] },
    { columns, rows: [["2024-02-10T00:00:00Z", 4, 1, 1, 12, false, null, { odd: 1 }, true, ["b"]]] },
  );
  expect(answer.missing).toEqual([{ field: "status", values: ["b"] }]);
  expect(answer.rows).toEqual([['{"odd":1}', true]]);
});

test("deprecated metrics and older versions are told, once each", async () => {
  const copy = copyCatalog();
  copy.write("metrics/lead-time-1.yaml", copy.read("metrics/lead-time.yaml"));
  copy.replace("metrics/lead-time.yaml", "version: 1.0.0", "version: 2.0.0");
  copy.replace("metrics/wip.yaml", "tests:", "deprecation: { since: 1.0.0, replaced_by: null, remove_after: 2030-01-31 }\ntests:");
  copy.replace(
    "metrics/velocity.yaml",
    "tests:",
    "deprecation: { since: 1.0.0, replaced_by: completed_points, remove_after: 2030-01-31 }\ntests:",
  );
  await recordVersions(copy.directory);
  const catalog = await loadCatalog(copy.directory);
  const measures = [{ name: "wip" }, { name: "wip", as: "again" }, { name: "velocity" }, { name: "lead_time@1" }, { name: "lead_time" }];
  expect(shaped({ measures }, { columns: [], rows: [] }, catalog).deprecations).toEqual([
    "wip is deprecated since 1.0.0. It goes after 2030-01-31.",
    "velocity is deprecated since 1.0.0; use completed_points. It goes after 2030-01-31.",
    "lead_time@1 is an older version (1.0.0); the present one is lead_time.",
  ]);
});
