import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compose } from "../../src/chart/compose.ts";
import type { Frame } from "../../src/chart/field.ts";
import { KINDS } from "../../src/chart/kinds.ts";
import { createRenderer } from "../../src/chart/render/pool.ts";
import type { Picture } from "../../src/chart/render/request.ts";
import { assertHarmless } from "../../src/chart/render/svg.ts";
import type { SpecChart } from "../../src/spec/spec.ts";
import { count, days, dimension, frame, months, NO_WISH, ratio, time } from "./frames.ts";

const renderer = createRenderer({ maxWorkers: 1 });
let server: Server;
let hits = 0;
const folder = mkdtempSync(join(tmpdir(), "metricgate-bait-"));
const bait = join(folder, "bait.png");
/** A file that was read shows in the picture: no chart of ours has this colour. */
const BAIT_COLOR = [255, 0, 255, 255];
let texts: string[] = [];

beforeAll(async () => {
  server = createServer((_, response) => {
    hits += 1;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/leak`;
  const picture = new PNG({ width: 2, height: 2 });
  for (let at = 0; at < picture.data.length; at += 4) picture.data.set(BAIT_COLOR, at);
  writeFileSync(bait, PNG.sync.write(picture));
  texts = [
    "<script>fetch('http://evil.example')</script>",
    `</text><image href="${bait}"/><text>`,
    `"><image xlink:href="${url}"/>`,
    "javascript:alert(1)",
    url,
    `file://${bait}`,
    bait,
    `url(${url})`,
    `<!DOCTYPE x [<!ENTITY e SYSTEM "file://${bait}">]>&e;`,
    "{{constructor.constructor('return process')()}}",
    "datum.constructor.constructor('return 1')()",
    "'+utcFormat(0)+'",
    "مرحبا بالعالم",
    "שלום \u202eabc",
    "👩‍👩‍👧‍👦🏳️‍🌈 emoji",
    "工作流程",
    "a\u0000b\u0001\ufffe\ud800",
    "Z̸̢̛a̵lg̷o̸",
    "=1+1",
    "__proto__",
    "constructor",
    "",
    "x".repeat(5000),
  ];
});

afterAll(async () => {
  await renderer.close();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function drawn(answer: Frame, wish: Partial<SpecChart>, format: "png" | "svg"): Promise<Picture> {
  const { spec, title, description } = compose(answer, { ...NO_WISH, ...wish }, "");
  return renderer.render({ spec, title, description, format, scale: 1, maxBytes: 700_000 });
}

function svgOf(picture: Picture): string {
  return picture.format === "svg" ? picture.svg : "";
}

function hasBait(picture: Picture): boolean {
  const { data } = PNG.sync.read(Buffer.from(picture.format === "png" ? picture.png : []));
  for (let at = 0; at < data.length; at += 4) if (data[at] === 255 && data[at + 1] === 0 && data[at + 2] === 255) return true;
  return false;
}

/** What is drawn, without the words in it. */
function markupOf(svg: string): string {
  return svg.replaceAll(/>[^<]*</g, "><").replaceAll(/aria-label="[^"]*"/g, "");
}

const hostileRows = (many = texts.length) => texts.slice(0, many).map((text, index) => [text, index + 1, index + 3]);

test.each([
  "horizontal_bar",
  "bar",
  "scatter",
  "pie",
  "pareto",
  "funnel",
  "dumbbell",
  "table",
  "lollipop",
  "slope",
  "bullet",
  "waterfall",
] as const)("hostile names in a %s are text and nothing else", async (type) => {
  const [one, two] =
    type === "scatter" || type === "dumbbell" || type === "bullet" || type === "slope" ? [count("a"), count("b")] : [count("a")];
  const few = type === "funnel" || type === "slope" ? 10 : 20;
  const rows = hostileRows(few).map((row) => (two === undefined ? row.slice(0, 2) : row));
  const answer = frame([dimension("d"), one, ...(two === undefined ? [] : [two])], rows);
  const svg = svgOf(await drawn(answer, { type, title: texts[0] ?? "" }, "svg"));
  expect(/<script|<image|<foreignObject|<a[\s>]|href=|\son\w+=/i.exec(markupOf(svg))).toBeNull();
  expect(svg.includes("&lt;script&gt;")).toBe(true);
  const png = await drawn(answer, { type, title: texts[1] ?? "" }, "png");
  expect(png.format === "png" && PNG.sync.read(Buffer.from(png.png)).width).toBe(png.width);
  expect(hasBait(png)).toBe(false);
  expect(hits).toBe(0);
});

test("hostile series, panels and measure labels are text too", async () => {
  const rows = months(3).flatMap((month) => texts.slice(0, 6).map((text, index) => [month, text, index + 1]));
  const measure = { ...count("a"), label: texts[1] ?? "" };
  for (const type of ["multi_line", "stacked_bar", "small_multiples", "heatmap", "grouped_bar", "stacked_area"] as const) {
    const svg = svgOf(await drawn(frame([time, dimension("d", { label: texts[0] ?? "" }), measure], rows), { type, theme: "dark" }, "svg"));
    expect(/<script|<image|href=/i.exec(markupOf(svg)), type).toBeNull();
  }
  expect(hits).toBe(0);
});

test("the bait would be seen", async () => {
  const { Resvg } = await import("@resvg/resvg-js");
  const png = new Resvg(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="${bait}" width="9" height="9"/></svg>`)
    .render()
    .asPng();
  expect(hasBait({ format: "png", png, width: 9, height: 9, scale: 1 })).toBe(true);
});

test("the last look refuses what no chart of ours holds", () => {
  for (const held of [
    '<image href="x"/>',
    "<script>1</script>",
    '<a xlink:href="x">y</a>',
    '<rect onload="x"/>',
    '<rect fill="url(http://x)"/>',
    "<foreignObject/>",
  ])
    expect(() => assertHarmless(`<svg>${held}</svg>`), held).toThrow();
  expect(() =>
    assertHarmless('<svg aria-label="onclick= href="><text>href= onload=</text><g clip-path="url(#clip1)"/></svg>'),
  ).not.toThrow();
});

/** What a specification could be made to do if one ever got through from outside. */
test.each([
  [
    "data from an address",
    () => ({
      data: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.json` },
      mark: "bar",
      encoding: { x: { field: "a" } },
    }),
  ],
  ["data from a file", () => ({ data: { url: bait }, mark: "bar", encoding: { x: { field: "a" } } })],
  [
    "a picture from a file",
    () => ({ data: { values: [{ a: bait }] }, mark: { type: "image", width: 9, height: 9 }, encoding: { url: { field: "a" } } }),
  ],
  [
    "a link",
    () => ({ data: { values: [{ a: "javascript:alert(1)" }] }, mark: "bar", encoding: { x: { field: "a" }, href: { field: "a" } } }),
  ],
  [
    "the way to the runtime",
    () => ({
      data: { values: [{ a: 1 }] },
      transform: [{ calculate: "datum.constructor.constructor('return process')()", as: "b" }],
      mark: "point",
    }),
  ],
])("%s comes to nothing, and the renderer lives on", async (_, spec) => {
  const asked = { spec: spec(), title: "t", description: "d", scale: 1, maxBytes: 700_000 };
  const outcome = await renderer.render({ ...asked, format: "svg" }).then(svgOf, () => "refused");
  expect(/<image|javascript:|href=/.exec(markupOf(outcome))).toBeNull();
  const seen = await renderer.render({ ...asked, format: "png" }).then(hasBait, () => false);
  expect(seen).toBe(false);
  expect(hits).toBe(0);
  expect(svgOf(await drawn(frame([dimension("d"), count("a")], [["x", 1]]), { type: "bar" }, "svg"))).toContain("<svg");
});

