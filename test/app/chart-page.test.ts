import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, chromium, type FrameLocator, type Page } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CASES, type GalleryCase } from "../../scripts/gallery/cases.ts";
import { openStage, type Stage } from "../../scripts/gallery/stage.ts";
import { toAppError } from "../../src/errors.ts";
import { failureResult, successResult } from "../../src/mcp/answer.ts";
import { toolsOf } from "../../src/mcp/server.ts";
import { must } from "../../src/must.ts";
import { specJsonSchema } from "../../src/spec/json-schema.ts";
import { CATALOG_DIRECTORY } from "../support/answers.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = join(ROOT, "assets/app/chart.html");
/** Debian's and Ubuntu's name, and where a developer says otherwise. */
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
/** Screenshots to look at, where wanted. */
const SHOTS = process.env["APP_SCREENSHOTS"];

// Without a browser there is nothing to look at; with CI=true that is a failure.
describe.skipIf(!existsSync(CHROMIUM) && process.env["CI"] !== "true")("the chart page", () => {
  let stage: Stage;
  let browser: Browser;
  let server: Server;
  let page: Page;
  let html = "";
  let address = "";
  let requests: string[] = [];
  let problems: string[] = [];
  let calls: { name: string; input: Record<string, unknown> }[] = [];

  beforeAll(async () => {
    execFileSync(process.execPath, [join(ROOT, "scripts/build-app.ts")]);
    html = readFileSync(PAGE, "utf8");
    const bundle = await rolldown({ input: join(import.meta.dirname, "host.ts"), platform: "browser", logLevel: "silent" });
    const { output } = await bundle.generate({ format: "iife" });
    await bundle.close();
    const script = output[0].code.replaceAll("</script", String.raw`<\/script`);
    server = createServer((_, response) =>
      response.setHeader("content-type", "text/html").end(`<!doctype html><body style="margin:0"><script>${script}</script>`),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    [stage, browser] = await Promise.all([
      openStage(CATALOG_DIRECTORY),
      chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] }),
    ]);
  });

  afterAll(async () => {
    await browser.close();
    await stage.close();
    await new Promise((resolve) => server.close(resolve));
  });

  beforeEach(async () => {
    [requests, problems, calls] = [[], [], []];
    page = await browser.newPage({ viewport: { width: 900, height: 920 } });
    page.on("request", (request) => requests.push(request.url()));
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" || /Content Security/.test(message.text())) problems.push(message.text());
    });
    await page.exposeFunction("callTool", callTool);
    await page.goto(address);
  });

  afterEach(async () => {
    await page.close();
    // The host's own page, and nothing that the chart page asked for or was kept from.
    const asked = requests.filter((url) => !/^(data:|about:)/.test(url) && url !== address && !url.endsWith("/favicon.ico"));
    const found = [...asked, ...problems.filter((text) => !text.includes("favicon"))];
    if (found.length > 0) throw new Error(found.join("\n"));
  });

  /** The server's own tools, as its clients call them. */
  async function callTool(name: string, input: Record<string, unknown>): Promise<unknown> {
    calls.push({ name, input });
    const { catalog } = stage.pipeline;
    const tool = must(
      toolsOf(catalog, specJsonSchema(catalog)).find((one) => one.name === name),
      name,
    );
    try {
      return JSON.parse(
        JSON.stringify(
          successResult(await tool.handle(input, { principal: stage.principals.demo, pipeline: stage.pipeline, options: {} })),
        ),
      ) as unknown;
    } catch (error) {
      return failureResult(toAppError(error));
    }
  }

  async function opened(type: string, theme: "light" | "dark" = "light"): Promise<FrameLocator> {
    const shown: GalleryCase = must(
      CASES.find((one) => one.type === type),
      type,
    );
    const { meta } = await stage.pipeline.run(stage.principals.demo, shown.spec);
    const input = { result_id: meta.result_id, type, ...shown.wish };
    const result = await callTool("render_chart", input);
    await page.evaluate((hosting) => (globalThis as unknown as { show(hosting: unknown): Promise<void> }).show(hosting), {
      html,
      input,
      result,
      theme,
    });
    const frame = page.frameLocator("iframe");
    await frame.locator("#chart svg").waitFor();
    return frame;
  }

  async function shot(name: string): Promise<void> {
    if (SHOTS === undefined) return;
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }

  test("shows the chart, points out its numbers, and opens one up into its issues", async () => {
    const frame = await opened("stacked_bar");
    await shot("stacked");
    expect(await frame.locator("#chart [role=graphics-document]").getAttribute("aria-label")).toMatch(/^Stacked bar chart: /);
    const bars = frame.locator("#chart svg .mark-rect path[aria-roledescription=bar]");
    expect(await bars.count()).toBeGreaterThan(30);
    const bar = frame.locator("#chart svg .mark-rect path[aria-roledescription=bar][aria-label*=Story]").nth(3);
    const box = must(await bar.boundingBox(), "a bar on the page");
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await expect.poll(() => frame.locator("#tip").textContent()).toMatch(/\d{4}.*Story.*\d/);
    await shot("tooltip");
    await page.mouse.click(x, y);
    await frame.locator("#issues table").waitFor();
    const { input } = must(
      calls.findLast(({ name }) => name === "drill_down"),
      "a drill-down",
    );
    expect(input).toMatchObject({ measure: "issues_created", row: expect.stringMatching(/^\d+$/) });
    expect(await frame.locator("#issues tbody tr").count()).toBeGreaterThan(0);
    await shot("issues");
    await frame.getByText("Close").click();
    await frame.locator("#issues").waitFor({ state: "hidden" });
  });

  test("a legend hides and shows a series", async () => {
    const frame = await opened("stacked_bar");
    const bars = frame.locator("#chart svg .mark-rect path[aria-roledescription=bar]");
    const all = await bars.count();
    await frame.locator("#chart .role-legend-label text", { hasText: "Story" }).click({ force: true });
    await expect.poll(() => bars.count()).toBeLessThan(all);
    await shot("hidden");
    await frame.locator("#hidden button").click();
    await expect.poll(() => bars.count()).toBe(all);
  });

  test("changes its type to one that fits the same answer", async () => {
    const frame = await opened("multi_line");
    const types = frame.locator("#types button");
    expect(await types.first().getAttribute("aria-pressed")).toBe("true");
    for (const type of ["heatmap", "small_multiples"]) {
      await frame.locator(`#types button[data-type=${type}]`).click();
      await expect.poll(() => types.first().getAttribute("data-type")).toBe(type);
      await shot(type);
    }
  });

  test("shows the rows of the result", async () => {
    const frame = await opened("horizontal_bar");
    await frame.locator("#table").click();
    await frame.locator("#rows table").waitFor();
    expect(await frame.locator("#rows tbody tr").count()).toBe(17);
    await shot("table");
    await frame.locator("#table").click();
    await frame.locator("#rows").waitFor({ state: "hidden" });
  });

  test("follows its host into the dark and back", async () => {
    const frame = await opened("line", "dark");
    const title = frame.locator("#chart .role-title-text text").first();
    await expect.poll(() => title.getAttribute("fill")).toBe("#e9ecf0");
    await shot("dark");
    await page.evaluate(() => (globalThis as unknown as { setTheme(theme: string): void }).setTheme("light"));
    await expect.poll(() => title.getAttribute("fill")).toBe("#1f2328");
  });

  test("says what the server refuses, in its words", async () => {
    const shown = must(CASES[0], "a case");
    const { meta } = await stage.pipeline.run(stage.principals.demo, shown.spec);
    const input = { result_id: meta.result_id, type: "pie" };
    const result = await callTool("render_chart", input);
    await page.evaluate((hosting) => (globalThis as unknown as { show(hosting: unknown): Promise<void> }).show(hosting), {
      html,
      input,
      result,
      theme: "light",
    });
    const problem = page.frameLocator("iframe").locator("#problem");
    await expect.poll(() => problem.textContent()).toContain("CHART_INVALID: pie: needs a dimension");
  });
});
