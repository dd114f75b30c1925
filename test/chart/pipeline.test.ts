import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import { chartId, readChartId } from "../../src/chart/handle.ts";
import { createRenderer } from "../../src/chart/render/pool.ts";
import type { AppError } from "../../src/errors.ts";
import { importInto } from "../../src/ingest/import.ts";
import { createPipeline, type Pipeline } from "../../src/pipeline.ts";
import type { StoredResult } from "../../src/result/page.ts";
import { issue, status } from "../ingest/records.ts";
import { sourceOf } from "../ingest/support.ts";
import { shippedCatalog } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";
import { NO_WISH } from "./frames.ts";

const TENANT = testTenant({ id: 1, timezone: "America/Los_Angeles" });
const OTHER = testTenant({ id: 2 });
const ANN = testPrincipal(TENANT, "ann");
const NOW = new Date("2024-06-15T12:00:00Z");

const RECORDS = [
  status("Open", "new"),
  ...Array.from({ length: 40 }, (_, index) =>
    issue(`A-${index}`, {
      type: index % 3 === 0 ? "Bug" : "Story",
      createdAt: new Date(Date.UTC(2024, index % 6, 1 + (index % 27), 20)).toISOString(),
      labels: index % 2 === 0 ? ["ui", "api"] : [],
    }),
  ),
];

const BY_MONTH = { measures: [{ name: "issues_created" }], time: { grain: "month", from: "2024-01-01", to: "2024-07-01" } };
const BY_TYPE = { ...BY_MONTH, dimensions: ["issue_type"] };

interface Noted {
  readonly type: string;
  readonly reason: string;
  readonly alternatives: readonly string[];
  readonly uri: string;
}

