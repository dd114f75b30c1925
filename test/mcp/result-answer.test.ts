import { expect, test } from "vitest";
import { getResult } from "../../src/mcp/tools/get-result.ts";
import { listValues } from "../../src/mcp/tools/list-values.ts";
import { portabilityFindings } from "../../src/mcp/json-schema.ts";
import { defineTool, envelopeSchema, publishedInput } from "../../src/mcp/define-tool.ts";
import { cellText, resultAnswer } from "../../src/mcp/result-answer.ts";
import type { Result } from "../../src/result/result.ts";
import { connect } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";
import { memoryPipeline, shippedCatalog } from "../support/mcp-pipeline.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";
import { must } from "../../src/must.ts";

const PRINCIPAL = testPrincipal(testTenant({ id: 1 }));

async function resultWith(data: Partial<Result["data"]>, meta: Partial<Result["meta"]>): Promise<Result> {
  const pipeline = memoryPipeline({ catalog: await shippedCatalog(), rows: 2 });
  const result = await pipeline.run(PRINCIPAL, { measures: [{ name: "wip" }] });
  return { data: { ...result.data, ...data }, meta: { ...result.meta, ...meta } };
}

test("what an answer must own up to is in its text as in its envelope", async () => {
  const { meta } = await resultWith({}, {});
  const result = await resultWith(
    { totals: [null, 7.25], truncated: true, total: 9, cached: true },
    {
      deprecations: ["wip goes in 2.0.0"],
      partial_buckets: ["2024-05-01"],
      chart: { type: "bar", reason: "bar: asked for" },
      data_as_of: null,
      warnings: ["w1"],
      spec: { ...meta.spec, limit: 2 },
    },
  );
  const { text, structured } = resultAnswer(result);
  for (const part of [
    "\ntotal over all rows: wip 7.25\n",
    "2 of 9 rows (the spec's limit of 2 ends here)",
    "deprecated: wip goes in 2.0.0",
    "incomplete buckets: 2024-05-01",
    'chart: bar: asked for; draw it: render_chart {"result_id":"',
    "data as of never imported",
    "warning: w1",
    "from the cache",
    "catalog 1.0.0",
    "time zone UTC",
  ]) {
    expect(text).toContain(part);
  }
  expect(structured).toMatchObject({ success: true, data: result.data, meta: result.meta });
});

test("an explanation shows plan, statement and estimate, and no rows", async () => {
  const explanation = {
    plan: { facts: ["issues"] },
    statement: "SELECT 1\nWHERE tenant_id = $1",
    estimate: { rows: 5, cost: 12.5, work: 13 },
    admission: "It would run: estimated at 13 units of work, limit 99.",
  };
  const { text, structured } = resultAnswer(await resultWith({ rows: [] }, { explanation }));
  expect(text).toMatch(/^Not run \(dry_run\): this is the plan/);
  expect(text).toContain("\nIt would run: estimated at 13 units of work, limit 99.\n");
  expect(text).toContain("estimate: 5 rows, cost 12.5");
  expect(text).toContain("statement: SELECT 1\\nWHERE tenant_id = $1");
  expect(text).toContain('plan: {"facts":["issues"]}');
  expect(text).not.toContain("data as of");
  expect(structured).toMatchObject({ meta: { explanation } });
});

test("the last page of an answer is not said to be cut", async () => {
  const { text } = resultAnswer(await resultWith({ total: 52, truncated: true, next_cursor: null }, {}));
  expect(text).toContain("2 of 52 rows; result_id");
});

test("a page as CSV carries warnings and totals in its text too", async () => {
  const page = await resultWith({ totals: [null, null] }, { warnings: ["w1"] });
  const pipeline = { ...memoryPipeline({ catalog: await shippedCatalog() }), page: async () => page };
  const { text } = await getResult().handle({ result_id: "res_1", format: "csv" }, { principal: PRINCIPAL, pipeline, options: {} });
  expect(text).toContain("\nwarning: w1\n");
  expect(text).toContain("\ntotal over all rows: wip none\n");
});

test("a cell is written so that null, nothing and text differ", () => {
  expect([null, "", "a", " a", 'a"b', true, 1 / 3, -0.5, 1e21, 12].map(cellText)).toEqual([
    "",
    '""',
    "a",
    '" a"',
    '"a""b"',
    "true",
    "0.333333",
    "-0.5",
    "1e+21",
    "12",
  ]);
});

test("a whole result is read page by page", async () => {
  await using http = await testHttp({ rows: 2500 });
  await using client = await connect("v1", { url: http.edge.url });
  await client.call("run_analytics_spec", { measures: [{ name: "wip" }] });
  const whole = await client.raw.readResource({ uri: "metricgate://results/res_1" });
  const { data } = JSON.parse((must(whole.contents[0], "contents") as { text: string }).text) as Result;
  expect(data).toMatchObject({ truncated: false, next_cursor: null, total: 2500, rows: { length: 2500 } });
});

test("a list of values that is cut says how to go on", async () => {
  const pipeline = {
    ...memoryPipeline({ catalog: await shippedCatalog() }),
    values: async () => ({ dimension: "label", values: [{ value: null, issues: 3 }], total: 900, truncated: true }),
  };
  const { text } = await listValues().handle({ dimension: "label", limit: 1 }, { principal: PRINCIPAL, pipeline, options: {} });
  expect(text).toContain("label: 900 values (1 shown; narrow with search)");
  expect(text).toContain("\n,3\n");
});

test("a tool with a schema that clients refuse cannot be defined", () => {
  const parts = { name: "x", title: "X", description: "x", output: envelopeSchema("x"), handle: () => Promise.reject(new Error("never")) };
  expect(() => defineTool({ ...parts, input: publishedInput({ type: "object", properties: { a: { oneOf: [] } } }) })).toThrow(
    /tool x: root\.a: keyword oneOf/,
  );
  expect(portabilityFindings({ type: "object", properties: 7 })).toEqual([]);
});
