import { expect, test } from "vitest";
import { catalogViews } from "../../src/catalog/narrow.ts";
import { toolsOf } from "../../src/mcp/server.ts";
import { specJsonSchema } from "../../src/spec/json-schema.ts";
import { shippedCatalog } from "../support/answers.ts";

const catalog = await shippedCatalog();

test("without a list everything is published; the same list gives the same catalog", () => {
  const viewOf = catalogViews(catalog);
  expect(viewOf(undefined)).toBe(catalog);
  expect(viewOf(["lead_time", "velocity"])).toBe(viewOf(["velocity", "lead_time", "velocity"]));
  expect(viewOf(["lead_time"])).not.toBe(viewOf(["velocity"]));
});

test("a list keeps its metrics, with their aliases and fields, and nothing else", () => {
  const view = catalogViews(catalog)(["lead_time", "no_such_metric"]);
  expect([...view.metrics.keys()]).toEqual(["lead_time"]);
  expect(new Set(view.aliases.values())).toEqual(new Set([...catalog.aliases.values()].filter((name) => name === "lead_time")));
  expect([...view.unavailable.keys()]).toEqual([]);
  expect(view.dimensions.has("project_key")).toBe(true);
  expect(view.dimensions.has("to_status")).toBe(false);
  expect(view.hash).toBe(catalog.hash);
});

test("a metric can be listed by another of its names", () => {
  for (const [alias, name] of catalog.aliases) expect([...catalogViews(catalog)([alias]).metrics.keys()]).toContain(name);
});

test("nothing that is published names a metric that is not on the list", () => {
  const view = catalogViews(catalog)(["issues_created"]);
  const published = JSON.stringify([specJsonSchema(view), toolsOf(view, specJsonSchema(view)).map((tool) => tool.inputSchema), view.changelog]);
  const hidden = [...catalog.metrics.keys(), ...catalog.unavailable.keys()].filter((name) => name !== "issues_created");
  expect(hidden.filter((name) => new RegExp(`\\b${name}\\b`).test(published))).toEqual([]);
});

test("an empty list publishes a schema that is valid and that nothing satisfies", () => {
  const view = catalogViews(catalog)([]);
  expect(view.metrics.size).toBe(0);
  expect(JSON.stringify(specJsonSchema(view))).toContain("(none)");
});

test("catalogs are kept for the lists in use, not for every list ever seen", () => {
  const viewOf = catalogViews(catalog);
  const first = viewOf(["velocity"]);
  for (let at = 0; at < 250; at += 1) viewOf(["lead_time", `x${at}`]);
  expect(viewOf(["velocity"])).not.toBe(first);
});