test("300,000 marks end in bounded time and memory", { timeout: 30_000 }, async () => {
  const spec = {
    data: { sequence: { start: 0, stop: 300_000, as: "x" } },
    mark: "point",
    encoding: { x: { field: "x", type: "quantitative" }, y: { field: "x", type: "quantitative" } },
  };
  const startMs = performance.now();
  const outcome = await renderer
    .render({ spec, title: "t", description: "d", format: "png", scale: 1, maxBytes: 700_000 }, { timeoutMs: 4000 })
    .then(
      () => "ok",
      (error: { code: string }) => error.code,
    );
  expect(["TIMEOUT", "TOO_LARGE"]).toContain(outcome);
  expect(performance.now() - startMs).toBeLessThan(8000);
  expect(svgOf(await drawn(frame([dimension("d"), count("a")], [["x", 1]]), { type: "bar" }, "svg"))).toContain("<svg");
});

test("no number, and numbers that are none, are gaps", async () => {
  const odd = [Number.NaN, Infinity, -Infinity, null, 1e300, -1e300, 5e-324, 0, -0, Number.MAX_SAFE_INTEGER];
  const rows = months(odd.length).map((month, index) => [month, odd[index] ?? null]);
  for (const type of ["line", "bar", "area", "control", "histogram", "kpi", "table"] as const) {
    const svg = svgOf(await drawn(frame([time, days("a")], rows), { type }, "svg"));
    expect(/NaN|Infinity|undefined/.exec(svg)?.input.slice(0, 200) ?? null, type).toBeNull();
  }
  const empty = frame(
    [time, ratio("a")],
    months(8).map((month) => [month, null]),
  );
  for (const type of ["line", "bar", "heatmap", "kpi", "table"] as const) {
    if (type === "heatmap") continue;
    expect(svgOf(await drawn(empty, { type }, "svg"))).toContain("<svg");
  }
});

