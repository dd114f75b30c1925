import type { SpecSort } from "../../src/spec/spec.ts";
import type { Answered, Value } from "./evaluate.ts";

/** Ordered by the sort keys, then by time and dimensions; null last. */
export function inOrderOf(rows: readonly Answered[], sort: readonly SpecSort[], rest: readonly string[]): Answered[] {
  const keys = [
    ...sort,
    ...rest.filter((name) => !sort.some((one) => one.field === name)).map((field) => ({ field, dir: "asc" as const })),
  ];
  return rows.toSorted((a, b) => {
    for (const { field, dir } of keys) {
      const found = compare(a[field] ?? null, b[field] ?? null, dir);
      if (found !== 0) return found;
    }
    return 0;
  });
}

function compare(a: Value, b: Value, dir: "asc" | "desc"): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? (Math.abs(a - b) < 1e-9 ? 0 : a - b) : a < b ? -1 : a > b ? 1 : 0;
  return dir === "asc" ? order : -order;
}
