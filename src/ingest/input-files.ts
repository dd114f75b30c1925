import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The files of an input: the one given, or all below the folder given whose names end in one of `endings`, with or
 * without `.gz`, ordered by name. Throws when there is none.
 */
export function inputFiles(path: string, endings: readonly string[]): string[] {
  if (!existsSync(path)) throw new Error(`no such file or folder: ${path}`);
  if (!statSync(path).isDirectory()) return [path];
  const isWanted = (name: string): boolean => endings.some((ending) => name.endsWith(ending) || name.endsWith(`${ending}.gz`));
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && isWanted(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  if (files.length === 0) throw new Error(`no ${endings.join(", ")} file in ${path}`);
  return files;
}
