import { readFile, writeFile } from "node:fs/promises";
import { catalogDocs } from "../catalog/docs.ts";
import { diffCatalogs } from "../catalog/diff.ts";
import { loadCatalog } from "../catalog/load.ts";
import { recordVersions } from "../catalog/record.ts";
import type { Host } from "./host.ts";

/** Proves the definitions consistent; with `record`, first records the versions that are new. */
export async function catalogCheck(host: Host, directory: string, { record }: { readonly record: boolean }): Promise<void> {
  const added = record ? await recordVersions(directory) : [];
  for (const version of added) host.write(`recorded ${version}\n`);
  const catalog = await loadCatalog(directory);
  const cases = [...catalog.metrics.values()].reduce((sum, metric) => sum + metric.definition.tests.length, 0);
  host.write(
    `${catalog.name} ${catalog.version}: ${catalog.metrics.size} metrics with ${cases} test cases, ${catalog.dimensions.size} dimensions and fields; consistent.\n`,
  );
}

/** Writes the catalog as Markdown, or says whether the file is what it would write. */
export async function catalogDocsCommand(
  host: Host,
  directory: string,
  { output, check }: { readonly output?: string; readonly check: boolean },
): Promise<boolean> {
  const text = catalogDocs(await loadCatalog(directory));
  if (output === undefined) {
    host.write(text);
    return true;
  }
  if (!check) {
    await writeFile(output, text);
    return true;
  }
  const isFresh = (await readFile(output, "utf8").catch(() => "")) === text;
  if (!isFresh) host.warn(`${output} is stale; run \`metricgate catalog docs --output ${output}\`\n`);
  return isFresh;
}

/** Prints what changed between two catalogs; false when something breaks callers. */
export async function catalogDiff(host: Host, before: string, after: string): Promise<boolean> {
  const changes = diffCatalogs(await loadCatalog(before), await loadCatalog(after));
  if (changes.length === 0) host.write("no change\n");
  for (const { breaking, text } of changes) host.write(`${breaking ? "breaking" : "safe    "}  ${text}\n`);
  return !changes.some((change) => change.breaking);
}
