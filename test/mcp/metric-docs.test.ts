import { expect, test } from "vitest";
import type { Metric } from "../../src/catalog/catalog.ts";
import { dimensionSets } from "../../src/mcp/metric-docs.ts";
import { listMetrics } from "../../src/mcp/tools/list-metrics.ts";
import { getResult } from "../../src/mcp/tools/get-result.ts";
import { connections, registerSubscriptions } from "../../src/mcp/announce.ts";
import { serverFactory } from "../../src/mcp/server.ts";
import { testParts } from "../support/mcp-parts.ts";
import { shippedCatalog } from "../support/mcp-pipeline.ts";
import type { ToolCall } from "../../src/mcp/define-tool.ts";

const NO_CALL = {} as ToolCall;

const metric = (name: string, dimensions: readonly string[]) => ({ name, dimensions }) as unknown as Metric;

test("dimensions are told once, and as differences where that is shorter", () => {
  const { legend, letterOf } = dimensionSets([
    metric("a", ["x", "y", "z"]),
    metric("b", ["z", "y", "x"]),
    metric("c", ["x", "y", "z", "w"]),
    metric("d", ["q"]),
    metric("e", ["x", "y"]),
  ]);
  expect(legend).toEqual([
    ["A", "x y z"],
    ["B", "A +w"],
    ["C", "q"],
    ["D", "A -z"],
  ]);
  expect([...letterOf.entries()]).toEqual([
    ["a", "A"],
    ["b", "A"],
    ["c", "B"],
    ["d", "C"],
    ["e", "D"],
  ]);
});

test("there are as many set names as needed", () => {
  const { legend } = dimensionSets(Array.from({ length: 30 }, (_, at) => metric(`m${at}`, [`d${at}`])));
  expect(new Set(legend.map(([letter]) => letter)).size).toBe(30);
  expect(dimensionSets([]).legend).toEqual([]);
});

test("the list of metrics names each with its dimensions, and those that cannot be had with the reason", async () => {
  const catalog = await shippedCatalog();
  const { text, structured } = await listMetrics(catalog).handle({}, NO_CALL);
  for (const name of catalog.metrics.keys()) expect(text).toContain(`\n${name}|`);
  expect(text).toMatch(/unavailable: change_fail_rate, .*deployment_frequency.*: .*deployment data/);
  const { data } = structured as { data: { columns: string[]; rows: string[][]; dimension_sets: Record<string, string> } };
  expect(data.rows).toHaveLength(catalog.metrics.size);
  for (const row of data.rows) expect(Object.keys(data.dimension_sets)).toContain(row[3]);
});

test("a search that finds nothing says so and shows everything", async () => {
  const { text } = await listMetrics(await shippedCatalog()).handle({ search: "bananas" }, NO_CALL);
  expect(text).toMatch(/^Nothing matches "bananas"; all metrics:/);
  expect(text).toContain("lead_time|");
});

test("definitions are found by name and by alias, also those that cannot be had", async () => {
  const { text, structured } = await listMetrics(await shippedCatalog()).handle(
    { names: ["throughput", "deployment_frequency", "sprint_problematic_score", "net_flow", "time_in_status"] },
    NO_CALL,
  );
  const { data } = structured as { data: { definitions: Record<string, unknown>[] } };
  expect(data.definitions.map(({ name }) => name)).toEqual([
    "issues_closed",
    "deployment_frequency",
    "sprint_problematic_score",
    "net_flow",
    "time_in_status",
  ]);
  expect(data.definitions[1]).toMatchObject({ available: false });
  expect(data.definitions[2]).toHaveProperty("components");
  expect(text.split("\n")).toHaveLength(5);
  expect(text).not.toContain("tests");
});

test.each([
  [{ names: ["nope"] }, "UNKNOWN_MEASURE"],
  [{ names: "wip" }, "BAD_VALUE"],
  [{ search: "x".repeat(201) }, "BAD_VALUE"],
  [{ names: Array.from({ length: 11 }, () => "wip") }, "BAD_VALUE"],
  [{ searc: "wip" }, "SPEC_INVALID"],
  ["wip", "BAD_VALUE"],
] as const)("arguments %j are refused with %s", async (input, code) => {
  const refused = listMetrics(await shippedCatalog()).handle(input, NO_CALL);
  await expect(refused).rejects.toMatchObject({ code: "SPEC_INVALID", details: { problems: [expect.objectContaining({ code })] } });
});

test("an unknown format is told the known ones", async () => {
  await expect(getResult().handle({ result_id: "x", format: "xls" }, NO_CALL)).rejects.toMatchObject({
    details: { problems: [{ path: "format", allowed: ["rows", "csv"] }] },
  });
});

test("a connection that fails while it is told does not keep the others from hearing", async () => {
  const factory = serverFactory(await testParts());
  const errors: unknown[] = [];
  const open = connections((error) => errors.push(error));
  const [broken, fine] = [factory({ era: "legacy" }), factory({ era: "legacy" })];
  const heard: string[] = [];
  for (const server of [broken, fine]) {
    server.isConnected = () => true;
    open.add(server);
  }
  broken.sendToolListChanged = () => {
    throw new Error("gone");
  };
  fine.sendToolListChanged = () => heard.push("tools");
  fine.sendPromptListChanged = () => heard.push("prompts");
  fine.sendResourceListChanged = () => heard.push("resources");
  open.toolsChanged();
  open.forget(broken);
  open.promptsChanged();
  open.resourcesChanged();
  expect(heard).toEqual(["tools", "prompts", "resources"]);
  expect(errors).toHaveLength(1);
  expect(() => registerSubscriptions(fine, "modern", async () => true)).not.toThrow();
});
