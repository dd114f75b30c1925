import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { importInto } from "../../src/ingest/import.ts";
import { parseMapping } from "../../src/ingest/mapping.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import { ask, CATALOG_DIRECTORY, shippedCatalog, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testTenant } from "../support/tenants.ts";

const TENANT = testTenant({ id: 1 });
const FIXTURE = join(CATALOG_DIRECTORY, "fixture");
const catalog = await shippedCatalog();
const cases = [...catalog.metrics.values()].flatMap((metric) =>
  metric.definition.tests.map((one) => ({ metric: metric.name, shows: one.shows, spec: one.spec, rows: one.rows })),
);

test("every metric has a case", () => {
  expect(cases.length).toBeGreaterThanOrEqual(catalog.metrics.size);
});

describeOnEachDatabase("the golden rows of each metric's file", (get) => {
  let pipeline: Pipeline;

  beforeAll(async () => {
    const mapping = parseMapping(readFileSync(join(FIXTURE, "mapping.yaml"), "utf8"));
    await importInto(get().database, TENANT, { instanceId: "inst1", source: neutralSource(FIXTURE), mapping });
    pipeline = await testPipeline(get().database, new Date("2024-02-01T12:00:00Z"));
  });

  test.each(cases)("$metric: $shows", async ({ spec, rows }) => {
    const asked = await ask(pipeline, TENANT, spec);
    const found = asked.rows.map((row) => Object.values(row).map((cell) => (typeof cell === "number" ? Math.round(cell * 1e6) / 1e6 : cell)));
    expect(found).toEqual(rows);
  });
});
