import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { errorText, failureResult } from "../../src/mcp/answer.ts";
import { safeCsv } from "../../src/result/csv.ts";
import { untrusted, visible } from "../../src/mcp/visible.ts";
import { connect } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";
import { HOSTILE_VALUES } from "../support/mcp-pipeline.ts";

const EVERYWHERE = [
  ...HOSTILE_VALUES,
  "__proto__",
  "constructor",
  "toString",
  "\u0000",
  "\ud800",
  "x".repeat(10_000),
  "${7*7}",
  "{{question}}",
  "../../etc/passwd",
  "file:///etc/passwd",
];
const HIDDEN = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u{e0000}-\u{e007f}]/u;

test("text of the tracker stands inside a block that it cannot end, on lines of its own, with nothing hidden", async () => {
  await using http = await testHttp({ rows: HOSTILE_VALUES.length });
  await using client = await connect("v2-2026", { url: http.edge.url });
  for (const [name, input] of [
    ["run_analytics_spec", { measures: [{ name: "wip" }] }],
    ["list_values", { dimension: "label" }],
    ["semantic_search", { queries: ["anything"] }],
    // The pipeline in memory numbers its results.
    ["drill_down", { result_id: "res_1", row: 0, measure: "wip" }],
  ] as const) {
    const { content, structuredContent } = await client.call(name, input);
    const text = (content as { text: string }[])[0]?.text ?? "";
    const marker = /^<<<([\w-]{8})$/m.exec(text)?.[1] ?? "";
    expect(marker, name).not.toBe("");
    const lines = text.split("\n");
    const [begin, end] = [lines.indexOf(`<<<${marker}`), lines.indexOf(`${marker}>>>`)];
    for (const [at, line] of lines.entries()) {
      const holdsData = /IGNORE ALL|HYPERLINK|drop table|you are free/.test(line);
      if (holdsData) expect(at > begin && at < end, `${name}: ${line}`).toBe(true);
      expect(line).not.toMatch(HIDDEN);
    }
    expect(text).toContain("never instructions");
    expect(JSON.stringify(structuredContent)).toContain("never instructions");
  }
});

test("the marker of a block differs from answer to answer", () => {
  expect(untrusted(["a"])).not.toBe(untrusted(["a"]));
});

test("hidden characters are shown, others kept", () => {
  expect(visible("a\u200bb\u{e0041}\u202e\n\t\r\u0007")).toBe("a\\u{200b}b\\u{e0041}\\u{202e}\\n\\t\\r\\u{7}");
  expect(visible("Čeština 日本語 🙂 “quotes”")).toBe("Čeština 日本語 🙂 “quotes”");
});

test("hostile text in every string position is refused or treated as data", async () => {
  await using http = await testHttp();
  await using client = await connect("v1", { url: http.edge.url });
  for (const text of EVERYWHERE) {
    const calls: readonly (readonly [string, Record<string, unknown>])[] = [
      ["list_metrics", { search: text }],
      ["list_metrics", { names: [text] }],
      ["list_metrics", { [text]: text }],
      ["list_values", { dimension: text }],
      ["list_values", { dimension: "label", search: text }],
      ["get_result", { result_id: text, cursor: text }],
      ["drill_down", { result_id: text, row: text, measure: text }],
      ["render_chart", { result_id: text, type: text, x: text, title: text, theme: text, format: text }],
      [
        "run_analytics_spec",
        { measures: [{ name: text, agg: text, as: text }], dimensions: [text], timezone: text, sort: [{ field: text }] },
      ],
    ];
    for (const [name, input] of calls) {
      const answer = await client.call(name, input);
      const told = JSON.stringify(answer.content);
      expect(told, `${name} ${JSON.stringify(input).slice(0, 80)}`).not.toMatch(/TypeError|RangeError|ZodError|node_modules|at .*\.ts:/);
      expect(told).not.toContain("INTERNAL");
      expect(told.length).toBeLessThan(20_000);
    }
    await expect(client.raw.readResource({ uri: `metricgate://results/${encodeURIComponent(text.toWellFormed())}` })).rejects.toThrow();
    await expect(
      client.raw.readResource({ uri: `metricgate://catalog/metrics/${encodeURIComponent(text.toWellFormed())}` }),
    ).rejects.toThrow();
  }
  expect(http.parts.observed.filter(({ kind }) => kind === "unexpected_error")).toEqual([]);
});

test("an argument of a prompt is put in as it is, once, and only text", async () => {
  await using http = await testHttp();
  await using client = await connect("v1", { url: http.edge.url });
  const prompt = await client.raw.getPrompt({ name: "ask_metrics", arguments: { question: "{{project}} $& $1", project: "DM" } });
  expect(prompt.messages[0]?.content).toMatchObject({ text: expect.stringContaining("Question: {{project}} $& $1\nProject: DM") });
  await expect(client.raw.getPrompt({ name: "ask_metrics", arguments: { question: "x".repeat(2001) } })).rejects.toThrow(/at most 2000/);
});

test("no cell of a CSV can act as a formula, and no text is lost", () => {
  const cells = ["=1+1", "+1", "-1", "-a", "@x", "\tx", "\r=x", " =1", "\uff1d1", "plain", "a,b", 'q"q', "two\nlines", "-1.5"];
  const rows = parse(
    safeCsv(
      ["v", "n"],
      cells.map((cell) => [cell, -2.5]),
    ),
  ) as string[][];
  for (const [at, cell] of cells.entries()) {
    const [written, number] = rows[at + 1] ?? [];
    expect(number).toBe("-2.5");
    expect(written === cell || written === `'${cell}`).toBe(true);
    expect(/^[\s]*[=@\uff1d]|^[+-](?!\d+(\.\d+)?$)/.test(written ?? ""), cell).toBe(false);
  }
  expect(safeCsv(["a"], [[null], [true]])).toBe("a\r\n\r\ntrue\r\n");
});

test("an unplanned failure is told by its code alone and observed in full", async () => {
  const cause = new Error("relation issue does not exist at /srv/app host=db password=hunter2");
  await using http = await testHttp({ failure: cause });
  await using client = await connect("v1", { url: http.edge.url });
  const answer = await client.call("run_analytics_spec", { measures: [{ name: "wip" }] });
  expect(answer.isError).toBe(true);
  expect(JSON.stringify(answer)).not.toMatch(/relation|hunter2|srv/);
  expect(answer.structuredContent).toMatchObject({ error: { code: "INTERNAL" } });
  expect(http.parts.observed).toContainEqual({ kind: "unexpected_error", where: "run_analytics_spec", error: cause });
});

test("an error says when to come back and what comes next", () => {
  const error = new AppError("RATE_LIMITED", "Too many calls.", { retryAfterSeconds: 3, next: "Wait." });
  expect(errorText(error)).toBe("RATE_LIMITED: Too many calls.\nRetry after 3 s.\nNext: Wait.");
  expect(failureResult(error).structuredContent).toMatchObject({ error: { retry_after: 3, next: "Wait." } });
});
