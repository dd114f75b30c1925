import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { must } from "../../src/must.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { Result } from "../../src/result/result.ts";
import { largestWorld } from "../oracle/world.ts";
import { MARK, marked } from "../support/marked-world.ts";
import { specsFor } from "../oracle/specs.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { ask, shippedCatalog, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

/*
 * Tenant A is answered before and after tenant B exists, whose keys, sprints and instances have the same names and whose
 * every text carries a mark. Whatever A can ask says the same, and the mark comes back nowhere.
 */
const catalog = await shippedCatalog();
const worldOfA = largestWorld(3);
const worldOfB = marked(largestWorld(4), MARK);
const settings = { timezone: worldOfA.timezone, weekStart: worldOfA.weekStart };
const tenantA = testTenant({ id: 1, ...settings });
const tenantB = testTenant({ id: 2, ...settings });
const nobody = testTenant({ id: 3, ...settings });
const [a, b] = [testPrincipal(tenantA), testPrincipal(tenantB)];

const groupable = [...catalog.dimensions.values()].filter((dimension) => !dimension.filter_only).map((dimension) => dimension.name);

/** Every metric by each of its dimensions, by week, and many random questions. */
const questions: readonly unknown[] = [
  ...[...catalog.metrics.values()].flatMap(({ name, dimensions }, index) => {
    const dimension = must(dimensions[index % dimensions.length], "a dimension");
    return [
      { measures: [{ name }], dimensions: [dimension], totals: true, limit: 1000 },
      { measures: [{ name }], time: { grain: "week" }, limit: 1000 },
    ];
  }),
  ...fc.sample(specsFor(catalog, worldOfA), { seed: 9, numRuns: 60 }).map((question) => question.input),
];

/** An answer without what differs from call to call. */
function lasting({ data, meta }: Result): unknown {
  const { query_time_ms: _time, cached: _cached, next_cursor: _cursor, ...said } = data;
  const { result_id: _id, result_uri: _uri, ...about } = meta;
  return { said, about };
}

/** Everything that A hears: answers with all their rows, and the values of every dimension. */
async function heardByA(pipeline: Pipeline): Promise<Map<string, unknown>> {
  const heard = new Map<string, unknown>();
  for (const question of questions) {
    const { result, rows } = await ask(pipeline, tenantA, question);
    heard.set(JSON.stringify(question), { ...(lasting(result) as object), rows });
  }
  for (const { name } of catalog.metrics.values()) {
    const { meta } = await pipeline.run(a, { measures: [{ name }], totals: true });
    const { data } = await pipeline.drill(a, { result_id: meta.result_id, row: "totals", measure: name, limit: 200 });
    const { query_time_ms: _time, ...behind } = data;
    heard.set(`what is behind ${name}`, behind);
  }
  for (const dimension of groupable) heard.set(`values of ${dimension}`, await pipeline.values(a, { dimension, limit: 200 }));
  return heard;
}

describeOnEachDatabase("two tenants with the same keys", (get) => {
  let pipeline: Pipeline;
  let before: ReadonlyMap<string, unknown>;

  beforeAll(async () => {
    pipeline = await testPipeline(get().database, worldOfA.now);
    await importIntoTenant(get().database, tenantA, worldOfA);
    before = await heardByA(pipeline);
    await importIntoTenant(get().database, tenantB, worldOfB);
  });

  test("A is told the same whether B exists or not", async () => {
    const after = await heardByA(pipeline);
    expect(after.size).toBe(before.size);
    for (const [question, answer] of after) expect(answer, question).toEqual(before.get(question));
  }, 60_000);

  test("B's data is there, and nothing of it is in what A is told", async () => {
    for (const dimension of ["label", "status", "sprint_name", "project_name", "assignee", "issue_type"]) {
      expect(JSON.stringify(await pipeline.values(b, { dimension })), dimension).toContain(MARK);
    }
    for (const [question, answer] of before) expect(JSON.stringify(answer), question).not.toContain(MARK);
    for (const [question, answer] of await heardByA(pipeline)) expect(JSON.stringify(answer), question).not.toContain(MARK);
  }, 60_000);

  test.each(groupable)("a guess at B's %s finds nothing and is told nothing like it", async (dimension) => {
    const { values } = await pipeline.values(b, { dimension, limit: 200 });
    const theirs = values.flatMap(({ value }) => (value?.includes(MARK) === true ? [value] : []))[0];
    const metric = must(
      [...catalog.metrics.values()].find((one) => one.fields.includes(dimension)),
      dimension,
    ).name;
    const guess = theirs ?? MARK;
    for (const written of [guess, guess.slice(0, -1)]) {
      const { result, rows } = await ask(pipeline, tenantA, {
        measures: [{ name: metric }],
        dimensions: [dimension],
        filters: [{ field: dimension, op: "in", values: [written] }],
      });
      expect(rows).toEqual([]);
      const told = JSON.stringify([result.data, result.meta.summary, result.meta.warnings]).replaceAll(written, "");
      expect(told).not.toContain(MARK);
    }
    expect((await pipeline.values(a, { dimension, search: MARK })).values).toEqual([]);
  });

  test("B's result answers A exactly like one that never was", async () => {
    const theirs = await pipeline.run(b, { measures: [{ name: "issues_created" }], dimensions: ["label"] });
    expect(JSON.stringify(theirs.data.rows)).toContain(MARK);
    const told = async (id: string): Promise<unknown> => {
      const error: unknown = await pipeline.page(a, { result_id: id }).catch((reason: unknown) => reason);
      if (!(error instanceof AppError)) throw new Error(`A got B's page: ${JSON.stringify(error)}`);
      return Object.fromEntries([...Object.entries(error), ["message", error.message]]);
    };
    const foreign = await told(theirs.meta.result_id);
    expect(foreign).toMatchObject({ code: "NOT_FOUND" });
    expect(foreign).toEqual(await told(`res_${"0".repeat(theirs.meta.result_id.length - 4)}`));
    const drilled = await pipeline
      .drill(a, { result_id: theirs.meta.result_id, row: 0, measure: "issues_created" })
      .catch((reason: unknown) => reason);
    expect(drilled).toBeInstanceOf(AppError);
    expect(Object.fromEntries([...Object.entries(drilled as AppError), ["message", (drilled as AppError).message]])).toEqual(foreign);
    expect(await pipeline.page(b, { result_id: theirs.meta.result_id })).toMatchObject({ data: { rows: theirs.data.rows } });
  });

  test("a tenant without data gets none of anybody's", async () => {
    for (const { name, dimensions } of catalog.metrics.values()) {
      const { rows } = await ask(pipeline, nobody, {
        measures: [{ name }],
        dimensions: [must(dimensions[0], "a dimension")],
        totals: true,
      });
      expect(rows, name).toEqual([]);
    }
    for (const dimension of groupable) expect((await pipeline.values(testPrincipal(nobody), { dimension })).values, dimension).toEqual([]);
  });
});
