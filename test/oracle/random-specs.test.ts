import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { importInto } from "../../src/ingest/import.ts";
import { parseMapping } from "../../src/ingest/mapping.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import type { Source, SourceRecord } from "../../src/ingest/source.ts";
import { must } from "../../src/must.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import type { Tenant } from "../../src/tenant.ts";
import { ask, CATALOG_DIRECTORY, shippedCatalog, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase, type TestDatabase } from "../support/databases.ts";
import { testTenant } from "../support/tenants.ts";
import { event, issue } from "../ingest/records.ts";
import { difference } from "./compare.ts";
import { evaluate, readWorld } from "./evaluate.ts";
import { METRIC_NAMES } from "./metrics.ts";
import { type Question, specsFor } from "./specs.ts";
import { importIntoTenant, importWorld } from "./support.ts";
import { largestWorld, type World, worlds } from "./world.ts";

/*
 * The product against a second opinion that shares nothing with it but the spec: random trackers, random questions, and an
 * evaluator that looks at every record. ORACLE_RUNS worlds are drawn from ORACLE_SEED; each is imported once and asked
 * ORACLE_SPECS questions. Whatever differs is told with the seed, the question and both numbers.
 */
const setting = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const RUNS = setting("ORACLE_RUNS", 8);
const SPECS = setting("ORACLE_SPECS", 60);
const SEED = setting("ORACLE_SEED", 20_240_601);

const catalog = await shippedCatalog();
const FIXTURE = join(CATALOG_DIRECTORY, "fixture");
const FIXTURE_NOW = new Date("2024-02-01T12:00:00Z");

async function recordsOf(source: Source): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  const refuse = (place: string, reason: string): never => {
    throw new Error(`${place}: ${reason}`);
  };
  for await (const record of source.read({ refuse, warn: () => undefined })) records.push(record);
  return records;
}

const mapping = parseMapping(readFileSync(join(FIXTURE, "mapping.yaml"), "utf8"));
const fixture: World = {
  instances: [{ id: "inst1", records: await recordsOf(neutralSource(FIXTURE)), mapping }],
  now: FIXTURE_NOW,
  weekStart: 1,
  timezone: "UTC",
};

const canonical = (input: unknown, world: World): Question => {
  const parsed = parseSpec(input, { catalog, defaultTimezone: world.timezone, maxRows: 1000 });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return { input, spec: parsed.spec };
};

/** Every question of a world whose answer is not the evaluator's, told so that it can be asked again. */
async function disagreements(get: () => TestDatabase, tenant: Tenant, world: World, questions: readonly Question[]): Promise<string[]> {
  const pipeline = await testPipeline(get().database, world.now);
  const data = readWorld(world.instances);
  const found: string[] = [];
  for (const { input, spec } of questions) {
    const differs = difference(await ask(pipeline, tenant, input), evaluate(spec, data, world), spec);
    if (differs !== null) found.push(`${JSON.stringify(input)} in ${world.timezone} on ${world.now.toISOString()}: ${differs}`);
  }
  return found;
}

const cases = [...catalog.metrics.values()].flatMap((metric) =>
  metric.definition.tests.map((one) => ({ metric: metric.name, spec: one.spec, rows: one.rows })),
);

test("the evaluator knows every metric of the catalog, and no other", () => {
  expect(METRIC_NAMES.toSorted()).toEqual([...catalog.metrics.keys()].toSorted());
});

test.each(cases)("the evaluator finds the golden rows of $metric", ({ spec: input, rows }) => {
  const { spec } = canonical(input, fixture);
  const names = [...(spec.time?.grain ? ["time"] : []), ...spec.dimensions, ...spec.measures.map((measure) => measure.as)];
  const found = evaluate(spec, readWorld(fixture.instances), fixture).rows.map((row) => names.map((name) => row[name] ?? null));
  const rounded = found.map((row) => row.map((cell) => (typeof cell === "number" ? Math.round(cell * 1e6) / 1e6 : cell)));
  expect(rounded).toEqual(rows);
});

/** Havana sets its clocks back from 1:00 to 0:00 on 2024-11-03: the day begins with an hour that comes twice. */
const havana: World = {
  instances: [
    {
      id: "one",
      mapping: null,
      records: ["03:45", "04:00", "04:30", "05:00", "05:30"].flatMap((time, index): SourceRecord[] => [
        issue(`A-${index + 1}`, { status: "Done", createdAt: `2024-11-03T${time}:00.000Z`, resolvedAt: `2024-11-03T${time}:00.000Z` }),
        event(`A-${index + 1}`, 0, { at: `2024-11-03T${time}:00.000Z`, from: "To Do", to: "Done" }),
      ]),
    },
  ],
  now: new Date("2024-11-05T12:00:00Z"),
  weekStart: 1,
  timezone: "America/Havana",
};

describeOnEachDatabase("pipeline and evaluator", (get) => {
  test(
    "agree on random worlds and random specs",
    async () => {
      const drawn = fc.record({ world: worlds, seed: fc.nat() });
      await fc.assert(
        fc.asyncProperty(drawn, async ({ world, seed }) => {
          const tenant = await importWorld(get().database, world);
          expect(await disagreements(get, tenant, world, fc.sample(specsFor(catalog, world), { numRuns: SPECS, seed }))).toEqual([]);
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
    },
    setting("ORACLE_TIMEOUT_MS", 300_000),
  );

  test("agree on an hour that comes twice at midnight", async () => {
    const tenant = await importWorld(get().database, havana);
    const days = { grain: "day", from: "2024-11-01", to: "2024-11-05" };
    const questions = ["issues_created", "issues_closed", "status_changes", "time_in_status", "backlog_open"].map((name) =>
      canonical({ measures: [{ name }], time: days }, havana),
    );
    const onTheDay = { measures: [{ name: "issues_created" }], filters: [{ field: "created_at", op: "=", values: ["2024-11-03"] }] };
    expect(await disagreements(get, tenant, havana, [...questions, canonical(onTheDay, havana)])).toEqual([]);
    const asked = await ask(await testPipeline(get().database, havana.now), tenant, onTheDay);
    expect(asked.rows).toEqual([{ issues_created: 4 }]);
  });
});

describeOnEachDatabase("each metric", (get) => {
  const tenant = testTenant({ id: 1 });
  const rich = largestWorld(7);
  const other = testTenant({ id: 2, timezone: rich.timezone, weekStart: rich.weekStart });

  beforeAll(async () => {
    await importInto(get().database, tenant, { instanceId: "inst1", source: neutralSource(FIXTURE), mapping });
    await importIntoTenant(get().database, other, rich);
  });

  test.each(METRIC_NAMES)("%s agrees by every aggregate, over the fixture and a large random world", async (name) => {
    const { aggregates, dimensions } = must(catalog.metrics.get(name), name);
    const measures = aggregates.slice(0, 10).map((agg) => ({ name, agg, as: agg }));
    for (const [asker, world] of [
      [tenant, fixture],
      [other, rich],
    ] as const) {
      const fixed = [
        {},
        { dimensions: [dimensions.includes("label") ? "label" : "project_key"], totals: true },
        { time: { grain: "week" }, totals: true },
      ];
      const random = fc.sample(specsFor(catalog, world, name), { seed: SEED, numRuns: 6 });
      const found = await disagreements(get, asker, world, [
        ...fixed.map((rest) => canonical({ measures, limit: 1000, ...rest }, world)),
        ...random,
      ]);
      expect(found).toEqual([]);
    }
  });
});
