import type { Field, Frame } from "../../src/chart/field.ts";
import type { Cell } from "../../src/result/result.ts";
import type { SpecChart } from "../../src/spec/spec.ts";

export const NO_WISH: SpecChart = { type: null, x: null, y: null, color: null, facet: null, title: null, theme: null };

const field = (name: string, role: Field["role"], more: Partial<Field>): Omit<Field, "index"> => ({
  name,
  label: name,
  role,
  adds: "nowhere",
  multiValued: false,
  ...more,
});
export const time = field("time", "time", { label: "Month" });
export const dimension = (name: string, more: Partial<Field> = {}) => field(name, "dimension", more);
/** A count: adds up over everything. */
export const count = (name: string) => field(name, "measure", { unit: "issues", adds: "everywhere" });
/** A state at an instant. */
export const state = (name: string) => field(name, "measure", { unit: "issues", adds: "over_groups" });
export const ratio = (name: string) => field(name, "measure", { unit: "ratio" });
export const days = (name: string) => field(name, "measure", { unit: "days" });
export const previous = (of: string) => field(`${of}__previous`, "previous", { of, unit: "issues" });

/** An answer with these columns and rows. */
export function frame(fields: readonly Omit<Field, "index">[], rows: readonly (readonly Cell[])[], more: Partial<Frame> = {}): Frame {
  return {
    fields: fields.map((one, index) => ({ ...one, index })),
    rows,
    total: rows.length,
    grain: fields.some(({ role }) => role === "time") ? "month" : null,
    timezone: "UTC",
    weekStart: 1,
    isSorted: false,
    partialBuckets: [],
    ...more,
  };
}

/** The first days of so many months from January 2024 on. */
export function months(many: number): string[] {
  return Array.from({ length: many }, (_, index) => new Date(Date.UTC(2024, index, 1)).toISOString().slice(0, 10));
}
