import type { Spec } from "../../src/spec/spec.ts";
import type { Asked } from "../support/answers.ts";
import type { Answered, Evaluation, Value } from "./evaluate.ts";

/** How an answer differs from the evaluator's, in words; null where it does not. */
export function difference(asked: Asked, expected: Evaluation, spec: Spec): string | null {
  const { total } = asked.result.data;
  const places = [...(spec.time?.grain ? ["time"] : []), ...spec.dimensions];
  const placeOf = (row: Answered): string => JSON.stringify(places.map((name) => row[name]));
  const shown = Math.min(expected.total, spec.limit);
  const theirs = new Map(asked.rows.map((row) => [placeOf(row as Answered), row as Answered]));
  const ours = new Map(expected.rows.map((row) => [placeOf(row), row]));
  if (asked.rows.length === expected.rows.length) {
    for (const place of ours.keys()) if (!theirs.has(place)) return `has no row ${place}`;
  }
  for (const [place, row] of theirs) {
    const own = ours.get(place);
    if (own === undefined)
      return `has a row ${place} that should not be: ${JSON.stringify(row)} (${asked.rows.length} rows of ${total}, should be ${shown} of ${expected.total})`;
    if (!isSame(row, own)) return `row ${place} is ${JSON.stringify(row)}, should be ${JSON.stringify(own)}`;
  }
  if (total !== expected.total)
    return `total is ${total}, should be ${expected.total}; missing ${[...ours.keys()].find((place) => !theirs.has(place))}`;
  if (asked.rows.length !== shown) return `${asked.rows.length} rows, should be ${shown}`;
  if (
    expected.totals !== null &&
    !isSame(asked.totals as Answered, { ...Object.fromEntries(places.map((name) => [name, null])), ...expected.totals })
  ) {
    return `totals are ${JSON.stringify(asked.totals)}, should be ${JSON.stringify(expected.totals)}`;
  }
  return orderDifference(asked, expected, spec, places);
}

/** Rows that tie within the last digits may stand either way; what they are ordered by may not. */
function orderDifference(asked: Asked, expected: Evaluation, spec: Spec, places: readonly string[]): string | null {
  const sorts = spec.sort.map((one) => one.field);
  const keys = sorts.every((name) => places.includes(name)) ? [...sorts, ...places] : sorts;
  for (const [index, row] of asked.rows.entries()) {
    const own = expected.rows[index];
    const wrong = keys.find((name) => !isSameValue(row[name] as Value, own?.[name] ?? null));
    if (wrong !== undefined) return `row ${index} by ${wrong} is ${JSON.stringify(row[wrong])}, should be ${JSON.stringify(own?.[wrong])}`;
  }
  return null;
}

function isSame(a: Answered, b: Answered): boolean {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((name) => isSameValue(a[name] ?? null, b[name] ?? null));
}

/** Equal to six decimals; of large numbers to twelve digits. */
function isSameValue(a: Value, b: Value): boolean {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= Math.max(1e-6, Math.abs(b) * 1e-12);
  return a === b;
}
