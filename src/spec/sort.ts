import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import type { SortInput } from "./shape.ts";
import type { SpecMeasure, SpecSort } from "./spec.ts";

/** Resolves what the rows are ordered by: any column of the result, or a metric requested once. */
export function parseSort(
  input: readonly SortInput[],
  { measures, columns }: { measures: readonly SpecMeasure[]; columns: readonly string[] },
  problems: Problem[],
): SpecSort[] {
  const sort: SpecSort[] = [];
  for (const [index, { field, dir }] of input.entries()) {
    if (field === undefined) continue;
    const named = measures.filter((measure) => measure.name === field);
    const column = columns.includes(field) ? field : named.length === 1 ? named[0]?.as : undefined;
    if (column === undefined) {
      const message = field === "time" ? "there is no time column without time.grain" : `${quoted(field)} is not a column of this answer`;
      problems.push(problem("UNKNOWN_FIELD", { path: `sort[${index}].field`, message, allowed: columns, wrote: field }));
    } else if (!sort.some((other) => other.field === column)) {
      sort.push({ field: column, dir: dir ?? "asc" });
    }
  }
  return sort;
}
