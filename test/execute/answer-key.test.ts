import fc from "fast-check";
import { expect, test } from "vitest";
import { answerKey, type KeyParts } from "../../src/execute/answer-key.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { dayIn } from "../../src/plan/calendar.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { GRAINS, RANGES } from "../../src/spec/spec.ts";
import { compile } from "../../src/sql/compile.ts";
import { SCOPES } from "../../src/tenant.ts";
import { shippedCatalog } from "../support/answers.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const catalog = await shippedCatalog();

const names = fc.option(fc.uniqueArray(fc.constantFrom("a", "b", "a,b", '"', "", "A"), { maxLength: 3 }), { nil: undefined });
const allowList = fc
  .record({ metrics: names, projects: names, instances: names })
  .map((lists) => Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined)) as { metrics?: string[] });
const principals = fc
  .record({
    id: fc.constantFrom(1, 2, 12),
    weekStart: fc.constantFrom(1, 7),
    user: fc.constantFrom("ann", "ben"),
    scopes: fc.subarray([...SCOPES]),
    allowed: allowList,
  })
  .map(({ id, weekStart, user, scopes, allowed }) => testPrincipal(testTenant({ id, weekStart }), user, { scopes, allowed }));
const values = fc.array(fc.constantFrom("Bug", "Story", "Bug,Story", '"Bug"', "1", ""), { minLength: 1, maxLength: 3 });
const specs = fc.record(
  {
    measures: fc.subarray(["issues_created", "lead_time", "bug_ratio"], { minLength: 1 }).map((all) => all.map((name) => ({ name }))),
    dimensions: fc.subarray(["issue_type", "project_key", "priority"]),
    time: fc.record({
      grain: fc.constantFrom(...GRAINS),
      range: fc.constantFrom(...RANGES),
      compare: fc.constantFrom("none", "previous_year"),
    }),
    filters: values.map((list) => [{ field: "issue_type", op: "in", values: list }]),
    limit: fc.constantFrom(1, 10, 11),
    timezone: fc.constantFrom("UTC", "Europe/Prague"),
    totals: fc.boolean(),
    chart: fc.constantFrom(null, { type: "bar" }),
  },
  { requiredKeys: ["measures"] },
);
const instants = fc.constantFrom("2024-06-15T12:00:00Z", "2024-06-15T13:00:00Z", "2024-06-15T23:30:00Z", "2024-06-16T12:00:00Z");
const versions = fc.constantFrom("1@5", "1@6", "2@5");

const asked = fc.tuple(principals, specs, instants, versions).map(([principal, input, instant, dataVersion]): KeyParts => {
  const { tenant } = principal;
  const now = new Date(instant);
  const parsed = parseSpec(input, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { spec } = parsed;
  const plan = buildPlan(spec, { catalog, now, weekStart: tenant.weekStart });
  const about = [catalog.version, catalog.hash, spec, plan, dayIn(spec.timezone, now)];
  return { principal, dataVersion, statement: compile(plan, principal, catalog), about };
});

/** What decides an answer, compared part by part rather than by one text. */
function isSame(a: KeyParts, b: KeyParts): boolean {
  const sorted = (list: readonly string[] | undefined) => list && JSON.stringify(list.toSorted());
  const alike = (x: unknown, y: unknown): boolean => JSON.stringify(x) === JSON.stringify(y);
  const [left, right] = [a.principal, b.principal];
  return (
    left.tenant.id === right.tenant.id &&
    left.tenant.weekStart === right.tenant.weekStart &&
    sorted(left.scopes) === sorted(right.scopes) &&
    (["metrics", "projects", "instances"] as const).every((name) => sorted(left.allowed[name]) === sorted(right.allowed[name])) &&
    a.dataVersion === b.dataVersion &&
    a.statement.text === b.statement.text &&
    alike(a.statement.values, b.statement.values) &&
    alike(a.about, b.about)
  );
}

test("two questions share a key exactly where nothing that decides their answers differs", () => {
  let same = 0;
  const mutated = fc.tuple(asked, asked, fc.subarray(["principal", "dataVersion", "statement", "about"] as const)).map(([a, b, taken]) => {
    const mixed = { ...a };
    for (const part of taken) Object.assign(mixed, { [part]: b[part] });
    return [a, mixed] as const;
  });
  fc.assert(
    fc.property(mutated, ([a, b]) => {
      if (isSame(a, b)) same += 1;
      expect(answerKey(a) === answerKey(b)).toBe(isSame(a, b));
    }),
    { numRuns: 1500 },
  );
  expect(same).toBeGreaterThan(50);
});

test("users with the same rights share an answer, others never", () => {
  const parts = { dataVersion: "1@1", statement: { text: "select 1", values: [1, "a"] }, about: {} };
  const key = (principal: KeyParts["principal"]) => answerKey({ ...parts, principal });
  const tenant = testTenant({ id: 1 });
  const ann = testPrincipal(tenant, "ann");
  expect(key(testPrincipal(tenant, "ben"))).toBe(key(ann));
  expect(key(testPrincipal(tenant, "ann", { allowed: { projects: ["B", "A"] } }))).toBe(
    key(testPrincipal(tenant, "ann", { allowed: { projects: ["A", "B"] } })),
  );
  const different = [
    ann,
    testPrincipal(testTenant({ id: 2 }), "ann"),
    testPrincipal(tenant, "ann", { scopes: [] }),
    testPrincipal(tenant, "ann", { allowed: { metrics: [] } }),
    testPrincipal(tenant, "ann", { allowed: { projects: [] } }),
    testPrincipal(tenant, "ann", { allowed: { instances: ["a"] } }),
    testPrincipal(tenant, "ann", { allowed: { projects: ["a"] } }),
    testPrincipal(tenant, "ann", { allowed: { projects: ["a,b"] } }),
    testPrincipal(tenant, "ann", { allowed: { projects: ["a", "b"] } }),
  ].map(key);
  expect(new Set(different).size).toBe(different.length);
});
