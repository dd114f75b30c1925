import fc from "fast-check";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { must } from "../../src/must.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { COMPARES, GRAINS, RANGES, type Spec } from "../../src/spec/spec.ts";
import { addDays } from "./calendar.ts";
import { WORDS, type World, WORLD_DAYS, ZONES } from "./world.ts";

const known = <T>(values: readonly (T | null)[]): T[] => values.filter((value) => value !== null);

/** Values to filter by; some that no data has. */
const VALUES: Record<string, readonly string[]> = {
  instance_id: ["one", "two", "nowhere"],
  project_key: ["A", "B", "Z"],
  project_name: ["Project A of one", "Project B of two"],
  issue_type: known<string>(WORDS.types),
  priority: ["High", "high"],
  status: [...WORDS.statuses],
  status_category: ["new", "in_progress", "done"],
  resolution: ["Fixed"],
  assignee: known<string>(WORDS.people),
  reporter: known<string>(WORDS.people),
  label: [...WORDS.labels],
  component: [...WORDS.components],
  fix_version: [...WORDS.versions],
  epic_key: ["A-1"],
  issue_key: ["A-1", "A-2", "A-10"],
  from_status: [...WORDS.statuses],
  to_status: [...WORDS.statuses],
  sprint_id: ["1", "2"],
  sprint_name: ["oneSprint 1", "twoSprint 2"],
  sprint_state: ["closed", "active", "future"],
  board_id: ["1", "2"],
  summary: ["login", "50% off_", "%", "Log"],
};

const NUMBERS: Record<string, readonly number[]> = {
  story_points: [0, 1, 2, 3.5],
  lead_time_days: [0, 3.3, 10.1],
  cycle_time_days: [0, 3.3, 10.1],
};

function filterOf(field: string, day: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const isText = VALUES[field] !== undefined;
  const value: fc.Arbitrary<string | number> = isText
    ? fc.constantFrom(...must(VALUES[field], field))
    : NUMBERS[field] === undefined
      ? fc.oneof(
          day,
          day.map((date) => `${date}T10:30:00Z`),
        )
      : fc.constantFrom(...NUMBERS[field]);
  const single = isText ? ["=", "!=", "contains", "starts_with"] : ["=", "!=", ">", ">=", "<", "<="];
  const ops = [
    fc.record({ field: fc.constant(field), op: fc.constantFrom(...single), values: fc.tuple(value) }),
    fc.record({ field: fc.constant(field), op: fc.constantFrom("in", "not_in"), values: fc.array(value, { minLength: 1, maxLength: 3 }) }),
    fc.record({ field: fc.constant(field), op: fc.constantFrom("is_null", "is_not_null") }),
    ...(isText ? [] : [fc.record({ field: fc.constant(field), op: fc.constant("between"), values: fc.tuple(value, value) })]),
  ];
  return fc.oneof(...ops);
}

const HAVING = fc.oneof(
  fc.record({ op: fc.constantFrom(">", ">=", "<", "<=", "=", "!="), values: fc.tuple(fc.constantFrom(0, 1, 2, 5.123)) }),
  fc.record({ op: fc.constantFrom("is_null", "is_not_null") }),
  fc.constant({ op: "between", values: [0.5, 20] }),
);

function timeOf(firstDay: string): fc.Arbitrary<unknown> {
  const day = fc.integer({ min: -10, max: WORLD_DAYS + 10 }).map((days) => addDays(firstDay, days));
  const month = fc.integer({ min: 0, max: 3 }).map((months) => `${addDays(firstDay, months * 31).slice(0, 7)}-01`);
  const bounds = fc.tuple(fc.oneof(day, month), fc.oneof(day, month)).map((two) => two.toSorted());
  const span = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...RANGES).map((range) => ({ range })) },
    { weight: 5, arbitrary: bounds.map(([from, to]) => ({ from, to })) },
    { weight: 1, arbitrary: day.map((from) => ({ from })) },
    { weight: 1, arbitrary: day.map((to) => ({ to })) },
    { weight: 2, arbitrary: fc.constant({}) },
  );
  const rest = fc.record(
    {
      grain: fc.constantFrom(...GRAINS, "week", "month"),
      compare: fc.constantFrom(...COMPARES),
      field: fc.constantFrom(
        "canonical",
        "canonical",
        "canonical",
        "created_at",
        "resolved_at",
        "updated_at",
        "sprint_start_at",
        "sprint_complete_at",
      ),
    },
    { requiredKeys: [] },
  );
  return fc.tuple(span, rest).map(([one, other]) => ({ ...one, ...other }));
}

/** Specs that are likely, not sure, to be valid; `specsFor` keeps those that are. */
function likely(catalog: Catalog, world: World, only?: string): fc.Arbitrary<unknown> {
  const firstDay = addDays(world.now.toISOString().slice(0, 10), -WORLD_DAYS);
  const day = fc.integer({ min: 0, max: WORLD_DAYS }).map((days) => addDays(firstDay, days));
  const names = [...catalog.metrics.keys()];
  const wanted = only === undefined ? fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }) : fc.constant([only]);
  return wanted.chain((metrics) => {
    const definitions = metrics.map((name) => must(catalog.metrics.get(name), name));
    const shared = (lists: readonly (readonly string[])[]): string[] =>
      (lists[0] ?? []).filter((name) => lists.every((list) => list.includes(name)));
    const dimensions = shared(definitions.map((one) => one.dimensions));
    const fields = shared(definitions.map((one) => one.fields));
    const measures = fc.tuple(
      ...definitions.map((one, index) =>
        fc.record({ name: fc.constant(one.name), as: fc.constant(`m${index}`), agg: fc.constantFrom(...one.aggregates) }),
      ),
    );
    const having = fc.tuple(fc.nat(metrics.length - 1), HAVING).map(([index, condition]) => ({ field: `m${index}`, ...condition }));
    const sorts = fc.constantFrom(...dimensions, ...metrics.map((_, index) => `m${index}`), "time", "m0__delta_ratio", "m0__previous");
    return fc.record(
      {
        measures,
        dimensions: fc.subarray(dimensions, { maxLength: 2 }),
        filters: fc
          .tuple(
            fc.array(
              fc.constantFrom(...fields).chain((field) => filterOf(field, day)),
              { maxLength: 2 },
            ),
            fc.array(having, { maxLength: 1 }),
          )
          .map((two) => two.flat()),
        time: timeOf(firstDay),
        sort: fc.uniqueArray(fc.record({ field: sorts, dir: fc.constantFrom("asc", "desc") }), {
          maxLength: 2,
          selector: (one) => one.field,
        }),
        timezone: fc.constantFrom(...ZONES),
        totals: fc.boolean(),
        limit: fc.constantFrom(1, 7, 1000, 1000),
      },
      { requiredKeys: ["measures"] },
    );
  });
}

export interface Question {
  readonly input: unknown;
  readonly spec: Spec;
}

/** Valid questions to a world, of any metrics or of `only` one. */
export function specsFor(catalog: Catalog, world: World, only?: string): fc.Arbitrary<Question> {
  return likely(catalog, world, only)
    .map((input) => ({ input, parsed: parseSpec(input, { catalog, defaultTimezone: world.timezone, maxRows: 1000 }) }))
    .filter(({ parsed }) => "spec" in parsed)
    .map(({ input, parsed }) => ({ input, spec: must("spec" in parsed ? parsed.spec : null, "a spec") }));
}
