import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { Cell } from "../../src/result/result.ts";
import type { Tenant } from "../../src/tenant.ts";
import { ask, shippedCatalog, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { importWorld } from "./support.ts";
import { largestWorld } from "./world.ts";

/* What a measure says never depends on what is asked beside it: no join multiplies its rows. */
const catalog = await shippedCatalog();
const world = largestWorld(11);

interface Pair {
  readonly first: string;
  readonly second: string;
  readonly dimensions: readonly string[];
  readonly isByWeek: boolean;
}

const pairs: fc.Arbitrary<Pair> = fc
  .uniqueArray(fc.constantFrom(...catalog.metrics.keys()), { minLength: 2, maxLength: 2 })
  .chain(([first = "", second = ""]) => {
    const dimensionsOf = (name: string): readonly string[] => must(catalog.metrics.get(name), name).dimensions;
    const shared = dimensionsOf(first).filter((name) => dimensionsOf(second).includes(name));
    return fc.record({
      first: fc.constant(first),
      second: fc.constant(second),
      dimensions: fc.subarray(shared, { maxLength: 2 }),
      isByWeek: fc.boolean(),
    });
  });

type Numbers = ReadonlyMap<string, Cell>;

describeOnEachDatabase("a second measure", (get) => {
  let pipeline: Pipeline;
  let tenant: Tenant;

  beforeAll(async () => {
    tenant = await importWorld(get().database, world);
    pipeline = await testPipeline(get().database, world.now);
  });

  /** The first measure's value of every row, by place, and its value over everything. */
  async function numbersOf({ first, dimensions, isByWeek }: Pair, beside: readonly string[]): Promise<Numbers> {
    const measures = [{ name: first, as: "own" }, ...beside.map((name) => ({ name, as: "other" }))];
    const to = world.now.toISOString().slice(0, 10);
    const from = new Date(world.now.getTime() - 42 * 86_400_000).toISOString().slice(0, 10);
    const time = { from, to, ...(isByWeek ? { grain: "week" } : {}) };
    const { rows, totals } = await ask(pipeline, tenant, { measures, dimensions, time, totals: true, limit: 1000 });
    const places = [...(isByWeek ? ["time"] : []), ...dimensions];
    const byPlace = rows.map((row): [string, Cell] => [JSON.stringify(places.map((name) => row[name])), row["own"] ?? null]);
    return new Map([...byPlace, ["totals", totals["own"] ?? null]]);
  }

  test("never changes the first one's values", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(pairs, async (pair) => {
        const alone = await numbersOf(pair, []);
        const together = await numbersOf(pair, [pair.second]);
        const { gap } = must(catalog.metrics.get(pair.first), pair.first).definition;
        for (const [place, value] of together) {
          // A group that only the second measure has is filled by the first one's gap rule.
          expect(value, `${place} of ${JSON.stringify(pair)}`).toEqual(alone.has(place) ? alone.get(place) : gap === "zero" ? 0 : null);
        }
        if (together.size < 1000)
          for (const place of alone.keys()) expect(together.has(place), `${place} of ${JSON.stringify(pair)}`).toBe(true);
        compared += alone.size;
      }),
      { numRuns: 60, seed: 5, endOnFailure: true },
    );
    expect(compared).toBeGreaterThan(200);
  }, 60_000);
});
