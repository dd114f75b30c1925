import { expect, test } from "vitest";
import { buildPlan } from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import type { Operator } from "../../src/spec/spec.ts";
import { compile } from "../../src/sql/compile.ts";
import type { Statement } from "../../src/sql/fragment.ts";
import { compileValues, explained } from "../../src/sql/values.ts";
import { shippedCatalog } from "../support/answers.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const catalog = await shippedCatalog();
const TENANT = testTenant({ id: 4711, timezone: "Europe/Prague", weekStart: 7 });
const PRINCIPAL = testPrincipal(TENANT);

function planOf(input: unknown): Plan {
  const parsed = parseSpec(input, { catalog, defaultTimezone: TENANT.timezone, maxRows: 1000 });
  if (!("spec" in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return buildPlan(parsed.spec, { catalog, now: new Date("2024-06-15T12:00:00Z"), weekStart: TENANT.weekStart });
}
const statementOf = (input: unknown): Statement => compile(planOf(input), PRINCIPAL, catalog);

/** Fails unless each naming of a base table has its own tenant condition on the first value; returns how many there are. */
function expectWalls({ text, values }: Statement, what: string): number {
  const named = [...text.matchAll(/"warehouse"\."\w+" as "(\w+)"/g)].map(({ 1: alias = "" }) => alias);
  expect(named.length, what).toBeGreaterThan(0);
  for (const alias of new Set(named)) {
    const walls = text.split(`"${alias}"."tenant_id" = $1::int`).length - 1;
    expect(walls, `${alias} in ${what}`).toBe(named.filter((own) => own === alias).length);
  }
  expect(text.match(/\bwarehouse\b/g), what).toHaveLength(named.length);
  expect(values[0]).toBe(4711);
  return named.length;
}

const TIMES = [
  undefined,
  { grain: "week" },
  { grain: "day", from: "2024-01-01", to: "2024-02-01", compare: "previous_period" },
  { range: "last_month", compare: "previous_year" },
  { grain: "month", to: "2024-01-01" },
];

/** Specs of every metric in every kind of time, with and without groups, totals and filters. */
function* manySpecs(): Generator<Record<string, unknown>> {
  for (const metric of catalog.metrics.values()) {
    for (const [index, time] of TIMES.entries()) {
      const field = metric.dimensions[index % metric.dimensions.length];
      yield {
        measures: [{ name: metric.name }, { name: metric.name, agg: metric.aggregates.at(-1), as: "other" }],
        time,
        dimensions: metric.dimensions.slice(0, index),
        totals: index % 2 === 0,
        filters: [
          { field, op: "in", values: ["a", "b"] },
          { field: "other", op: ">", value: 1 },
        ],
      };
    }
  }
}

test("law 1c: every base table of every statement is held to the tenant, whose id is the first value", () => {
  let tables = 0;
  for (const spec of manySpecs()) {
    const statement = statementOf(spec);
    tables += expectWalls(statement, JSON.stringify(spec));
    expect(statement.values.filter((value) => value === 4711)).toHaveLength(1);
  }
  expect(tables).toBeGreaterThan(1000);
});

test("the values of a dimension are held to the tenant too", () => {
  for (const { name } of [...catalog.dimensions.values()].filter((dimension) => !dimension.filter_only)) {
    const statement = compileValues({ dimension: name, search: "x'; --", limit: 7 }, PRINCIPAL, catalog);
    const { text, values } = statement;
    expectWalls(statement, name);
    expect(text).not.toContain("x'");
    expect(values).toEqual([4711, "x'; --", 7]);
  }
});

test("no placeholder without a value, no value without a placeholder", () => {
  for (const spec of manySpecs()) {
    const { text, values } = statementOf(spec);
    const used = new Set([...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
    expect([...used].toSorted((a, b) => a - b)).toEqual(values.map((_, index) => index + 1));
  }
});

test("the same plan gives the same statement, also after a JSON round trip", () => {
  for (const spec of manySpecs()) {
    const plan = planOf(spec);
    const first = compile(plan, PRINCIPAL, catalog);
    expect(compile(JSON.parse(JSON.stringify(plan)) as Plan, PRINCIPAL, catalog)).toEqual(first);
  }
});

const HOSTILE = [
  "h0stile'; drop table warehouse.issue; --",
  'h0stile" or 1=1',
  "h0stile $1 $2",
  "h0stile\\",
  "h0stile\n*/ select",
  "h0stile%_",
  "${h0stile}",
];
const TEXT_OPERATORS: Operator[] = ["=", "!=", "in", "not_in", "contains", "starts_with"];

test.each(HOSTILE)("what a caller wrote is a value and never text: %j", (written) => {
  for (const field of ["status", "label", "summary"]) {
    for (const op of TEXT_OPERATORS) {
      const { text, values } = statementOf({
        measures: [{ name: "issues_created" }],
        filters: [{ field, op, values: [written] }],
        totals: true,
        time: { grain: "day", range: "last_7_days" },
      });
      expect(text).not.toMatch(/h0stile/);
      expect(JSON.stringify(values)).toContain(JSON.stringify(written).slice(1, -1));
    }
  }
});

test("a name that a caller gives to a measure never reaches the text", () => {
  const { text, values } = statementOf({
    measures: [{ name: "issues_created", as: "Pwned_name" }],
    sort: [{ field: "Pwned_name", dir: "desc" }],
    filters: [{ field: "Pwned_name", op: ">", value: 5 }],
  });
  expect(text).not.toMatch(/pwned/i);
  expect(JSON.stringify(values)).not.toMatch(/pwned/i);
  expect(values).toContain(5);
});

test("dates, numbers, zone and limit are values", () => {
  const { text, values } = statementOf({
    measures: [{ name: "lead_time" }],
    timezone: "Asia/Tokyo",
    limit: 321,
    time: { grain: "month", from: "1987-06-05", to: "1991-02-03" },
    filters: [
      { field: "created_at", op: ">=", value: "1985-04-03" },
      { field: "resolved_at", op: "between", values: ["1986-01-02T03:04:05Z", "1999-01-01"] },
      { field: "story_points", op: "between", values: [76543, 76544] },
    ],
  });
  for (const written of ["Asia/Tokyo", "1987-06-05", "1991-02-03", "1985-04-03", "1986-01-02T03:04:05Z", "1999-01-01", 321, 76543, 76544]) {
    expect(values).toContain(written);
    expect(text).not.toContain(String(written));
  }
});

test("explaining changes nothing but the word before", () => {
  const statement = statementOf({ measures: [{ name: "wip" }] });
  expect(explained(statement)).toEqual({ text: `explain (format json) ${statement.text}`, values: statement.values });
});

test("a plan with more keys than a spec may have is a mistake of ours", () => {
  const plan = planOf({ measures: [{ name: "issues_created" }], dimensions: ["status"] });
  const dimension = plan.dimensions[0] ?? { name: "status", multiValued: false };
  expect(() => compile({ ...plan, dimensions: Array.from({ length: 7 }, () => dimension) }, PRINCIPAL, catalog)).toThrow(
    "expected at most 6 keys",
  );
  expect(() => compile({ ...plan, sort: [{ field: "nothing", dir: "asc" }] }, PRINCIPAL, catalog)).toThrow("expected output nothing");
  expect(() =>
    compile(
      { ...plan, time: { ...plan.time, grain: "month", compare: "none" }, facts: plan.facts.map((fact) => ({ ...fact, datasource: "x" })) },
      PRINCIPAL,
      catalog,
    ),
  ).toThrow("expected datasource x");
});

test.each([
  [
    "a count by month and type",
    { measures: [{ name: "issues_created" }], dimensions: ["issue_type"], time: { grain: "month", from: "2024-01-01", to: "2024-04-01" } },
  ],
  [
    "a sprint ratio with its total and a condition",
    {
      measures: [{ name: "say_do_ratio" }],
      dimensions: ["sprint_name"],
      totals: true,
      filters: [
        { field: "say_do_ratio", op: "<", value: 0.5 },
        { field: "label", op: "=", value: "ui" },
      ],
    },
  ],
  [
    "a state against the period before",
    { measures: [{ name: "wip" }], time: { grain: "week", from: "2024-01-07", to: "2024-02-04", compare: "previous_period" } },
  ],
])("golden statement: %s", async (name, spec) => {
  const { text, values } = statementOf(spec);
  await expect(`${text}\n\n-- ${JSON.stringify(values)}\n`).toMatchFileSnapshot(`../golden/statements/${name.replaceAll(" ", "-")}.sql`);
});
