import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadPrompts, parsePrompt } from "../../src/mcp/prompt-files.ts";
import { readyPrompts } from "../../src/mcp/prompts.ts";
import { shippedCatalog } from "../support/mcp-pipeline.ts";

const PROMPT = "---\nname: a\ntitle: A\ndescription: d\narguments:\n  - name: x\n    description: the x\n---\nSay {{x}}.\n";

test("a prompt is its front matter and its text", () => {
  expect(parsePrompt(PROMPT, "a.md")).toMatchObject({
    name: "a",
    title: "A",
    arguments: [{ name: "x", required: false }],
    body: "Say {{x}}.",
  });
});

test.each([
  ["no front matter", "Say.", /begins with no front matter/],
  ["broken YAML", "---\nname: [\n---\nx", /a\.md/],
  ["a missing title", "---\nname: a\ndescription: d\n---\nx", /title/],
  ["an unknown key", "---\nname: a\ntitle: A\ndescription: d\nbogus: 1\n---\nx", /bogus/],
  ["a bad name", "---\nname: A b\ntitle: A\ndescription: d\n---\nx", /lower_snake_case/],
  ["an undeclared place", "---\nname: a\ntitle: A\ndescription: d\n---\n{{y}}", /\{\{y\}\} is not among/],
  ["an unused argument", PROMPT.replace("{{x}}", "it"), /x is not used/],
  ["no text", "---\nname: a\ntitle: A\ndescription: d\n---\n\n", /has no text/],
])("%s is an error that names the file", (_what, source, message) => {
  expect(() => parsePrompt(source, "a.md")).toThrow(message);
  expect(() => parsePrompt(source, "a.md")).toThrow(/prompts\/a\.md/);
});

test("two prompts of one name are refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prompts-"));
  await writeFile(join(folder, "a.md"), PROMPT);
  await writeFile(join(folder, "b.md"), PROMPT);
  await expect(loadPrompts(folder)).rejects.toThrow("prompts/b.md: a is also the name of prompts/a.md");
});

test("the shipped prompts are the ones of the contract and complete from what exists", async () => {
  const prompts = await loadPrompts(new URL("../../prompts", import.meta.url).pathname);
  expect(prompts.map(({ name }) => name)).toEqual([
    "ask_metrics",
    "explain_metric",
    "find_similar_issues",
    "sprint_review",
    "weekly_delivery_report",
  ]);
  expect(readyPrompts(prompts, await shippedCatalog())).toHaveLength(5);
});

test("a prompt that completes from nothing known is refused", async () => {
  const prompt = parsePrompt(PROMPT.replace("the x", "the x\n    completes: planets"), "a.md");
  const catalog = await shippedCatalog();
  expect(() => readyPrompts([prompt], catalog)).toThrow(/planets/);
});

test("every spec and metric that a prompt shows is one that the catalog can answer", async () => {
  const catalog = await shippedCatalog();
  const { parseSpec } = await import("../../src/spec/parse.ts");
  const prompts = await loadPrompts(new URL("../../prompts", import.meta.url).pathname);
  const specs = prompts.flatMap(({ body }) => [...body.matchAll(/```json\n(.*?)\n```/gs)].map((match) => match[1] ?? ""));
  expect(specs.length).toBeGreaterThanOrEqual(4);
  for (const spec of specs)
    expect(parseSpec(JSON.parse(spec), { catalog, defaultTimezone: "UTC", maxRows: 1000 }), spec).toHaveProperty("spec");
  const names = new Set([
    ...catalog.metrics.keys(),
    ...catalog.dimensions.keys(),
    "list_metrics",
    "list_values",
    "run_analytics_spec",
    "semantic_search",
    "data_as_of",
    "similar_to",
    "result_id",
    "last_quarter",
  ]);
  for (const { name, body } of prompts) {
    for (const [word] of body
      .replace(/```.*?```/gs, "")
      .replace(/\{\{\w+\}\}/g, "")
      .matchAll(/\b[a-z]+(?:_[a-z]+)+\b/g)) {
      expect(names.has(word) || ["last_week", "previous_period"].includes(word), `${name}: ${word}`).toBe(true);
    }
  }
});
