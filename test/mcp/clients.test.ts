import { expect, test } from "vitest";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import type { Generation, Target, TestClient } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";

/** Every client over every transport. */
const MATRIX = GENERATIONS.flatMap((generation) => (["http", "stdio"] as const).map((transport) => ({ generation, transport })));
const WIP = { measures: [{ name: "wip" }] };

interface Connected {
  readonly client: TestClient;
}

async function withClient(
  generation: Generation,
  transport: "http" | "stdio",
  work: (connected: Connected) => Promise<void>,
  { rows = 3, delayMs = 0 } = {},
): Promise<void> {
  if (transport === "stdio") {
    await using client = await connect(generation, { stdio: { TEST_ROWS: String(rows), TEST_DELAY_MS: String(delayMs) } });
    await work({ client });
    return;
  }
  await using http = await testHttp({ rows, gate: () => new Promise((resolve) => setTimeout(resolve, delayMs)) });
  await using client = await connect(generation, { url: http.edge.url });
  await work({ client });
}

function textOf(result: { content: unknown }): string {
  return (result.content as { text: string }[])[0]?.text ?? "";
}

test.each(MATRIX)("$generation over $transport lists, asks, reads and completes", async ({ generation, transport }) => {
  await withClient(generation, transport, async ({ client: { raw, call } }) => {
    const { tools } = await raw.listTools();
    expect(tools.map((tool) => tool.name)).toEqual([
      "list_metrics",
      "list_values",
      "run_analytics_spec",
      "get_result",
      "drill_down",
      "semantic_search",
      "start_job",
      "get_job",
      "cancel_job",
    ]);
    expect(raw.getInstructions()).toContain("never SQL");

    const answer = await call("run_analytics_spec", WIP);
    expect(answer.isError ?? false).toBe(false);
    expect(answer.structuredContent).toMatchObject({ success: true, data: { total: 3 }, meta: { result_id: "res_1" } });

    const listed = await call("list_metrics", { search: "lead time" });
    expect(textOf(listed)).toContain("lead_time|days|p50");
    const values = await call("list_values", { dimension: "project_key", search: "dm" });
    expect(values.structuredContent).toMatchObject({ data: { values: [{ value: "DM" }] } });

    const { resources } = await raw.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual(
      ["metrics", "dimensions", "spec-schema", "changelog"].map((name) => `metricgate://catalog/${name}`),
    );
    const read = await raw.readResource({ uri: "metricgate://catalog/metrics/wip" });
    expect(JSON.parse((read.contents[0] as { text: string }).text)).toMatchObject({ name: "wip", unit: "issues" });
    const { resourceTemplates } = await raw.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      "metricgate://catalog/metrics/{name}",
      "metricgate://results/{id}.csv",
      "metricgate://results/{id}",
      "metricgate://jobs/{id}",
    ]);

    const { prompts } = await raw.listPrompts();
    expect(prompts.map(({ name }) => name)).toEqual([
      "ask_metrics",
      "explain_metric",
      "find_similar_issues",
      "sprint_review",
      "weekly_delivery_report",
    ]);
    const prompt = await raw.getPrompt({ name: "explain_metric", arguments: { metric: "wip" } });
    expect(prompt.messages[0]?.content).toMatchObject({ text: expect.stringContaining('`names` ["wip"]') });

    const metric = await raw.complete({ ref: { type: "ref/prompt", name: "explain_metric" }, argument: { name: "metric", value: "lead" } });
    expect(metric.completion.values[0]).toBe("lead_time");
    const project = await raw.complete({ ref: { type: "ref/prompt", name: "ask_metrics" }, argument: { name: "project", value: "DM" } });
    expect(project.completion.values).toContain("DM");
    const template = await raw.complete({
      ref: { type: "ref/resource", uri: "metricgate://catalog/metrics/{name}" },
      argument: { name: "name", value: "wip" },
    });
    expect(template.completion.values).toEqual(["wip"]);
  });
});

test.each(MATRIX)("$generation over $transport pages an answer to its end, as rows and as CSV", async ({ generation, transport }) => {
  await withClient(
    generation,
    transport,
    async ({ client: { raw, call } }) => {
      const first = await call("run_analytics_spec", WIP);
      const { data } = first.structuredContent as { data: { rows: unknown[]; next_cursor: string } };
      expect(data.rows).toHaveLength(50);
      expect(textOf(first)).toContain(`get_result {"result_id":"res_1","cursor":"${data.next_cursor}"}`);

      const second = await call("get_result", { result_id: "res_1", cursor: data.next_cursor, limit: 70 });
      expect(second.structuredContent).toMatchObject({ data: { next_cursor: null } });
      const csv = await call("get_result", { result_id: "res_1", format: "csv", limit: 5 });
      expect((csv.structuredContent as { data: { csv: string } }).data.csv.split("\r\n")).toHaveLength(7);

      const whole = await raw.readResource({ uri: "metricgate://results/res_1" });
      expect(JSON.parse((whole.contents[0] as { text: string }).text).data.rows).toHaveLength(120);
      const file = await raw.readResource({ uri: "metricgate://results/res_1.csv" });
      expect(file.contents[0]).toMatchObject({ mimeType: "text/csv" });
    },
    { rows: 120 },
  );
});

