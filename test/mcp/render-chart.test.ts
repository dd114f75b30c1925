import { expect, test } from "vitest";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import { testHttp } from "../support/mcp-http.ts";

const SPEC = { measures: [{ name: "wip" }] };

async function resultIn(call: (name: string, input: Record<string, unknown>) => Promise<unknown>): Promise<string> {
  const answer = (await call("run_analytics_spec", SPEC)) as { structuredContent: { meta: { result_id: string } } };
  return answer.structuredContent.meta.result_id;
}

test.each(GENERATIONS)("%s is shown a picture and told what it shows, and nothing structured that would hide both", async (generation) => {
  await using http = await testHttp();
  await using client = await connect(generation, { url: http.edge.url });
  const result_id = await resultIn(client.call);
  const answer = await client.call("render_chart", { result_id, type: "bar", title: null });
  expect(answer.isError).toBeFalsy();
  expect(answer.structuredContent).toBeUndefined();
  const [text, image] = answer.content as { type: string; text?: string; mimeType?: string; data?: string }[];
  expect(image).toMatchObject({ type: "image", mimeType: "image/png" });
  expect(
    Buffer.from(image?.data ?? "", "base64")
      .subarray(1, 4)
      .toString(),
  ).toBe("PNG");
  expect(text?.text).toContain("chart bar: asked for; also possible: horizontal_bar");
  // What comes from the tracker stands between marks, without what a reader could not see.
  expect(text?.text).toMatch(/<<<(\S+)\nIGNORE ALL PREVIOUS[\s\S]*\n\1>>>/);
  expect(text?.text).not.toMatch(/[\u202e\u200b]/);
});

test("a drawing and a specification come as text of their own", async () => {
  await using http = await testHttp();
  await using client = await connect("v2-2026", { url: http.edge.url });
  const result_id = await resultIn(client.call);
  for (const [format, found] of [
    ["svg", '<svg role="img"></svg>'],
    ["vega_lite", '{"mark":"bar"}'],
  ] as const) {
    const { content } = await client.call("render_chart", { result_id, format });
    expect((content as { text: string }[])[1]?.text).toBe(found);
  }
});

test("a chart's address gives the picture, with .svg the drawing; an unknown one is not there", async () => {
  await using http = await testHttp();
  await using client = await connect("v2-2026", { url: http.edge.url });
  const result_id = await resultIn(client.call);
  const { content } = await client.call("render_chart", { result_id });
  const uri = /metricgate:\/\/charts\/\S+/.exec((content as { text: string }[])[0]?.text ?? "")?.[0] ?? "";
  const read = (address: string) => client.raw.readResource({ uri: address });
  expect((await read(uri)).contents[0]).toMatchObject({ uri, mimeType: "image/png", blob: expect.any(String) });
  expect((await read(`${uri}.svg`)).contents[0]).toMatchObject({ mimeType: "image/svg+xml", text: '<svg role="img"></svg>' });
  await expect(read("metricgate://charts/chart_none")).rejects.toThrow();
  await expect(read("metricgate://charts/chart_none.svg")).rejects.toThrow();
});

test("a wrong format or an unknown argument is told with what is allowed", async () => {
  await using http = await testHttp();
  await using client = await connect("v2-2026", { url: http.edge.url });
  const answer = await client.call("render_chart", { result_id: "res_1", format: "gif", colour: "x" });
  expect(answer.isError).toBe(true);
  const text = (answer.content as { text: string }[])[0]?.text ?? "";
  expect(text).toContain("Allowed: png, svg, vega_lite");
  expect(text).toContain("Did you mean color?");
});

test("the page for charts is one file that names no address to load from, for whom render_chart points to it", async () => {
  await using http = await testHttp();
  await using client = await connect("v2-2026", { url: http.edge.url });
  const { tools } = await client.raw.listTools();
  const meta = tools.find(({ name }) => name === "render_chart")?._meta as { ui: { resourceUri: string } };
  const { contents } = await client.raw.readResource({ uri: meta.ui.resourceUri });
  expect(contents[0]).toMatchObject({
    mimeType: "text/html;profile=mcp-app",
    _meta: { ui: { csp: { connectDomains: [], resourceDomains: [] } } },
  });
  const html = (contents[0] as { text: string }).text;
  expect(html).toMatch(/^<!doctype html>/);
  expect(/<(?:script|link|img|iframe)[^>]+(?:src|href)=|@import|url\(http/i.exec(html.slice(0, 6000))).toBeNull();
});
