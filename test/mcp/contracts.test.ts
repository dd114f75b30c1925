import { encode as cl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { encode as o200k } from "gpt-tokenizer/encoding/o200k_base";
import { expect, test } from "vitest";
import { portabilityFindings } from "../../src/mcp/json-schema.ts";
import type { JsonSchema } from "../../src/mcp/json-schema.ts";
import { connect } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";
import { memoryPipeline, shippedCatalog } from "../support/mcp-pipeline.ts";
import { resultAnswer } from "../../src/mcp/result-answer.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

/** What the ten tools of the contract may cost a conversation. */
const TEN_TOOLS_MAX_TOKENS = 4000;
const ENUM_VALUES_MAX = 200;

async function published() {
  await using http = await testHttp();
  await using client = await connect("v2-2026", { url: http.edge.url });
  return (await client.raw.listTools()).tools;
}

test("the tools a client is shown are those on record", async () => {
  const tools = await published();
  await expect(`${JSON.stringify(tools, null, 2)}\n`).toMatchFileSnapshot("tool-contracts.json");
});

test("every published schema is in the subset that all clients take", async () => {
  for (const { name, inputSchema, outputSchema } of await published()) {
    expect(portabilityFindings(inputSchema as JsonSchema), name).toEqual([]);
    if (outputSchema !== undefined) expect(portabilityFindings(outputSchema as JsonSchema), name).toEqual([]);
    expect(inputSchema["additionalProperties"], name).toBe(false);
    expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
  }
});

test("the list of tools costs a conversation no more than 4,000 tokens", async () => {
  const tools = await published();
  const text = JSON.stringify(tools);
  const counts = { o200k: o200k(text).length, cl100k: cl100k(text).length };
  process.stderr.write(`tools/list: ${counts.o200k} tokens (o200k), ${counts.cl100k} (cl100k)\n`);
  expect(Math.min(counts.o200k, counts.cl100k)).toBeGreaterThan(500);
  expect(Math.max(counts.o200k, counts.cl100k)).toBeLessThanOrEqual(TEN_TOOLS_MAX_TOKENS);
});

test("the enums of all tools together stay below what some models take", async () => {
  const values =
    JSON.stringify(await published())
      .match(/"enum":\[[^\]]*\]/g)
      ?.flatMap((list) => JSON.parse(list.slice(7)) as string[]) ?? [];
  expect(values).toContain("lead_time");
  expect(values.length).toBeLessThan(ENUM_VALUES_MAX);
});

const WRITING: Readonly<Record<string, object>> = {
  start_job: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  cancel_job: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
};

test("every tool is announced as reading only, but for the two that start and end jobs", async () => {
  for (const { name, annotations, title, description } of await published()) {
    const reading = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
    expect(annotations, name).toEqual(WRITING[name] ?? reading);
    expect(title).toBeTruthy();
    expect(description).toBeTruthy();
  }
});

test("an answer as text costs less than as JSON, and a full page stays within 8k tokens", async () => {
  const pipeline = memoryPipeline({ catalog: await shippedCatalog(), rows: 50 });
  const answer = resultAnswer(await pipeline.run(testPrincipal(testTenant({ id: 1 })), { measures: [{ name: "wip" }] }));
  const text = o200k(answer.text).length;
  const json = o200k(JSON.stringify(answer.structured)).length;
  process.stderr.write(`50 rows: ${text} tokens as text, ${json} as JSON\n`);
  expect(text).toBeLessThan(json);
  expect(json).toBeLessThan(8000);
});

test.each([
  [{ type: "string" }, "root: must be an object"],
  [{ type: "object", properties: { a: { anyOf: [{ type: "string" }] } } }, "root.a: keyword anyOf"],
  [{ type: "object", properties: { a: { type: ["string", "null"] } } }, 'root.a: type ["string","null"]'],
  [{ type: "object", properties: { a: { type: "array" } } }, "root.a[]: is not a schema object"],
  [{ type: "object", properties: { a: { type: "integer", enum: [1] } } }, "root.a: an enum must list strings"],
  [{ type: "object", properties: { a: { $ref: "#/x", type: "object" } } }, "root.a: keyword $ref"],
  [{ type: "object", $schema: "x" }, "root: keyword $schema"],
  [{ type: "object", properties: { a: true } }, "root.a: is not a schema object"],
])("the portability check refuses %j", (schema, finding) => {
  expect(portabilityFindings(schema)).toContain(finding);
});

test("the portability check refuses deep nesting", () => {
  let schema: JsonSchema = { type: "string" };
  for (let depth = 0; depth < 8; depth += 1) schema = { type: "object", properties: { a: schema } };
  expect(portabilityFindings(schema).some((finding) => finding.includes("nested deeper"))).toBe(true);
});
