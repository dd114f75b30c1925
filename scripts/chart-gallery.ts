/** Writes docs/charts.md and its pictures from the demo tenants: `node scripts/chart-gallery.ts`. Look at what changed before it is kept. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Chart } from "../src/chart/chart.ts";
import { CASES, type GalleryCase } from "./gallery/cases.ts";
import { galleryPage, imageFile } from "./gallery/page.ts";
import { openStage } from "./gallery/stage.ts";

const ROOT = join(import.meta.dirname, "..");
const stage = await openStage(join(ROOT, "catalog"));
try {
  const drawn = new Map<GalleryCase, Chart>();
  for (const shown of CASES) {
    for (const theme of ["light", "dark"] as const) {
      const chart = await stage.draw(shown, theme);
      drawn.set(shown, chart);
      const file = join(ROOT, imageFile(shown, theme));
      mkdirSync(dirname(file), { recursive: true });
      if (chart.content.format === "png") writeFileSync(file, chart.content.png);
    }
  }
  writeFileSync(join(ROOT, "docs/charts.md"), galleryPage(drawn));
} finally {
  await stage.close();
}
