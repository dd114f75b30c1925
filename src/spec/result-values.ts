import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";

/** What a kept result has in its columns. */
export interface KeptColumns {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

/** A handle of a kept result, as answers give it. */
const RESULT_ID = /^res_[A-Za-z0-9_-]{22}$/;
const TAKING = ["in", "not_in"];

/** The handles that filters name, each once. */
export function handlesIn(filters: unknown): readonly string[] {
  if (!Array.isArray(filters)) return [];
  const named = filters.flatMap((filter: unknown) =>
    isRecord(filter) && TAKING.includes(String(filter["op"])) ? [filter["values"], filter["value"]].flat(2).filter(isHandle) : [],
  );
  return [...new Set(named)];
}

/**
 * The same filters with each result's handle among the values of `in` and `not_in` replaced by what that result has in the
 * field's column: `{"field":"issue_key","op":"in","values":["res_…"]}` is the issues that a search found. `kept` is the caller's
 * own result, undefined alike for absent and foreign ones.
 */
export function withResultValues(
  filters: unknown,
  kept: (id: string) => KeptColumns | undefined,
): { readonly filters: unknown; readonly problems: readonly Problem[] } {
  if (!Array.isArray(filters)) return { filters, problems: [] };
  const problems: Problem[] = [];
  const filled = filters.map((filter: unknown, index) => {
    if (!isRecord(filter) || !TAKING.includes(String(filter["op"]))) return filter;
    const key = filter["values"] === undefined || filter["values"] === null ? "value" : "values";
    const written: readonly unknown[] = [filter[key]].flat();
    if (!written.some(isHandle)) return filter;
    const path = `filters[${index}].${key}`;
    const values = written.flatMap((one) => (isHandle(one) ? columnOf(one, String(filter["field"]), { kept, path }, problems) : [one]));
    return { ...filter, [key]: [...new Set(values)] };
  });
  return { filters: filled, problems };
}

function columnOf(
  id: string,
  field: string,
  { kept, path }: { readonly kept: (id: string) => KeptColumns | undefined; readonly path: string },
  problems: Problem[],
): readonly unknown[] {
  const result = kept(id);
  if (result === undefined) {
    problems.push(problem("BAD_VALUE", { path, message: `there is no result ${quoted(id)}; run its call again` }));
    return [id];
  }
  const at = result.columns.findIndex(({ name }) => name === field);
  if (at < 0) {
    const allowed = result.columns.map(({ name }) => name);
    problems.push(problem("BAD_VALUE", { path, message: `that result has no column ${quoted(field)}`, allowed }));
    return [id];
  }
  const values = result.rows.map((row) => row[at]).filter((value) => value !== null && value !== undefined);
  if (values.length === 0)
    problems.push(problem("BAD_VALUE", { path, message: `that result has no value in ${field}, so nothing can match` }));
  return values;
}

const isHandle = (value: unknown): value is string => typeof value === "string" && RESULT_ID.test(value);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
