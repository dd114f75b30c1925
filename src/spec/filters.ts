import type { Catalog } from "../catalog/catalog.ts";
import type { Problem } from "../errors.ts";
import { isDate, isInstant } from "./dates.ts";
import { checkMeasuresHave } from "./names.ts";
import { problem, quoted } from "./problems.ts";
import type { FilterInput } from "./shape.ts";
import type { FilterValue, Operator, SpecFilter, SpecMeasure } from "./spec.ts";

type FieldType = "text" | "number" | "timestamp";

const NULL_TESTS = ["is_null", "is_not_null"] as const;
const COMPARISONS = ["=", "!=", "in", "not_in", ">", ">=", "<", "<=", "between"] as const;

/** Which operators make sense for a field of each type. */
const OPERATORS_OF: Record<FieldType, readonly Operator[]> = {
  text: ["=", "!=", "in", "not_in", "contains", "starts_with", ...NULL_TESTS],
  number: [...COMPARISONS, ...NULL_TESTS],
  timestamp: [...COMPARISONS, ...NULL_TESTS],
};

export function parseFilters(
  input: readonly FilterInput[],
  measures: readonly SpecMeasure[],
  catalog: Catalog,
  problems: Problem[],
): SpecFilter[] {
  const filters: SpecFilter[] = [];
  for (const [index, filter] of input.entries()) {
    const path = `filters[${index}]`;
    const { op } = filter;
    const field = filter.field === undefined ? undefined : resolveField(filter.field, path, { measures, catalog }, problems);
    if (!field || op === undefined) continue;
    checkOperator(op, field, path, problems);
    const values = readValues({ ...filter, op }, field, path, problems);
    checkOrder(op, values, path, problems);
    filters.push({ field: field.name, op, values });
  }
  return filters;
}

interface Field {
  readonly name: string;
  readonly type: FieldType;
}

/** A filter's field: a dimension, a filter-only field, or a requested measure (then it applies to the aggregate). */
function resolveField(
  name: string,
  path: string,
  { measures, catalog }: { measures: readonly SpecMeasure[]; catalog: Catalog },
  problems: Problem[],
): Field | undefined {
  const named = measures.filter((candidate) => candidate.name === (catalog.aliases.get(name) ?? name));
  const measure = measures.find((candidate) => candidate.as === name) ?? (named.length === 1 ? named[0] : undefined);
  if (measure) return { name: measure.as, type: "number" };
  const dimension = catalog.dimensions.get(name);
  if (dimension) {
    checkMeasuresHave("fields", name, { path: `${path}.field`, measures, catalog }, problems);
    return { name, type: dimension.type };
  }
  const isMetric = catalog.metrics.has(name) || catalog.aliases.has(name);
  const message = isMetric
    ? `${name} is a metric; to filter on its value, request it under measures${named.length > 1 ? ' once, or filter on its "as"' : ""}`
    : `there is no field ${quoted(name)}`;
  const allowed = [...catalog.dimensions.keys(), ...measures.map((candidate) => candidate.as)];
  problems.push(problem("UNKNOWN_FIELD", { path: `${path}.field`, message, allowed, ...(isMetric ? {} : { wrote: name }) }));
  return undefined;
}

/** Bounds the wrong way round hold for nothing, which would look like an answer. Dates of one form compare as text. */
function checkOrder(op: Operator, [lower, upper]: readonly FilterValue[], path: string, problems: Problem[]): void {
  if (op !== "between" || lower === undefined || upper === undefined) return;
  const comparable = typeof lower === "number" || String(lower).includes("T") === String(upper).includes("T");
  const isReversed = typeof lower === "number" ? lower > Number(upper) : instantOf(lower) > instantOf(String(upper));
  if (comparable && isReversed)
    problems.push(
      problem("BAD_VALUE", { path: `${path}.values`, message: "between takes the lower bound first; these are the wrong way round" }),
    );
}

const instantOf = (text: string): number => Date.parse(text);

function checkOperator(op: Operator, field: Field, path: string, problems: Problem[]): void {
  const allowed = OPERATORS_OF[field.type];
  if (allowed.includes(op)) return;
  problems.push(
    problem("BAD_OPERATOR", { path: `${path}.op`, message: `${op} cannot be used on ${field.name}, which is a ${field.type}`, allowed }),
  );
}

function readValues(filter: FilterInput & { op: Operator }, field: Field, path: string, problems: Problem[]): FilterValue[] {
  if (filter.values !== undefined && filter.value !== undefined) {
    problems.push(problem("BAD_VALUE", { path, message: "give values or value, not both" }));
    return [];
  }
  const wasReported = (key: "values" | "value"): boolean => Object.hasOwn(filter, key) && filter[key] === undefined;
  if (wasReported("values") || wasReported("value")) return [];
  const written = writtenValues(filter, path);
  const count = countProblem(filter.op, written.length);
  if (count !== undefined) {
    const suggestion = written.length > 1 ? { "=": "in", "!=": "not_in" }[filter.op as string] : undefined;
    problems.push(problem("BAD_VALUE", { path: `${path}.values`, message: count, suggestion }));
    return [];
  }
  return written.flatMap(({ value, at }) => {
    const coerced = coerce(value, field);
    if (typeof coerced !== "object") return [coerced];
    problems.push(problem("BAD_VALUE", { path: at, message: coerced.message }));
    return [];
  });
}

/** The values as written, from `values` or `value`, each with its path. */
function writtenValues({ values, value }: FilterInput, path: string): { value: string | number | boolean; at: string }[] {
  if (values !== undefined) return values.map((one, index) => ({ value: one, at: `${path}.values[${index}]` }));
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.map((one, index) => ({ value: one, at: `${path}.value[${index}]` }));
  return [{ value, at: `${path}.value` }];
}

function countProblem(op: Operator, count: number): string | undefined {
  if (op === "is_null" || op === "is_not_null") return count === 0 ? undefined : `${op} takes no values`;
  if (op === "between") return count === 2 ? undefined : `between takes two values, the lower and the upper; ${count} given`;
  if (op === "in" || op === "not_in") return count > 0 ? undefined : `${op} takes at least one value`;
  if (count === 1) return undefined;
  return `${op} takes one value; ${count} given${op === "=" ? "; for several use in" : op === "!=" ? "; for several use not_in" : ""}`;
}

/** A number as people write it; JavaScript would also take 0x10 and an empty text. */
const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

function coerce(value: string | number | boolean, field: Field): FilterValue | { message: string } {
  const written = String(value);
  if (field.type === "text") return written;
  if (field.type === "number") {
    const number = typeof value === "number" || (typeof value === "string" && DECIMAL.test(value)) ? Number(value) : Number.NaN;
    if (Number.isFinite(number)) return number;
    return { message: `${quoted(written)} is not a number (${field.name} is a number). Example: ["3"]` };
  }
  if (isDate(written) || isInstant(written)) return written;
  return { message: `${quoted(written)} is not a date (${field.name} is a date). Example: ["2024-01-31"] or ["2024-01-31T12:00:00Z"]` };
}
