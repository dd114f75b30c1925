import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { DrillResult } from "../../src/result/drill.ts";
import type { Cell } from "../../src/result/result.ts";
import { AppError } from "../../src/errors.ts";
import { must } from "../../src/must.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import type { SpecMeasure } from "../../src/spec/spec.ts";
import type { Principal } from "../../src/tenant.ts";
import { shippedCatalog, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";
import { type Place, readWorld, recordsBehind } from "./evaluate.ts";
import { METRIC_NAMES, metricOf } from "./metrics.ts";
import { aggregate, ratio } from "./numbers.ts";
import type { Data, Row } from "./rows.ts";
import { type Question, specsFor } from "./specs.ts";
import { importIntoTenant } from "./support.ts";
import { largestWorld, type World, worlds } from "./world.ts";

/*
 * Every number of random answers is opened up: what comes back must give the number again by its own arithmetic, and must be the
 * very records that the evaluator counts. DRILL_RUNS worlds, DRILL_SPECS questions to each.
 */
const setting = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const RUNS = setting("DRILL_RUNS", 4);
const SPECS = setting("DRILL_SPECS", 20);
const SEED = setting("ORACLE_SEED", 20_240_601);
const MAX_ROWS = 200;
/** Rows of one answer that are opened up: its first, its last and some between. */
const OPENED_ROWS = 5;

const catalog = await shippedCatalog();

type Records = readonly Readonly<Record<string, Cell>>[];

const recordsOf = ({ columns, rows }: { columns: readonly { readonly name: string }[]; rows: readonly (readonly Cell[])[] }): Records =>
  rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null])));

const numbers = (records: Records, name: string): (number | null)[] => records.map((record) => record[name] as number | null);

/** The number again, from what the drill-down tells alone. */
function recomputed({ data }: DrillResult, { name, agg }: SpecMeasure): number | null {
  const rows = recordsOf(data);
  if (name === "net_flow") {
    const of = (part: string): number =>
      aggregate(
        "sum",
        numbers(
          rows.filter((row) => row["part"] === part),
          "value",
        ),
      ) ?? 0;
    return of("issues_created") - of("issues_closed");
  }
  const counted = data.units === undefined ? rows : recordsOf(data.units);
  if (counted.length === 0) return metricOf(name).gap;
  if (agg.endsWith("_z")) return aggregate("avg", numbers(counted, agg));
  if (agg === "pooled") {
    const known = counted.filter((record) => record["numerator"] !== null && record["denominator"] !== null);
    return ratio(aggregate("sum", numbers(known, "numerator")), aggregate("sum", numbers(known, "denominator")));
  }
  const isRatio = counted.some((record) => "numerator" in record);
  const values = isRatio
    ? counted.map((record) => ratio(record["numerator"] as number | null, record["denominator"] as number | null))
    : numbers(counted, "value");
  return aggregate(agg, values);
}

const isSame = (a: Cell, b: Cell): boolean =>
  typeof a === "number" && typeof b === "number" ? Math.abs(a - b) <= Math.max(1e-6, Math.abs(b) * 1e-12) : a === b;

const keysOf = (records: Records): string[] => records.map((record) => String(record["issue_key"])).toSorted();
const keysIn = (rows: readonly Row[]): string[] => rows.map(({ life }) => life.record.key).toSorted();

/** What is wrong with a drill-down, in words; null where nothing is. */
function fault(drill: DrillResult, measure: SpecMeasure, behind: ReadonlyMap<string, readonly Row[]>, data: Data): string | null {
  const { total, issues, truncated, rows, units } = drill.data;
  if (truncated !== total > rows.length || rows.length !== Math.min(total, MAX_ROWS))
    return `shows ${rows.length} of ${total}, truncated ${truncated}`;
  const isWhole = !truncated && units?.truncated !== true;
  if (isWhole) {
    const again = recomputed(drill, measure);
    if (!isSame(drill.meta.number, again)) return `is ${drill.meta.number}, but what is behind it gives ${again}`;
  }
  const expected = [...behind].flatMap(([name, records]) => entering(name, records, data));
  if (expected.every((record) => record !== undefined)) {
    if (total !== expected.length) return `${total} rows, should be ${expected.length}`;
    if (issues !== new Set(expected.map(({ life }) => life)).size) return `${issues} issues are not those of ${expected.length} rows`;
    if (!truncated && String(keysOf(recordsOf(drill.data))) !== String(keysIn(expected)))
      return `names ${keysOf(recordsOf(drill.data)).join()}, should be ${keysIn(expected).join()}`;
  }
  return isWhole ? (sharesFault(drill, measure) ?? strangers(drill, [...behind.values()].flat())) : null;
}

