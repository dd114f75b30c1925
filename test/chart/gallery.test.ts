import { readFileSync } from "node:fs";
import { join } from "node:path";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CASES, type GalleryCase } from "../../scripts/gallery/cases.ts";
import { galleryPage, imageFile } from "../../scripts/gallery/page.ts";
import { openStage, type Stage } from "../../scripts/gallery/stage.ts";
import type { Chart } from "../../src/chart/chart.ts";
import { KINDS } from "../../src/chart/kinds.ts";
import { must } from "../../src/must.ts";
import { CATALOG_DIRECTORY } from "../support/answers.ts";

/** Part of a picture's pixels that may differ: another processor rounds another way at edges. */
const TOLERANCE = 0.002;
const ROOT = join(import.meta.dirname, "../..");

let opened: Stage | undefined;
const drawn = new Map<GalleryCase, Chart>();
beforeAll(async () => {
  opened = await openStage(CATALOG_DIRECTORY);
});
afterAll(() => opened?.close());

const pixelsOf = (png: Uint8Array): PNG => PNG.sync.read(Buffer.from(png));

test("the gallery shows every type there is, once", () => {
  expect(CASES.map(({ type }) => type).toSorted()).toEqual(Object.keys(KINDS).toSorted());
});

test.each(CASES.flatMap((shown) => (["light", "dark"] as const).map((theme) => [`${shown.type}, ${theme}`, shown, theme] as const)))(
  "%s is drawn as it was accepted by eye",
  async (_, shown, theme) => {
    const chart = await must(opened, "the stage").draw(shown, theme);
    drawn.set(shown, chart);
    expect(chart.content.format).toBe("png");
    const now = pixelsOf(chart.content.format === "png" ? chart.content.png : new Uint8Array());
    const accepted = pixelsOf(readFileSync(join(ROOT, imageFile(shown, theme))));
    expect([now.width, now.height]).toEqual([accepted.width, accepted.height]);
    const different = pixelmatch(now.data, accepted.data, undefined, now.width, now.height, { threshold: 0.1 });
    expect(different / (now.width * now.height)).toBeLessThan(TOLERANCE);
  },
);

test("the comparison sees a picture that changed", async () => {
  const [shown] = CASES;
  const one = must(shown, "a case");
  const other = await must(opened, "the stage").draw({ ...one, spec: { ...one.spec, measures: [{ name: "issues_created" }] } }, "light");
  const now = pixelsOf(other.content.format === "png" ? other.content.png : new Uint8Array());
  const accepted = pixelsOf(readFileSync(join(ROOT, imageFile(one, "light"))));
  const isOther =
    now.width !== accepted.width ||
    now.height !== accepted.height ||
    pixelmatch(now.data, accepted.data, undefined, now.width, now.height, { threshold: 0.1 }) / (now.width * now.height) >= TOLERANCE;
  expect(isOther).toBe(true);
});

test("docs/charts.md is fresh", () => {
  expect(drawn.size).toBe(CASES.length);
  expect(readFileSync(join(ROOT, "docs/charts.md"), "utf8") === galleryPage(drawn), "run npm run charts:gallery").toBe(true);
});
