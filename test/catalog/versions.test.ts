import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diffCatalogs } from "../../src/catalog/diff.ts";
import { catalogDocs } from "../../src/catalog/docs.ts";
import { loadCatalog } from "../../src/catalog/load.ts";
import { recordVersions } from "../../src/catalog/record.ts";
import { definitionHash } from "../../src/catalog/versions.ts";
import { must } from "../../src/must.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { shippedCatalog } from "../support/answers.ts";
import { type CatalogCopy, copyCatalog, problemsOf } from "./catalog-copy.ts";

const LEAD = "metrics/lead-time.yaml";

/** A catalog in which lead_time has a second major version, in hours, beside the first; both recorded. */
async function withSecondMajor(): Promise<CatalogCopy> {
  const copy = copyCatalog();
  copy.write("metrics/lead-time-1.yaml", copy.read(LEAD));
  copy.replace(LEAD, "version: 1.0.0", "version: 2.0.0");
  copy.replace(LEAD, "unit: days", "unit: hours");
  copy.replace(LEAD, "86400.0", "3600.0");
  await recordVersions(copy.directory);
  return copy;
}

test("recording adds what is new, sorted, and never overwrites", async () => {
  const copy = copyCatalog();
  const before = copy.read("versions.yaml");
  expect(await recordVersions(copy.directory)).toEqual([]);
  expect(copy.read("versions.yaml")).toBe(before);
  copy.replace(LEAD, "86400.0", "43200.0");
  expect(await recordVersions(copy.directory)).toEqual([]);
  expect(copy.read("versions.yaml")).toBe(before);
  expect((await problemsOf(copy.directory)).map(({ file }) => file)).toEqual([LEAD]);
  copy.replace(LEAD, "version: 1.0.0", "version: 1.1.0");
  expect(await recordVersions(copy.directory)).toEqual(["lead_time 1.1.0"]);
  const after = copy.read("versions.yaml");
  expect(after).toContain(`  1.1.0: ${definitionHash(must((await loadCatalog(copy.directory)).metrics.get("lead_time"), "lead_time").definition)}`);
  expect(after.split("\n").filter((line) => !before.split("\n").includes(line))).toHaveLength(1);
});

test("recording refuses files that cannot be read", async () => {
  const copy = copyCatalog();
  copy.write(LEAD, "name: [");
  await expect(recordVersions(copy.directory)).rejects.toThrow(`${LEAD}: not YAML`);
});

test("an older major version stays callable by name@major and says what replaces it", async () => {
  const copy = await withSecondMajor();
  const catalog = await loadCatalog(copy.directory);
  expect(catalog.metrics.get("lead_time")?.definition).toMatchObject({ version: "2.0.0", unit: "hours" });
  expect(catalog.metrics.get("lead_time@1")?.definition).toMatchObject({ version: "1.0.0", unit: "days" });
  const context = { catalog, defaultTimezone: "UTC", maxRows: 1000 };
  const parsed = parseSpec({ measures: [{ name: "lead_time" }, { name: "lead_time@1" }, { name: "lead_time@2", as: "again" }] }, context);
  expect(parsed).toMatchObject({
    spec: { measures: [{ name: "lead_time", as: "lead_time_p50" }, { name: "lead_time@1", as: "lead_time_v1" }, { name: "lead_time", as: "again" }] },
  });
  expect(parseSpec({ measures: [{ name: "lead_time@3" }] }, context)).toMatchObject({ problems: [{ code: "UNKNOWN_MEASURE" }] });
});

test("a version that is two majors behind has to go", async () => {
  const copy = await withSecondMajor();
  copy.replace(LEAD, "version: 2.0.0", "version: 3.0.0");
  await recordVersions(copy.directory);
  expect(await problemsOf(copy.directory)).toEqual([{ file: "metrics/lead-time-1.yaml", message: "major version 1 is more than one behind 3; remove it" }]);
});

test("nothing changed between a catalog and itself", async () => {
  const catalog = await shippedCatalog();
  expect(diffCatalogs(catalog, catalog)).toEqual([]);
});

async function changes(change: (copy: CatalogCopy) => void | Promise<void>): Promise<string[]> {
  const copy = copyCatalog();
  await change(copy);
  await recordVersions(copy.directory);
  const found = diffCatalogs(await shippedCatalog(), await loadCatalog(copy.directory));
  return found.map(({ breaking, text }) => `${breaking ? "breaking" : "safe"}: ${text}`);
}

