import { describe, expect, test } from "vitest";
import type { Problem } from "../../src/errors.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import type { Spec } from "../../src/spec/spec.ts";
import { shippedCatalog } from "../support/answers.ts";

const context = { catalog: await shippedCatalog(), defaultTimezone: "Europe/Prague", maxRows: 1000 };
const COUNT = { measures: [{ name: "issues_created" }] };

function spec(input: unknown): Spec {
  const parsed = parseSpec(input, context);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

function problems(input: unknown): readonly Problem[] {
  const parsed = parseSpec(input, context);
  if ("spec" in parsed) throw new Error("the spec was accepted");
  return parsed.problems;
}

/** The example of CONTRACT.md section 3. */
const EXAMPLE = {
  datasource: "warehouse",
  measures: [
    { name: "sprint_problematic_score", agg: "avg" },
    { name: "spillover_ratio", agg: "avg" },
  ],
  dimensions: ["project_key", "sprint_name"],
  time: { grain: "month", range: "last_12_months", from: null, to: null, field: "canonical", compare: "none" },
  filters: [
    { field: "instance_id", op: "in", values: ["inst1", "inst2"] },
    { field: "sprint_state", op: "=", values: ["closed"] },
  ],
  sort: [{ field: "sprint_problematic_score", dir: "desc" }],
  limit: 50,
  timezone: "Europe/Prague",
  totals: false,
  dry_run: false,
  chart: { type: "bar", x: "sprint_name", y: "sprint_problematic_score" },
};

describe("what is accepted", () => {
  test("the contract's example, with values and with value", () => {
    const withValue = {
      ...EXAMPLE,
      filters: [
        { field: "instance_id", op: "in", value: ["inst1", "inst2"] },
        { field: "sprint_state", op: "=", value: "closed" },
      ],
    };
    expect(spec(withValue)).toEqual(spec(EXAMPLE));
    expect(spec(EXAMPLE).filters[1]).toEqual({ field: "sprint_state", op: "=", values: ["closed"] });
  });

  test("only measures are needed; everything else has a value", () => {
    expect(spec(COUNT)).toEqual({
      datasource: "warehouse",
      measures: [{ name: "issues_created", agg: "sum", as: "issues_created" }],
      dimensions: [],
      time: null,
      filters: [],
      sort: [],
      limit: 100,
      timezone: "Europe/Prague",
      totals: false,
      dry_run: false,
      chart: null,
    });
  });

  test("null means absent, for every optional key", () => {
    const nulls = Object.fromEntries(
      ["datasource", "dimensions", "time", "filters", "sort", "limit", "timezone", "totals", "dry_run", "chart"].map((key) => [key, null]),
    );
    expect(spec({ measures: [{ name: "issues_created", agg: null, as: null }], ...nulls })).toEqual(spec(COUNT));
  });

  test("a spec survives a JSON round trip and parses to itself", () => {
    const first = spec(EXAMPLE);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
    expect(spec(first)).toEqual(first);
  });

  test("aliases and a metric's version resolve", () => {
    expect(spec({ measures: [{ name: "throughput" }] }).measures[0]?.name).toBe("issues_closed");
    expect(spec({ measures: [{ name: "lead_time@1" }] }).measures[0]?.name).toBe("lead_time");
  });

  test("one metric by two aggregates gets two column names", () => {
    const { measures } = spec({ measures: [{ name: "lead_time" }, { name: "lead_time", agg: "p90" }] });
    expect(measures.map((measure) => measure.as)).toEqual(["lead_time_p50", "lead_time_p90"]);
  });

  test("values are coerced by the field's type", () => {
    const { filters } = spec({
      ...COUNT,
      filters: [
        { field: "story_points", op: "between", values: ["3", " 8 "] },
        { field: "issue_key", op: "=", value: 12 },
        { field: "created_at", op: ">=", value: "2024-02-29" },
      ],
    });
    expect(filters.map((filter) => filter.values)).toEqual([[3, 8], ["12"], ["2024-02-29"]]);
  });

  test("a filter on a measure goes by its name, its alias or its as", () => {
    const measures = [{ name: "issues_closed", as: "done" }];
    for (const field of ["issues_closed", "throughput", "done"]) {
      expect(spec({ measures, filters: [{ field, op: ">", value: 3 }] }).filters).toEqual([{ field: "done", op: ">", values: [3] }]);
    }
  });

  test("sort by time, dimension, measure, comparison and by metric name", () => {
    const base = {
      measures: [{ name: "issues_created", as: "n" }],
      dimensions: ["project_key"],
      time: { grain: "week", range: "last_30_days", compare: "previous_period" },
    };
    const fields = ["time", "project_key", "n", "n__previous", "n__delta_ratio"];
    expect(spec({ ...base, sort: fields.map((field) => ({ field })) }).sort.map((one) => one.field)).toEqual(fields);
    expect(spec({ ...base, sort: [{ field: "issues_created", dir: "desc" }] }).sort).toEqual([{ field: "n", dir: "desc" }]);
  });

  test("a zone in another spelling becomes the canonical one", () => {
    expect(spec({ ...COUNT, timezone: "europe/PRAGUE" }).timezone).toBe("Europe/Prague");
  });
});

const big = "x".repeat(501);
/** input, code, path, and what the problem must offer. */
const REFUSED: readonly [string, unknown, string, string, Partial<Problem>?][] = [
  ["no object", "select 1", "SPEC_INVALID", ""],
  ["a list", [COUNT], "SPEC_INVALID", ""],
  ["null", null, "SPEC_INVALID", ""],
  ["no measures", {}, "SPEC_INVALID", "measures"],
  ["empty measures", { measures: [] }, "SPEC_INVALID", "measures"],
  ["measures that are a text", { measures: "issues_created" }, "SPEC_INVALID", "measures"],
  ["a measure that is a text", { measures: ["issues_created"] }, "SPEC_INVALID", "measures[0]"],
  ["a measure without a name", { measures: [{ agg: "sum" }] }, "SPEC_INVALID", "measures[0].name"],
  ["too many measures", { measures: Array.from({ length: 11 }, () => ({ name: "wip" })) }, "LIMIT_EXCEEDED", "measures"],
  ["an unknown key", { ...COUNT, where: "1=1" }, "SPEC_INVALID", "where"],
  ["a misspelt key", { ...COUNT, dimension: ["status"] }, "SPEC_INVALID", "dimension", { suggestion: "dimensions" }],
  ["an unknown key inside", { measures: [{ name: "wip", sql: "1" }] }, "SPEC_INVALID", "measures[0].sql"],
  ["a prototype key", JSON.parse('{"measures":[{"name":"wip"}],"__proto__":{"admin":true}}'), "SPEC_INVALID", "__proto__"],
  ["an unknown metric", { measures: [{ name: "leadtime" }] }, "UNKNOWN_MEASURE", "measures[0].name", { suggestion: "lead_time" }],
  ["an alias misspelt", { measures: [{ name: "troughput" }] }, "UNKNOWN_MEASURE", "measures[0].name", { suggestion: "issues_closed" }],
  ["a dimension as a measure", { measures: [{ name: "status" }] }, "UNKNOWN_MEASURE", "measures[0].name"],
  ["an unavailable metric", { measures: [{ name: "deployment_frequency" }] }, "UNKNOWN_MEASURE", "measures[0].name"],
  ["a major version that is not there", { measures: [{ name: "lead_time@7" }] }, "UNKNOWN_MEASURE", "measures[0].name"],
  [
    "an aggregate the metric lacks",
    { measures: [{ name: "issues_created", agg: "avg" }] },
    "BAD_VALUE",
    "measures[0].agg",
    { suggestion: "sum" },
  ],
  ["a bad column name", { measures: [{ name: "wip", as: "a b" }] }, "BAD_VALUE", "measures[0].as"],
  [
    "two columns of one name",
    {
      measures: [
        { name: "wip", as: "n" },
        { name: "backlog_open", as: "n" },
      ],
    },
    "BAD_VALUE",
    "measures[1].as",
    { suggestion: "n_2" },
  ],
  [
    "a column called like a dimension",
    { measures: [{ name: "wip", as: "status" }], dimensions: ["status"] },
    "BAD_VALUE",
    "measures[0].as",
  ],
  ["an unknown dimension", { ...COUNT, dimensions: ["projct"] }, "UNKNOWN_DIMENSION", "dimensions[0]", { suggestion: "project_key" }],
  ["time as a dimension", { ...COUNT, dimensions: ["month"] }, "UNKNOWN_DIMENSION", "dimensions[0]"],
  ["a metric as a dimension", { ...COUNT, dimensions: ["wip"] }, "UNKNOWN_DIMENSION", "dimensions[0]"],
  ["a date as a dimension", { ...COUNT, dimensions: ["created_at"] }, "UNKNOWN_DIMENSION", "dimensions[0]"],
  ["a number as a dimension", { ...COUNT, dimensions: ["story_points"] }, "UNKNOWN_DIMENSION", "dimensions[0]"],
  ["a dimension twice", { ...COUNT, dimensions: ["status", "status"] }, "BAD_VALUE", "dimensions[1]"],
  [
    "too many dimensions",
    { ...COUNT, dimensions: ["status", "priority", "label", "component", "assignee", "reporter"] },
    "LIMIT_EXCEEDED",
    "dimensions",
  ],
  ["a dimension the measure lacks", { ...COUNT, dimensions: ["sprint_name"] }, "INCOMPATIBLE", "dimensions[0]"],
  [
    "an unknown field",
    { ...COUNT, filters: [{ field: "issuetype", op: "=", value: "Bug" }] },
    "UNKNOWN_FIELD",
    "filters[0].field",
    { suggestion: "issue_type" },
  ],
  ["a metric that was not requested", { ...COUNT, filters: [{ field: "wip", op: ">", value: 1 }] }, "UNKNOWN_FIELD", "filters[0].field"],
  [
    "a field the measure lacks",
    { ...COUNT, filters: [{ field: "sprint_state", op: "=", value: "closed" }] },
    "INCOMPATIBLE",
    "filters[0].field",
  ],
  [
    "an unknown operator",
    { ...COUNT, filters: [{ field: "status", op: "==", value: "x" }] },
    "BAD_OPERATOR",
    "filters[0].op",
    { suggestion: "=" },
  ],
  ["an operator that does not fit", { ...COUNT, filters: [{ field: "status", op: ">", value: "x" }] }, "BAD_OPERATOR", "filters[0].op"],
  ["contains on a number", { ...COUNT, filters: [{ field: "story_points", op: "contains", value: "3" }] }, "BAD_OPERATOR", "filters[0].op"],
  ["values and value", { ...COUNT, filters: [{ field: "status", op: "=", value: "x", values: ["y"] }] }, "BAD_VALUE", "filters[0]"],
  ["no value", { ...COUNT, filters: [{ field: "status", op: "=" }] }, "BAD_VALUE", "filters[0].values"],
  [
    "several values for =",
    { ...COUNT, filters: [{ field: "status", op: "=", values: ["a", "b"] }] },
    "BAD_VALUE",
    "filters[0].values",
    { suggestion: "in" },
  ],
  [
    "several values for !=",
    { ...COUNT, filters: [{ field: "status", op: "!=", values: ["a", "b"] }] },
    "BAD_VALUE",
    "filters[0].values",
    { suggestion: "not_in" },
  ],
  [
    "one value for between",
    { ...COUNT, filters: [{ field: "story_points", op: "between", values: ["1"] }] },
    "BAD_VALUE",
    "filters[0].values",
  ],
  ["an empty in", { ...COUNT, filters: [{ field: "status", op: "in", values: [] }] }, "BAD_VALUE", "filters[0].values"],
  ["a value for is_null", { ...COUNT, filters: [{ field: "status", op: "is_null", values: ["x"] }] }, "BAD_VALUE", "filters[0].values"],
  [
    "a text for a number",
    { ...COUNT, filters: [{ field: "story_points", op: ">", values: ["high"] }] },
    "BAD_VALUE",
    "filters[0].values[0]",
  ],
  ["nothing for a number", { ...COUNT, filters: [{ field: "story_points", op: ">", value: " " }] }, "BAD_VALUE", "filters[0].value"],
  ["infinity", { ...COUNT, filters: [{ field: "story_points", op: ">", value: "1e999" }] }, "BAD_VALUE", "filters[0].value"],
  ["true for a number", { ...COUNT, filters: [{ field: "story_points", op: "=", value: true }] }, "BAD_VALUE", "filters[0].value"],
  [
    "a day that does not exist",
    { ...COUNT, filters: [{ field: "created_at", op: ">", value: "2023-02-29" }] },
    "BAD_VALUE",
    "filters[0].value",
  ],
  [
    "a local time",
    { ...COUNT, filters: [{ field: "created_at", op: "in", value: ["2024-01-01", "2024-01-01T10:00:00"] }] },
    "BAD_VALUE",
    "filters[0].value[1]",
  ],
  ["an object as a value", { ...COUNT, filters: [{ field: "status", op: "=", value: { $ne: 1 } }] }, "BAD_VALUE", "filters[0].value"],
  ["too long a text", { ...COUNT, filters: [{ field: "status", op: "=", value: big }] }, "LIMIT_EXCEEDED", "filters[0].value"],
  ["a NUL", { ...COUNT, filters: [{ field: "status", op: "=", values: ["a\0b"] }] }, "BAD_VALUE", "filters[0].values[0]"],
  ["half a surrogate pair", { ...COUNT, filters: [{ field: "status", op: "=", values: ["\uD800"] }] }, "BAD_VALUE", "filters[0].values[0]"],
  [
    "too many filters",
    { ...COUNT, filters: Array.from({ length: 21 }, () => ({ field: "status", op: "is_null" })) },
    "LIMIT_EXCEEDED",
    "filters",
  ],
  ["filters that are an object", { ...COUNT, filters: { field: "status" } }, "SPEC_INVALID", "filters"],
  ["an unknown grain", { ...COUNT, time: { grain: "monthly" } }, "BAD_VALUE", "time.grain", { suggestion: "month" }],
  ["an unknown range", { ...COUNT, time: { range: "last_7_day" } }, "BAD_VALUE", "time.range", { suggestion: "last_7_days" }],
  ["a bad date", { ...COUNT, time: { from: "01/02/2024" } }, "BAD_VALUE", "time.from"],
  ["range and from", { ...COUNT, time: { range: "last_7_days", from: "2024-01-01" } }, "BAD_VALUE", "time.range"],
  ["to before from", { ...COUNT, time: { from: "2024-02-01", to: "2024-01-01" } }, "BAD_VALUE", "time.to"],
  ["time as a text", { ...COUNT, time: "last month" }, "SPEC_INVALID", "time"],
  ["a period before all time", { ...COUNT, time: { grain: "month", compare: "previous_period" } }, "BAD_VALUE", "time.compare"],
  ["a year before all time", { ...COUNT, time: { compare: "previous_year" } }, "BAD_VALUE", "time.compare"],
  [
    "an unknown time field",
    { ...COUNT, time: { grain: "month", field: "created" } },
    "UNKNOWN_FIELD",
    "time.field",
    { suggestion: "created_at" },
  ],
  [
    "a time field a snapshot cannot have",
    { measures: [{ name: "wip" }], time: { grain: "month", field: "created_at" } },
    "INCOMPATIBLE",
    "time.field",
    { suggestion: "canonical" },
  ],
  ["a time field the measure lacks", { ...COUNT, time: { field: "sprint_start_at" } }, "INCOMPATIBLE", "time.field"],
  ["an unknown sort column", { ...COUNT, sort: [{ field: "created" }] }, "UNKNOWN_FIELD", "sort[0].field"],
  ["sort by time without one", { ...COUNT, sort: [{ field: "time" }] }, "UNKNOWN_FIELD", "sort[0].field"],
  ["a bad direction", { ...COUNT, sort: [{ field: "issues_created", dir: "down" }] }, "BAD_VALUE", "sort[0].dir"],
  ["a limit of 0", { ...COUNT, limit: 0 }, "BAD_VALUE", "limit"],
  ["a limit beyond", { ...COUNT, limit: 1001 }, "LIMIT_EXCEEDED", "limit", { suggestion: "1000" }],
  ["half a row", { ...COUNT, limit: 1.5 }, "BAD_VALUE", "limit"],
  ["an unknown zone", { ...COUNT, timezone: "Prague" }, "BAD_VALUE", "timezone", { suggestion: "Europe/Prague" }],
  ["an offset as a zone", { ...COUNT, timezone: "+02:00" }, "BAD_VALUE", "timezone"],
  ["SQL as a zone", { ...COUNT, timezone: "UTC'; drop table x; --" }, "BAD_VALUE", "timezone"],
  ["an unknown datasource", { ...COUNT, datasource: "public" }, "BAD_VALUE", "datasource", { suggestion: "warehouse" }],
  ["yes for totals", { ...COUNT, totals: "yes" }, "BAD_VALUE", "totals"],
  ["an unknown chart", { ...COUNT, chart: { type: "piechart" } }, "CHART_INVALID", "chart.type", { suggestion: "pie" }],
  ["a chart of another column", { ...COUNT, chart: { type: "bar", x: "status", y: "issues_created" } }, "CHART_INVALID", "chart.x"],
  ["an unknown theme", { ...COUNT, chart: { theme: "neon" } }, "CHART_INVALID", "chart.theme"],
  ["raw Vega", { ...COUNT, chart: { mark: "bar" } }, "SPEC_INVALID", "chart.mark"],
];

describe("what is refused, and what to write instead", () => {
  test.each(REFUSED)("%s", (_what, input, code, path, offers = {}) => {
    const found = problems(input);
    expect(found).toContainEqual(expect.objectContaining({ code, path, ...offers }));
    for (const one of found) {
      expect(one.message.length).toBeGreaterThan(10);
      expect(one.message).not.toMatch(/undefined|\[object|zod/i);
    }
  });

  test("all problems come at once, those of one filter too", () => {
    const found = problems({
      measures: [{ name: "leadtime" }, { name: "velocity", agg: "p99" }],
      dimensions: ["projct"],
      time: { grain: "monthly", from: "2024-13-01" },
      filters: [
        { field: "issue_typ", op: "==", values: ["x"] },
        { field: "story_points", op: ">", values: ["high"] },
      ],
      limit: 5000,
      timezone: "Prague",
      foo: 1,
    });
    const paths = [
      "foo",
      "measures[0].name",
      "measures[1].agg",
      "dimensions[0]",
      "time.grain",
      "time.from",
      "filters[0].field",
      "filters[0].op",
      "filters[1].values[0]",
      "limit",
      "timezone",
    ];
    expect(found.map((one) => one.path).toSorted()).toEqual(paths.toSorted());
  });

  test("a refused dimension names those that every measure has", () => {
    const [found] = problems({ measures: [{ name: "issues_created" }, { name: "velocity" }], dimensions: ["sprint_name"] });
    expect(found?.message).toContain("issues_created");
    expect(found?.allowed).toContain("project_key");
    expect(found?.allowed).not.toContain("sprint_name");
  });

  test("what a caller wrote is repeated bounded, quoted and on one line", () => {
    const [found] = problems({ measures: [{ name: `\u001b[31m\n${"A".repeat(300)}` }] });
    expect(found?.message.length).toBeLessThan(200);
    expect(found?.message).not.toMatch(/[\p{Cc}]/u);
  });
});

const HOSTILE = [
  "'; drop table warehouse.issue; --",
  "1 or 1=1",
  "$1",
  "${x}",
  "\\",
  "%",
  "_",
  "constructor",
  "toString",
  "<script>",
  "\u202Eevil",
  "🙂".repeat(50),
];

test.each(HOSTILE)("hostile text is refused or a value: %j", (text) => {
  expect(spec({ ...COUNT, filters: [{ field: "status", op: "contains", values: [text] }] }).filters[0]?.values).toEqual([text]);
  const positions: unknown[] = [
    { measures: [{ name: text }] },
    { measures: [{ name: "wip", agg: text }] },
    { measures: [{ name: "wip", as: text === "constructor" || text === "toString" ? "1" : text }] },
    { ...COUNT, dimensions: [text] },
    { ...COUNT, filters: [{ field: text, op: "=", value: "x" }] },
    { ...COUNT, filters: [{ field: "status", op: text, value: "x" }] },
    { ...COUNT, sort: [{ field: text }] },
    { ...COUNT, time: { grain: text } },
    { ...COUNT, time: { field: text } },
    { ...COUNT, timezone: text },
    { ...COUNT, chart: { type: text } },
    { ...COUNT, datasource: text },
    { ...COUNT, [text]: 1 },
  ];
  for (const input of positions) expect(problems(input).length).toBeGreaterThan(0);
});