describeOnEachDatabase("charts of stored results", (get) => {
  let pipeline: Pipeline;
  const renderer = createRenderer({ maxWorkers: 1 });
  beforeAll(async () => {
    await importInto(get().database, TENANT, { instanceId: "jira", source: sourceOf(RECORDS) });
    pipeline = createPipeline({
      catalog: await shippedCatalog(),
      database: () => Promise.resolve(get().database),
      results: memoryResultStore<StoredResult>({ maxBytes: 2 ** 24, maxTenantBytes: 2 ** 24 }),
      observe: () => undefined,
      now: () => NOW,
      renderer,
    });
  });
  afterAll(() => renderer.close());

  const failure = (work: Promise<unknown>): Promise<AppError> =>
    work.then(
      () => Promise.reject(new Error("it was answered")),
      (error: AppError) => error,
    );
  const noteOf = (chart: unknown): Noted => chart as Noted;

  test("a spec's chart is said in its answer, and drawn by its address as often as asked", async () => {
    const { meta } = await pipeline.run(ANN, { ...BY_TYPE, chart: { type: "stacked_bar", title: "Bugs" } });
    const note = noteOf(meta.chart);
    expect(note).toMatchObject({ type: "stacked_bar", reason: "stacked_bar: asked for" });
    expect(note.alternatives).toContain("multi_line");
    const id = note.uri.replace("metricgate://charts/", "");
    const chart = await pipeline.chart(ANN, { chart_id: id });
    expect(chart).toMatchObject({ type: "stacked_bar", title: "Bugs", uri: note.uri, rowCount: 12, meta: { result_id: meta.result_id } });
    expect(chart.content).toMatchObject({ format: "png", scale: 2 });
    const again = await pipeline.chart(ANN, { result_id: meta.result_id, type: "stacked_bar", title: "Bugs" });
    expect(again.uri).toBe(note.uri);
    expect(again.content).toEqual(chart.content);
    // A page of the same result says the same.
    expect((await pipeline.page(ANN, { result_id: meta.result_id })).meta.chart).toEqual(meta.chart);
    // Asked for the result's picture without a word of which, the spec's wish stands.
    expect(await pipeline.chart(ANN, { result_id: meta.result_id })).toMatchObject({ type: "stacked_bar", title: "Bugs", uri: note.uri });
    const retitled = await pipeline.chart(ANN, { result_id: meta.result_id, title: "Other", theme: "dark" });
    expect(retitled).toMatchObject({ type: "stacked_bar", title: "Other" });
    expect((await pipeline.chart(ANN, { result_id: meta.result_id, type: "grouped_bar" })).type).toBe("grouped_bar");
    expect((await pipeline.chart(ANN, { result_id: meta.result_id, type: "auto" })).reason).not.toContain("asked for");
    expect((await pipeline.run(ANN, BY_TYPE)).meta.chart).toBeNull();
  });

  test("without a type the answer decides; where a wish does not fit its rows, the note says so and names another", async () => {
    const auto = await pipeline.run(ANN, { ...BY_MONTH, chart: {} });
    expect(noteOf(auto.meta.chart)).toMatchObject({ type: "bar", reason: "bar: a count over 6 buckets of time" });
    const short = await pipeline.run(ANN, {
      ...BY_MONTH,
      time: { grain: "month", from: "2024-01-01", to: "2024-04-01" },
      chart: { type: "control" },
    });
    expect(noteOf(short.meta.chart).type).toBe("bar");
    expect(noteOf(short.meta.chart).reason).toContain("at least 6 buckets");
    const wishes = [
      { type: "stacked_bar", x: "issue_type", color: "issue_key", title: "Of all", theme: "dark" },
      // No type, and a facet that nothing can be parted by.
      { facet: "time", title: "Of all" },
    ];
    for (const chart of wishes) {
      const spec = chart.type === undefined ? BY_TYPE : { measures: BY_MONTH.measures, dimensions: ["issue_type", "issue_key"] };
      const { meta } = await pipeline.run(ANN, { ...spec, chart });
      const { type, reason, uri } = noteOf(meta.chart);
      expect(type).not.toBe(chart.type);
      expect(reason).toContain("because");
      expect(meta.chart).toMatchObject({ as_wished: false });
      // What the note names is what is drawn, by its address and by the result's.
      for (const request of [{ chart_id: uri.replace("metricgate://charts/", "") }, { result_id: meta.result_id }])
        expect(await pipeline.chart(ANN, request)).toMatchObject({ type, title: "Of all", uri });
    }
    const epics = {
      measures: BY_MONTH.measures,
      dimensions: ["issue_type"],
      filters: [{ field: "issue_type", op: "=", values: ["Epic"] }],
    };
    const none = await pipeline.run(ANN, { ...epics, chart: { type: "bar" } });
    expect(noteOf(none.meta.chart).reason).toBe("there are no rows to draw");
    expect((await failure(pipeline.chart(ANN, { result_id: none.meta.result_id }))).message).toContain("nothing to draw");
  });

  test("a wish that no rows could fulfil is refused before anything is run", async () => {
    const medians = { measures: [{ name: "lead_time" }], dimensions: ["issue_type"], chart: { type: "pie" } };
    const error = await failure(pipeline.run(ANN, medians));
    expect(error).toMatchObject({ code: "SPEC_INVALID", details: { problems: [{ code: "CHART_INVALID", path: "chart.type" }] } });
    expect(error.details.problems?.[0]?.allowed).toContain("horizontal_bar");
    const overlapping = { measures: [{ name: "issues_created" }], dimensions: ["label"], chart: { type: "donut" } };
    expect((await failure(pipeline.run(ANN, overlapping))).details.problems?.[0]?.message).toContain("count issues twice");
  });

  test("a chart belongs to whom its result belongs: for everybody else it is not there", async () => {
    const { meta } = await pipeline.run(ANN, { ...BY_MONTH, chart: {} });
    const id = chartId(meta.result_id, { ...NO_WISH, type: "bar" });
    const absent = await failure(pipeline.chart(ANN, { result_id: "res_none" }));
    const narrowed = testPrincipal(TENANT, "ann", { allowed: { metrics: ["lead_time"] } });
    for (const somebody of [testPrincipal(OTHER, "ann"), testPrincipal(TENANT, "ben"), narrowed]) {
      for (const request of [{ chart_id: id }, { result_id: meta.result_id }]) {
        const foreign = await failure(pipeline.chart(somebody, request));
        expect([foreign.code, foreign.message, foreign.details.next]).toEqual([absent.code, absent.message, absent.details.next]);
      }
    }
    expect((await pipeline.chart(ANN, { chart_id: id })).type).toBe("bar");
  });

  test.each([
    "",
    "chart_",
    "chart_!!!",
    "res_x",
    `chart_${Buffer.from('["res_x"]').toString("base64url")}`,
    `chart_${"A".repeat(9000)}`,
    "../../etc",
  ])("a handle that is none of ours (%#) is a chart that is not there", async (id) => {
    expect((await failure(pipeline.chart(ANN, { chart_id: id }))).code).toBe("NOT_FOUND");
  });

  test("a handle that its bearer rewrote is checked as a request is", async () => {
    const { meta } = await pipeline.run(ANN, BY_MONTH);
    const odd = chartId(meta.result_id, { ...NO_WISH, type: "image", x: "__proto__", theme: "url(x)" });
    const error = await failure(pipeline.chart(ANN, { chart_id: odd }));
    expect(error.details.problems?.map(({ path }) => path)).toEqual(["type", "theme", "x"]);
    expect(readChartId(chartId("res_1", { ...NO_WISH, title: "é" }))).toEqual({ resultId: "res_1", wish: { ...NO_WISH, title: "é" } });
  });

  test("every problem of a request at once, with the nearest names", async () => {
    const { meta } = await pipeline.run(ANN, BY_TYPE);
    const error = await failure(pipeline.chart(ANN, { result_id: meta.result_id, type: "stacked_bars", x: "tme", title: "x".repeat(201) }));
    expect(error).toMatchObject({
      code: "SPEC_INVALID",
      details: { problems: [{ suggestion: "stacked_bar" }, { code: "LIMIT_EXCEEDED" }, { suggestion: "time" }] },
    });
  });

  test("days stand where the tenant's zone has them, whatever zone the server is in", async () => {
    const { meta } = await pipeline.run(ANN, BY_MONTH);
    const { content } = await pipeline.chart(ANN, { result_id: meta.result_id, type: "line", format: "svg" });
    const labels = content.format === "svg" ? [...content.svg.matchAll(/>(Jan|Feb|Mar|Apr|May|Jun|Dec)</g)].map(([, month]) => month) : [];
    expect(labels).toEqual(["Jan", "Feb", "Mar", "Apr", "May", "Jun"]);
  });

  test("a specification for a client's own Vega holds data, and no address but its language's name", async () => {
    const { meta } = await pipeline.run(ANN, BY_TYPE);
    const { content } = await pipeline.chart(ANN, { result_id: meta.result_id, type: "multi_line", format: "vega_lite" });
    const text = content.format === "vega_lite" ? JSON.stringify(content.spec) : "";
    expect(text.match(/https?:\/\/[^"]+/g)).toEqual(["https://vega.github.io/schema/vega-lite/v6.json"]);
    expect(text).toContain(`"result_id":"${meta.result_id}"`);
    expect(text).not.toMatch(/"(url|href)":/);
  });

  test("a caller who leaves ends the drawing", async () => {
    const { meta } = await pipeline.run(ANN, BY_MONTH);
    expect((await failure(pipeline.chart(ANN, { result_id: meta.result_id }, { signal: AbortSignal.abort() }))).code).toBe("CANCELLED");
  });
});
