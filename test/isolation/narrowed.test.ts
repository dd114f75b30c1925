import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { must } from "../../src/must.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { AllowList } from "../../src/tenant.ts";
import { difference } from "../oracle/compare.ts";
import { evaluate, readWorld } from "../oracle/evaluate.ts";
import type { Life } from "../oracle/lives.ts";
import type { Data } from "../oracle/rows.ts";
import { specsFor } from "../oracle/specs.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { largestWorld } from "../oracle/world.ts";
import { ask, shippedCatalog, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

/*
 * A principal who is narrowed to projects, instances or metrics is answered as if there were nothing else: checked against
 * the oracle's evaluator over the records that are left.
 */
const catalog = await shippedCatalog();
const world = largestWorld(16);
const whole = readWorld(world.instances);
const tenant = testTenant({ id: 1, timezone: world.timezone, weekStart: world.weekStart });

function left({ projects, instances }: AllowList): Data {
  const mayProject = (life: Life): boolean => projects === undefined || projects.includes(life.record.projectKey);
  const mayInstance = (id: string): boolean => instances === undefined || instances.includes(id);
  const isLeft = (life: Life): boolean => mayProject(life) && mayInstance(life.instanceId);
  const trackers = whole.trackers.map((tracker) => ({ ...tracker, lives: tracker.lives.filter(isLeft) }));
  const asOfMs = Math.max(...whole.trackers.filter(({ id }) => mayInstance(id)).map((tracker) => tracker.asOfMs));
  return { trackers, members: whole.members.filter(({ life }) => isLeft(life)), asOfMs };
}

const LISTS: readonly AllowList[] = [
  { projects: ["A"] },
  { projects: ["B", "nowhere"] },
  { instances: ["one"] },
  { instances: ["two"], projects: ["A"] },
];
const groupable = [...catalog.dimensions.values()].filter((dimension) => !dimension.filter_only).map((dimension) => dimension.name);
const questions = [
  ...fc.sample(specsFor(catalog, world), { seed: 31, numRuns: 40 }),
  ...[...catalog.metrics.keys()].flatMap((name) => fc.sample(specsFor(catalog, world, name), { seed: 17, numRuns: 2 })),
];

describeOnEachDatabase("a narrowed principal", (get) => {
  let pipeline: Pipeline;

  beforeAll(async () => {
    pipeline = await testPipeline(get().database, world.now);
    await importIntoTenant(get().database, tenant, world);
  });

  test.each(LISTS)(
    "with %j is answered from what is left alone",
    async (allowed) => {
      const principal = testPrincipal(tenant, "narrow", { allowed });
      const data = left(allowed);
      expect(data.members.length).toBeLessThan(whole.members.length);
      const found: string[] = [];
      for (const { input, spec } of questions) {
        const differs = difference(await ask(pipeline, tenant, input, principal), evaluate(spec, data, world), spec);
        if (differs !== null) found.push(`${JSON.stringify(input)}: ${differs}`);
      }
      expect(found).toEqual([]);
    },
    120_000,
  );

  test.each(LISTS)("with %j is offered only values of what is left", async (allowed) => {
    const principal = testPrincipal(tenant, "narrow", { allowed });
    const lives = left(allowed).trackers.flatMap((tracker) => tracker.lives);
    const { values } = await pipeline.values(principal, { dimension: "issue_key", limit: 200 });
    expect(values.map(({ value }) => value).toSorted()).toEqual([...new Set(lives.map((life) => life.record.key))].toSorted());
    for (const dimension of groupable) {
      const all = await pipeline.values(testPrincipal(tenant), { dimension, limit: 200 });
      const own = await pipeline.values(principal, { dimension, limit: 200 });
      const counts = new Map(all.values.map(({ value, issues }) => [value, issues]));
      for (const { value, issues } of own.values) expect(issues, dimension).toBeLessThanOrEqual(must(counts.get(value), String(value)));
    }
  });

  test("with empty lists finds nothing", async () => {
    for (const allowed of [{ projects: [] }, { instances: [] }]) {
      const principal = testPrincipal(tenant, "nobody", { allowed });
      expect(
        (await ask(pipeline, tenant, { measures: [{ name: "issues_created" }], dimensions: ["project_key"] }, principal)).rows,
      ).toEqual([]);
      expect((await pipeline.values(principal, { dimension: "project_key" })).values).toEqual([]);
    }
  });

  test("is refused a metric that is not on the list exactly like one that does not exist", async () => {
    const principal = testPrincipal(tenant, "narrow", { allowed: { metrics: ["issues_created", "net_flow"] } });
    const refusal = async (name: string): Promise<string> => {
      const error: unknown = await pipeline.run(principal, { measures: [{ name }] }).catch((thrown: unknown) => thrown);
      if (!(error instanceof AppError)) throw new Error(`${name} was answered`);
      return JSON.stringify(error.details.problems).replaceAll(name, "…");
    };
    expect(await refusal("velocity")).toBe(await refusal("volecity"));
    expect(await refusal("velocity")).not.toContain("lead_time");
    // net_flow is made of two metrics, one of which is not on the list: it is answered all the same.
    const { rows } = await ask(pipeline, tenant, { measures: [{ name: "net_flow" }] }, principal);
    expect(rows).toEqual((await ask(pipeline, tenant, { measures: [{ name: "net_flow" }] })).rows);
  });
});
