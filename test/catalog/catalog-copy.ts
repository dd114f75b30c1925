import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { loadCatalog } from "../../src/catalog/load.ts";
import { CatalogInvalid, type CatalogProblem } from "../../src/catalog/problems.ts";
import { CATALOG_DIRECTORY } from "../support/answers.ts";

/** The shipped catalog in a folder of its own, to be changed. */
export interface CatalogCopy {
  readonly directory: string;
  readonly read: (file: string) => string;
  readonly write: (file: string, text: string) => void;
  /** Replaces one piece of text in a file; throws when it is not there, so that a test cannot pass by changing nothing. */
  readonly replace: (file: string, before: string | RegExp, after: string) => void;
  readonly remove: (file: string) => void;
  readonly path: (file: string) => string;
}

export function copyCatalog(): CatalogCopy {
  const directory = mkdtempSync(join(tmpdir(), "metricgate-catalog-"));
  cpSync(CATALOG_DIRECTORY, directory, { recursive: true });
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = (file: string): string => join(directory, file);
  const read = (file: string): string => readFileSync(path(file), "utf8");
  const write = (file: string, text: string): void => writeFileSync(path(file), text);
  return {
    directory,
    path,
    read,
    write,
    replace: (file, before, after) => {
      const text = read(file);
      const changed = text.replace(before, () => after);
      if (changed === text) throw new Error(`${file} holds no ${String(before)}`);
      write(file, changed);
    },
    remove: (file) => rmSync(path(file), { recursive: true }),
  };
}

/** What loading a catalog finds wrong with it; fails when it finds nothing. */
export async function problemsOf(directory: string): Promise<readonly CatalogProblem[]> {
  try {
    await loadCatalog(directory);
  } catch (error) {
    if (error instanceof CatalogInvalid) return error.problems;
    throw error;
  }
  throw new Error("the catalog was accepted");
}
