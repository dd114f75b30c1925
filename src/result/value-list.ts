import type { ValueList } from "./result.ts";

/** Rows of (value, issues, values in all) as the list that callers see. */
export function valueList(dimension: string, { rows }: { readonly rows: readonly (readonly unknown[])[] }): ValueList {
  const values = rows.map(([value, issues]) => ({ value: value as string | null, issues: Number(issues) }));
  const total = Number(rows[0]?.[2] ?? 0);
  return { dimension, values, total, truncated: values.length < total };
}
