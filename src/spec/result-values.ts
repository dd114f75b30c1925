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

/** Results that the filters of one call may name: each is looked up. */
const MAX_RESULTS = 10;

/**
 * The same filters with each result's handle among the values of `in` and `not_in` replaced by what that result has in the
 * field's column: `{"field":"issue_key","op":"in","values":["res_…"]}` is the issues that a search found. `kept` is the caller's
 * own result, undefined alike for absent and foreign ones.
 */
export async function withResultValues(
  filters: unknown,
  kept: (id: string) => Promise<KeptColumns | undefined>,
): Promise<{ readonly filters: unknown; readonly problems: readonly Problem[] }> {
  if (!Array.isArray(filters)) return { filters, problems: [] };
  const problems: Problem[] = [];
  let named = 0;
  const filled: unknown[] = [];
  for (const [index, filter] of filters.entries()) {
    const written = isRecord(filter) && TAKING.includes(String(filter["op"])) ? writtenIn(filter) : undefined;
    if (!isRecord(filter) || written === undefined || !written.values.some(isHandle)) {
      filled.push(filter);
      continue;
    }
    const path = `filters[${index}].${written.key}`;
    const values: unknown[] = [];
    for (const one of written.values) {
      if (isHandle(one) && (named += 1) <= MAX_RESULTS)
        values.push(...columnOf(await kept(one), { id: one, field: String(filter["field"]), path }, problems));
      else values.push(one);
    }
    filled.push({ ...filter, [written.key]: [...new Set(values)] });
  }
  if (named > MAX_RESULTS)
    problems.push(problem("LIMIT_EXCEEDED", { path: "filters", message: `names ${named} results, more than the ${MAX_RESULTS} allowed` }));
  return { filters: filled, problems };
}

function writtenIn(filter: Readonly<Record<string, unknown>>): { readonly key: "values" | "value"; readonly values: readonly unknown[] } {
  const key = filter["values"] === undefined || filter["values"] === null ? "value" : "values";
  return { key, values: [filter[key]].flat() };
}

function columnOf(
  result: KeptColumns | undefined,
  { id, field, path }: { readonly id: string; readonly field: string; readonly path: string },
  problems: Problem[],
): readonly unknown[] {
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
  if (values.length > 0) return values;
  problems.push(problem("BAD_VALUE", { path, message: `that result has no value in ${field}, so nothing can match` }));
  return [id];
}

const isHandle = (value: unknown): value is string => typeof value === "string" && RESULT_ID.test(value);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
