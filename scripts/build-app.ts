/** Builds the page `ui://metricgate/chart` as one file that needs nothing else: `node scripts/build-app.ts`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const bundler = await import("rolldown").catch(() => undefined);
if (bundler === undefined) {
  process.stderr.write("the chart page is not built: this is an installation without development packages\n");
  process.exit();
}
const { rolldown } = bundler;

const ROOT = join(import.meta.dirname, "..");
const SOURCE = join(ROOT, "app/chart");
const FILE = join(ROOT, "assets/app/chart.html");

const bundle = await rolldown({
  input: join(SOURCE, "main.ts"),
  platform: "browser",
  // Vega draws on a canvas where there is one to load; here it draws as SVG.
  external: ["canvas"],
  logLevel: "silent",
});
const { output } = await bundle.generate({ format: "iife", minify: true });
await bundle.close();
const [script] = output;
// Code ends no element and begins no comment of the page around it.
const code = script.code.replaceAll(/<\/(script)/gi, String.raw`<\/$1`).replaceAll("<!--", String.raw`<\!--`);
const style = readFileSync(join(SOURCE, "style.css"), "utf8");
const page = readFileSync(join(SOURCE, "index.html"), "utf8")
  .replace("/*style*/", () => style)
  .replace("/*script*/", () => code);
mkdirSync(dirname(FILE), { recursive: true });
writeFileSync(FILE, page);