test("a new major version breaks, and says whether the older stays", async () => {
  const kept = diffCatalogs(await shippedCatalog(), await loadCatalog((await withSecondMajor()).directory)).map(({ breaking, text }) => `${breaking}: ${text}`);
  expect(kept).toEqual([
    "true: metric lead_time went from 1.0.0 to 2.0.0; the older stays callable as lead_time@1",
    "true: metric lead_time changed its unit from days to hours",
    "false: metric lead_time@1 was added",
  ]);
  expect(await changes((copy) => copy.replace(LEAD, "version: 1.0.0", "version: 2.0.0"))).toEqual(["breaking: metric lead_time went from 1.0.0 to 2.0.0"]);
});

test("what a caller could ask before and cannot now breaks; what is new does not", async () => {
  const found = await changes((copy) => {
    copy.remove("metrics/net-flow.yaml");
    copy.remove("dimensions/reporter.yaml");
    copy.remove("dimensions/story-points.yaml");
    copy.replace("metrics/issues-closed.yaml", /^aliases: .*$/m, "aliases: [closed_work]");
    copy.replace("metrics/issues-closed.yaml", "version: 1.0.0", "version: 1.1.0");
    copy.replace("dimensions/epic-key.yaml", "type: text", "type: text\nfilter_only: true");
    copy.replace(LEAD, "version: 1.0.0", "version: 1.1.0");
    copy.replace(LEAD, "avg, min, max]", "avg, min]");
    copy.replace(LEAD, "default_aggregate: p50", "default_aggregate: p90");
    copy.replace(LEAD, "tests:", "deprecation: { since: 1.1.0, replaced_by: cycle_time, remove_after: 2030-01-31 }\ntests:");
    copy.write("metrics/new.yaml", copy.read("metrics/wip.yaml").replace("name: wip", "name: wip_new").replace(/^aliases: .*$/m, ""));
    copy.write("dimensions/sprint-end-at.yaml", "name: sprint_end_at\ntitle: End\ndescription: End\ntype: timestamp\nfilter_only: true\n");
  });
  const breaking = found.filter((text) => text.startsWith("breaking"));
  expect(found.slice(0, breaking.length)).toEqual(breaking);
  for (const text of [
    "breaking: metric net_flow was removed",
    "breaking: dimension reporter was removed",
    "breaking: alias throughput was removed",
    "breaking: metric lead_time lost the aggregate max",
    "breaking: metric lead_time lost the field story_points",
    "breaking: metric lead_time lost the field reporter",
    "breaking: metric lead_time can no longer be grouped by epic_key",
    "breaking: metric lead_time now defaults to p90 instead of p50",
    "safe: metric lead_time went from 1.0.0 to 1.1.0",
    "safe: metric lead_time is deprecated in favour of cycle_time",
    "safe: metric wip_new was added",
    "safe: dimension sprint_end_at was added",
    "safe: alias closed_work was added",
    "safe: metric velocity gained the field sprint_end_at",
  ]) expect(found).toContain(text);
});

test("a field of another type breaks; an alias that became a metric does not", async () => {
  const found = await changes((copy) => {
    copy.replace("dimensions/resolution.yaml", "type: text", "type: number");
    copy.replace("datasources/issues.yaml", "issue.resolution, type: text", "issue.resolution, type: number");
    copy.replace("metrics/issues-closed.yaml", /^aliases: .*\n/m, "");
    copy.replace("metrics/issues-closed.yaml", "version: 1.0.0", "version: 1.1.0");
    copy.write("metrics/throughput.yaml", copy.read("metrics/issues-closed.yaml").replace("name: issues_closed", "name: throughput"));
  });
  expect(found).toContain("breaking: dimension resolution changed its type from text to number");
  expect(found.join("\n")).not.toContain("alias throughput was removed");
});

test("docs/catalog.md is what the catalog says", async () => {
  expect(readFileSync(join(import.meta.dirname, "../../docs/catalog.md"), "utf8")).toBe(catalogDocs(await shippedCatalog()));
});

test("the page names every metric, dimension and field, with deprecations", async () => {
  const copy = copyCatalog();
  copy.replace(LEAD, "tests:", "deprecation: { since: 1.0.0, replaced_by: cycle_time, remove_after: 2030-01-31 }\ntests:");
  copy.replace("metrics/cycle-time.yaml", "tests:", "deprecation: { since: 1.0.0, replaced_by: null, remove_after: 2030-01-31 }\ntests:");
  copy.replace("dimensions/label.yaml", "Labels;", "Labels | tags;");
  const catalog = await loadCatalog(copy.directory);
  const page = catalogDocs(catalog);
  for (const name of catalog.metrics.keys()) expect(page).toContain(`### ${name}\n`);
  for (const name of [...catalog.dimensions.keys(), ...catalog.unavailable.keys()]) expect(page).toContain(`| \`${name}\``);
  expect(page).toContain("- **Deprecated** since 1.0.0, use `cycle_time`; goes after 2030-01-31");
  expect(page).toContain("- **Deprecated** since 1.0.0; goes after 2030-01-31");
  expect(page).toContain("Labels \\| tags;");
});
