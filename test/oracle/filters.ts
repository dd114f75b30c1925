import type { SpecFilter } from "../../src/spec/spec.ts";
import { localDate } from "./calendar.ts";
import { fieldOf, type FieldValue, type Row } from "./rows.ts";

const DATES = new Set(["created_at", "resolved_at", "updated_at", "sprint_start_at", "sprint_complete_at"]);

/** Whether a row passes a filter of its fields. */
export function passes(row: Row, filter: SpecFilter, zone: string): boolean {
  const value = fieldOf(row, filter.field);
  if (DATES.has(filter.field))
    return holds(filter, value as number | null, (written) => compareDate(value as number, String(written), zone));
  if (Array.isArray(value)) return holdsForList(filter, value as readonly string[]);
  return holdsForScalar(filter, value as string | number | null);
}

/** Whether an aggregate passes a condition on it. */
export function holdsForScalar(filter: SpecFilter, value: string | number | null): boolean {
  return holds(filter, value, (written) =>
    typeof value === "number" ? value - Number(written) : compareText(String(value), String(written)),
  );
}

function holdsForList(filter: SpecFilter, values: readonly string[]): boolean {
  if (filter.op === "is_null") return values.length === 0;
  if (filter.op === "is_not_null") return values.length > 0;
  if (filter.op === "!=" || filter.op === "not_in") return values.every((value) => holdsForScalar(filter, value));
  return values.some((value) => holdsForScalar(filter, value));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A day is compared as a day of the spec's zone, an instant as an instant. */
function compareDate(ms: number, written: string, zone: string): number {
  return written.length === 10 ? compareText(localDate(ms, zone), written) : ms - Date.parse(written);
}

/** `to` tells how the value stands to a written one: below, equal, above. */
function holds({ op, values }: SpecFilter, value: FieldValue, to: (written: string | number) => number): boolean {
  if (op === "is_null") return value === null;
  if (op === "is_not_null") return value !== null;
  if (value === null) return op === "!=" || op === "not_in";
  const [first = "", second = ""] = values;
  const text = String(value).toLowerCase();
  switch (op) {
    case "=":
    case "in":
      return values.some((written) => to(written) === 0);
    case "!=":
    case "not_in":
      return values.every((written) => to(written) !== 0);
    case ">":
      return to(first) > 0;
    case ">=":
      return to(first) >= 0;
    case "<":
      return to(first) < 0;
    case "<=":
      return to(first) <= 0;
    case "between":
      return to(first) >= 0 && to(second) <= 0;
    case "contains":
      return text.includes(String(first).toLowerCase());
    case "starts_with":
      return text.startsWith(String(first).toLowerCase());
  }
}