/** Of a number folded by sprint: the records that have a share in it; undefined where the evaluator cannot tell. */
function entering(name: string, records: readonly Row[], data: Data): (Row | undefined)[] {
  const { definition } = must(catalog.metrics.get(name), name);
  if (!("per" in definition) || definition.per === undefined || definition.type === "composite") return [...records];
  if (definition.type === "ratio") return [undefined];
  return records.filter((record) => (metricOf(name).number([record], "sum", data) ?? 0) !== 0);
}

/** What issues have in a sprint's number adds up to it, or nobody's share is told. */
function sharesFault({ data }: DrillResult, { name }: SpecMeasure): string | null {
  const { definition } = must(catalog.metrics.get(name), name);
  if (data.units === undefined || definition.type === "composite") return null;
  const rows = recordsOf(data);
  for (const unit of recordsOf(data.units)) {
    const own = rows.filter((row) => row["sprint_name"] === unit["sprint_name"]);
    for (const column of ["numerator", "denominator", "value"].filter((one) => data.columns.some((known) => known.name === one))) {
      const shares = numbers(own, column);
      const isTold = shares.some((share) => share !== null);
      const isUnique = recordsOf(data.units).filter((one) => one["sprint_name"] === unit["sprint_name"]).length === 1;
      if (isTold && isUnique && !isSame(aggregate("sum", shares), unit[column] ?? null))
        return `${column} of sprint ${unit["sprint_name"]}`;
    }
  }
  return null;
}

function strangers({ data }: DrillResult, known: readonly Row[]): string | null {
  const keys = new Set(keysIn(known));
  const strange = keysOf(recordsOf(data)).filter((key) => !keys.has(key));
  return strange.length === 0 ? null : `names ${strange.join()}, which do not count`;
}

interface Told {
  readonly faults: string[];
  /** Numbers opened up. */
  opened: number;
  /** Those whose rows all came. */
  whole: number;
}

const fresh = (): Told => ({ faults: [], opened: 0, whole: 0 });

/** Opens up the numbers of every answer. */
async function openAll(
  pipeline: Pipeline,
  { principal, data, world }: { principal: Principal; data: Data; world: World },
  questions: readonly Question[],
  told: Told,
): Promise<void> {
  for (const { input, spec } of questions) {
    const first = await pipeline.run(principal, { ...(input as object), limit: 1000 });
    const id = first.meta.result_id;
    const all = await pipeline.page(principal, { result_id: id, limit: 1000 });
    const records = recordsOf(all.data);
    const step = Math.max(1, Math.floor(records.length / OPENED_ROWS));
    const rows = records.map((_, index) => index).filter((index) => index % step === 0 || index === records.length - 1);
    const places: [number | "totals", Place][] = rows.map((index) => [
      index,
      {
        time: (records[index]?.["time"] ?? null) as string | null,
        group: spec.dimensions.map((name) => records[index]?.[name] as string | null),
      },
    ]);
    if (spec.totals) places.push(["totals", null]);
    for (const [row, place] of places) {
      for (const measure of spec.measures) {
        const drill = await pipeline.drill(principal, { result_id: id, row, measure: measure.as, limit: MAX_ROWS });
        told.opened += 1;
        if (!drill.data.truncated && drill.data.units?.truncated !== true) told.whole += 1;
        const wrong = fault(drill, measure, recordsBehind(spec, data, world, { as: measure.as, place }), data);
        if (wrong !== null) told.faults.push(`${JSON.stringify(input)} row ${row} ${measure.as}: ${wrong}`);
      }
    }
  }
}