test("every picture says what it shows to whoever cannot see it", async () => {
  const svg = svgOf(
    await drawn(
      frame(
        [time, count("a")],
        months(3).map((month, index) => [month, index]),
      ),
      { title: 'A "title" & more' },
      "svg",
    ),
  );
  expect(svg).toMatch(
    /^<svg role="img" aria-label="Bar chart: A &quot;title&quot; &amp; more\. 3 rows\. a \(issues\) from 0 \(Jan 2024\) to 2 \(Mar 2024\), last 2 \(Mar 2024\)\."/,
  );
  expect(svg).toContain("<title>A &quot;title&quot; &amp; more</title><desc>");
});

test("text is really there, in the bundled typeface alone", async () => {
  const inkOf = async (label: string): Promise<number> => {
    const picture = await drawn(frame([dimension("d"), count("a")], [[label, 1]]), { type: "horizontal_bar", title: "t" }, "png");
    const { data } = PNG.sync.read(Buffer.from(picture.format === "png" ? picture.png : []));
    let ink = 0;
    for (let at = 0; at < data.length; at += 4)
      if ((data[at] ?? 255) < 140 && Math.abs((data[at] ?? 0) - (data[at + 2] ?? 0)) < 24) ink += 1;
    return ink;
  };
  expect(await inkOf("mmmmmmmmmmmmmmmm")).toBeGreaterThan((await inkOf("i")) + 100);
});

test("typefaces that an operator names are taken, and one that is none does no harm", async () => {
  const { spec, title, description } = compose(frame([dimension("d"), count("a")], [["x", 1]]), { ...NO_WISH, title: "مرحبا" }, "");
  const asked = { spec, title, description, format: "png", scale: 1, maxBytes: 700_000 } as const;
  const others = createRenderer({ maxWorkers: 1, fontFiles: [bait, join(import.meta.dirname, "../../assets/fonts/Inter-SemiBold.ttf")] });
  try {
    expect(await others.render(asked)).toMatchObject({ format: "png", width: expect.any(Number) });
  } finally {
    await others.close();
  }
});

test("a picture that would be too large is drawn with fewer pixels, or refused", async () => {
  const { spec, title, description } = compose(
    frame(
      [dimension("d"), count("a")],
      hostileRows(20).map((row) => row.slice(0, 2)),
    ),
    NO_WISH,
    "",
  );
  const full = await renderer.render({ spec, title, description, format: "png", scale: 2, maxBytes: 700_000 });
  const bytes = full.format === "png" ? full.png.length : 0;
  const smaller = await renderer.render({ spec, title, description, format: "png", scale: 2, maxBytes: bytes - 1 });
  expect(smaller).toMatchObject({ scale: 1.5, width: full.width });
  await expect(renderer.render({ spec, title, description, format: "png", scale: 2, maxBytes: 100 })).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
  await expect(renderer.render({ spec, title, description, format: "svg", scale: 2, maxBytes: 100 })).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
});

test("every type says what it needs", () => {
  for (const [type, { needs }] of Object.entries(KINDS)) expect(needs.length, type).toBeGreaterThan(5);
});
