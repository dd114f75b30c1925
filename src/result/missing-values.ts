import { nearest } from "../spec/nearest.ts";
import type { Answer } from "./shape.ts";

/** Warns of filter values that the tenant's data does not have, with the nearest that it does. */
export async function withNearestValues<A extends Pick<Answer, "missing" | "warnings">>(
  answer: A,
  valuesOf: (dimension: string) => Promise<readonly (string | null)[]>,
): Promise<A> {
  const warnings: string[] = [];
  for (const { field, values } of answer.missing) {
    const known = (await valuesOf(field)).filter((value) => value !== null);
    for (const value of values) warnings.push(missingWarning(field, value, known));
  }
  return warnings.length === 0 ? answer : { ...answer, warnings: [...warnings, ...answer.warnings] };
}

function missingWarning(field: string, value: string, known: readonly string[]): string {
  const near = nearest(value, known);
  const alternative = near === undefined ? `; list_values names those there are` : `; there is ${shown(near)}`;
  return `no ${field} ${shown(value)}${alternative}.`;
}

/** A value of the tenant's data inside a sentence of ours: on one line, bounded, quoted. */
function shown(value: string): string {
  const clean = value.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, " ");
  return `'${clean.length > 80 ? `${clean.slice(0, 80)}…` : clean}'`;
}