test.each(MATRIX)(
  "$generation over $transport is told every problem of a bad spec, in text and structure",
  async ({ generation, transport }) => {
    await withClient(generation, transport, async ({ client: { call } }) => {
      const answer = await call("run_analytics_spec", { measures: [{ name: "leed_time" }], dimensions: ["projct_key"], bogus: 1 });
      expect(answer.isError).toBe(true);
      const text = textOf(answer);
      expect(text).toMatch(/^SPEC_INVALID: /);
      expect(text).toMatch(/UNKNOWN_MEASURE: .*\(measures\[0\]\.name\)\. Allowed: .*Did you mean lead_time\?/);
      expect(text).toMatch(/UNKNOWN_DIMENSION: .*Did you mean project_key\?/);
      expect(text).toContain("bogus");
      expect(text).toMatch(/\nNext: /);
      expect(answer.structuredContent).toMatchObject({ success: false, error: { code: "SPEC_INVALID" } });

      const typo = await call("list_values", { dimenson: "project_key" });
      expect(textOf(typo)).toMatch(/\(dimenson\)\. Allowed: dimension, search, limit\. Did you mean dimension\?/);
      const unknown = await call("list_metrics", { names: ["lead_tme", "wip"] });
      expect(textOf(unknown)).toContain("Did you mean lead_time?");
      const absent = await call("get_result", { result_id: "res_none" });
      expect(textOf(absent)).toMatch(/^NOT_FOUND: /);
    });
  },
);

test.each(MATRIX)("$generation over $transport may send null for what it does not mean", async ({ generation, transport }) => {
  await withClient(generation, transport, async ({ client: { call } }) => {
    for (const [name, input] of [
      ["list_metrics", { search: null, names: null }],
      ["list_values", { dimension: "label", search: null, limit: null }],
      ["run_analytics_spec", { ...WIP, time: null, chart: null }],
    ] as const) {
      expect((await call(name, input)).isError ?? false, name).toBe(false);
    }
  });
});

test.each(MATRIX)("$generation over $transport hears of progress, stage by stage", async ({ generation, transport }) => {
  await withClient(
    generation,
    transport,
    async ({ client: { call } }) => {
      const heard: string[] = [];
      await call("run_analytics_spec", WIP, { onprogress: ({ message }) => heard.push(message ?? "") });
      // The last one may arrive together with the answer, and clients drop progress of a call that has been answered.
      expect(heard.slice(0, 4)).toEqual(["parse", "plan", "compile", "execute"]);
    },
    { delayMs: 300 },
  );
});

test.each(MATRIX)("$generation over $transport gets a protocol error for what does not exist", async ({ generation, transport }) => {
  await withClient(generation, transport, async ({ client: { raw, call } }) => {
    await expect(raw.readResource({ uri: "metricgate://catalog/metrics/nope" })).rejects.toMatchObject({ code: -32602 });
    await expect(raw.readResource({ uri: "metricgate://results/res_none" })).rejects.toMatchObject({ code: -32602 });
    await expect(raw.getPrompt({ name: "explain_metric", arguments: {} })).rejects.toThrow(/needs metric/);
    await expect(raw.getPrompt({ name: "explain_metric", arguments: { metric: "wip", mtric: "x" } })).rejects.toThrow(/no argument mtric/);
    await expect(raw.complete({ ref: { type: "ref/prompt", name: "nope" }, argument: { name: "x", value: "" } })).rejects.toThrow(
      /no such prompt/i,
    );
    await expect(call("no_such_tool", {})).rejects.toThrow(/not found/);
  });
});

test.each(GENERATIONS)("%s over http ends the running call when it cancels", async (generation) => {
  await using http = await testHttp({ gate: () => new Promise(() => undefined) });
  await using client = await connect(generation, { url: http.edge.url });
  const abort = new AbortController();
  const answer = client.call("run_analytics_spec", WIP, { signal: abort.signal });
  answer.catch(() => undefined);
  await expect.poll(() => http.parts.pipeline.seen.length).toBe(1);
  abort.abort();
  await expect(answer).rejects.toThrow();
  await expect.poll(() => http.parts.pipeline.cancelled).toBe(1);
  await expect
    .poll(() => http.parts.observed.find(({ kind }) => kind === "tool_called"))
    .toMatchObject({ outcome: "CANCELLED", tenantId: 7 });
});

test.each(GENERATIONS)("%s hears of a changed tool list and of a changed resource it follows", async (generation) => {
  await using http = await testHttp();
  await using client = await connect(generation, { url: http.edge.url });
  const heard: string[] = [];
  const { raw } = client;
  const target: Target = { url: http.edge.url };
  expect(target.url).toContain("/mcp");
  if (raw instanceof ClientV1) {
    raw.fallbackNotificationHandler = async ({ method }) => void heard.push(method);
    await raw.subscribeResource({ uri: "metricgate://catalog/metrics" });
  } else {
    raw.fallbackNotificationHandler = async ({ method }) => void heard.push(method);
    if (generation === "v2-2026") await raw.listen({ toolsListChanged: true, resourceSubscriptions: ["metricgate://catalog/metrics"] });
    else await raw.subscribeResource({ uri: "metricgate://catalog/metrics" });
  }
  await expect
    .poll(() => {
      http.edge.toolsChanged();
      http.edge.resourceUpdated("metricgate://catalog/metrics");
      http.edge.resourceUpdated("metricgate://catalog/dimensions");
      return [...new Set(heard)].toSorted();
    })
    .toEqual(["notifications/resources/updated", "notifications/tools/list_changed"]);
});
