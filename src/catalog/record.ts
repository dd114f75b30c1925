import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { readCatalogFiles } from "./load.ts";
import { definitionHash, recordedVersionsSchema } from "./versions.ts";

/**
 * Records the hash of every metric version that is not recorded yet in `versions.yaml`; a recorded one is never overwritten.
 * Returns what was added, as `name version`. Throws CatalogInvalid when the files cannot be read.
 */
export async function recordVersions(directory: string): Promise<readonly string[]> {
  const { metrics } = readCatalogFiles(directory);
  const file = join(directory, "versions.yaml");
  const recorded = recordedVersionsSchema.parse(load(await readFile(file, "utf8")) ?? {});
  const added: string[] = [];
  for (const { value } of metrics) {
    const versions = (recorded[value.name] ??= {});
    if (versions[value.version] !== undefined) continue;
    versions[value.version] = definitionHash(value);
    added.push(`${value.name} ${value.version}`);
  }
  const sorted = Object.fromEntries(Object.entries(recorded).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const head = "# sha256 of each published definition, written by `metricgate catalog check --record`. Lines are only ever added.\n";
  await writeFile(file, head + dump(sorted, { lineWidth: -1 }));
  return added;
}