describeOnEachDatabase("what is behind a number", (get) => {
  test("gives the number again, in random worlds", async () => {
    const told = fresh();
    for (const [index, world] of fc.sample(worlds, { seed: SEED, numRuns: RUNS }).entries()) {
      const tenant = testTenant({ id: 100 + index, timezone: world.timezone, weekStart: world.weekStart });
      await importIntoTenant(get().database, tenant, world);
      const pipeline = await testPipeline(get().database, world.now);
      const questions = fc.sample(specsFor(catalog, world), { seed: SEED + index, numRuns: SPECS });
      await openAll(pipeline, { principal: testPrincipal(tenant), data: readWorld(world.instances), world }, questions, told);
    }
    process.stderr.write(`drill: ${told.opened} numbers opened up, ${told.whole} of them whole\n`);
    expect(told.faults).toEqual([]);
    expect(told.whole).toBeGreaterThan(RUNS * SPECS);
  }, 300_000);
});

describeOnEachDatabase("what is behind a number of each metric", (get) => {
  const world = largestWorld(7);
  const data = readWorld(world.instances);
  const tenant = testTenant({ id: 1, timezone: world.timezone, weekStart: world.weekStart });
  let pipeline: Pipeline;

  beforeAll(async () => {
    await importIntoTenant(get().database, tenant, world);
    pipeline = await testPipeline(get().database, world.now);
  });

  test.each(METRIC_NAMES)(
    "%s",
    async (name) => {
      const { aggregates } = must(catalog.metrics.get(name), name);
      const random = fc.sample(specsFor(catalog, world, name), { seed: SEED, numRuns: 5 });
      const { specs } = everyAggregate(name, aggregates, world);
      const told = fresh();
      await openAll(pipeline, { principal: testPrincipal(tenant), data, world }, [...specs, ...random], told);
      expect(told.faults).toEqual([]);
      expect(told.whole).toBeGreaterThan(aggregates.length);
    },
    120_000,
  );

  test("a narrowed principal is shown only what is left to them", async () => {
    const principal = testPrincipal(tenant, "narrow", { allowed: { projects: ["A"], instances: ["one"] } });
    const left: Data = {
      ...data,
      trackers: data.trackers.map((tracker) => ({
        ...tracker,
        lives: tracker.lives.filter((life) => life.instanceId === "one" && life.record.projectKey === "A"),
      })),
      members: data.members.filter(({ life }) => life.instanceId === "one" && life.record.projectKey === "A"),
      asOfMs: must(
        data.trackers.find(({ id }) => id === "one"),
        "tracker one",
      ).asOfMs,
    };
    const told = fresh();
    await openAll(pipeline, { principal, data: left, world }, fc.sample(specsFor(catalog, world), { seed: 5, numRuns: 25 }), told);
    expect(told.faults).toEqual([]);
    expect(told.whole).toBeGreaterThan(25);
    // What the wider one was told is not the narrower one's to open.
    const { meta } = await pipeline.run(testPrincipal(tenant, "narrow"), { measures: [{ name: "wip" }] });
    const refused: unknown = await pipeline
      .drill(principal, { result_id: meta.result_id, row: 0, measure: "wip" })
      .catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(AppError);
    expect(refused).toMatchObject({ code: "NOT_FOUND" });
  });
});

/** All aggregates of a metric at once, plain, by group and by week, each with totals. */
function everyAggregate(name: string, aggregates: readonly string[], world: World): { specs: Question[] } {
  const { dimensions } = must(catalog.metrics.get(name), name);
  const measures = aggregates.slice(0, 10).map((agg) => ({ name, agg, as: agg }));
  const rests = [
    { totals: true },
    { dimensions: [dimensions.includes("label") ? "label" : "project_key"], totals: true },
    { time: { grain: "week" }, totals: true },
  ];
  return { specs: rests.map((rest) => canonical({ measures, ...rest }, world)) };
}

function canonical(input: unknown, world: World): Question {
  const parsed = parseSpec(input, { catalog, defaultTimezone: world.timezone, maxRows: 1000 });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return { input, spec: parsed.spec };
}
