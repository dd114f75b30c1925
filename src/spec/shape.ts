import { z } from "zod";
import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import { COMPARES, GRAINS, OPERATORS, RANGES } from "./spec.ts";

export const MAX_MEASURES = 10;
export const MAX_DIMENSIONS = 5;
export const MAX_FILTERS = 20;
export const MAX_SORTS = 10;
export const MAX_FILTER_VALUES = 500;
export const MAX_TEXT = 500;
const MAX_UNKNOWN_TOLD = 20;

/** Clients that make optional keys nullable send null for what they leave out. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

/** Text that PostgreSQL can hold and that has one encoding: NUL and lone surrogates are neither. */
const text = z
  .string()
  .max(MAX_TEXT)
  .refine((value) => value.isWellFormed() && !value.includes("\0"), "holds a character that is not allowed (NUL or half a surrogate pair)");
const scalar = z.union([text, z.number(), z.boolean()]);

const measureShape = { name: text, agg: maybe(text), as: maybe(text) };
const timeShape = {
  grain: maybe(z.enum(GRAINS)),
  range: maybe(z.enum(RANGES)),
  from: maybe(text),
  to: maybe(text),
  field: maybe(text),
  compare: maybe(z.enum(COMPARES)),
};
const filterShape = {
  field: text,
  op: z.enum(OPERATORS),
  values: maybe(z.array(scalar).max(MAX_FILTER_VALUES)),
  value: maybe(z.union([scalar, z.array(scalar).max(MAX_FILTER_VALUES)])),
};
const sortShape = { field: text, dir: maybe(z.enum(["asc", "desc"])) };
const chartShape = {
  type: maybe(text),
  x: maybe(text),
  y: maybe(text),
  color: maybe(text),
  facet: maybe(text),
  title: maybe(text),
  theme: maybe(text),
};
const flatShape = {
  datasource: maybe(text),
  dimensions: maybe(z.array(text).max(MAX_DIMENSIONS)),
  limit: maybe(z.int().min(1)),
  timezone: maybe(text),
  totals: maybe(z.boolean()),
  dry_run: maybe(z.boolean()),
};

type Shape = Readonly<Record<string, z.ZodType>>;
/** An object whose keys have the right shape; a key that is there but undefined had not, and was reported. */
type Read<S extends Shape> = { [K in keyof S]?: Exclude<z.output<S[K]>, undefined> | undefined };

export type MeasureInput = Read<typeof measureShape>;
export type FilterInput = Read<typeof filterShape>;
export type SortInput = Read<typeof sortShape>;
export type TimeInput = Read<typeof timeShape>;
export type ChartInput = Read<typeof chartShape>;

/** The parts of a spec that have the right shape. List entries keep their place, so that paths stay true. */
export interface SpecInput extends Read<typeof flatShape> {
  readonly measures: readonly MeasureInput[];
  readonly filters: readonly FilterInput[];
  readonly sort: readonly SortInput[];
  readonly time?: TimeInput | undefined;
  readonly chart?: ChartInput | undefined;
}

const NOTHING: SpecInput = { measures: [], filters: [], sort: [] };
const KEYS = ["datasource", "measures", "dimensions", "time", "filters", "sort", "limit", "timezone", "totals", "dry_run", "chart"];

/** Reads key by key, so that one mistake hides no other. */
export function readShape(input: unknown): { parts: SpecInput; problems: Problem[] } {
  const problems: Problem[] = [];
  if (!isObject(input)) {
    const message = 'the spec is a JSON object, as in {"measures":[{"name":"issues_created"}]}';
    return { parts: NOTHING, problems: [problem("SPEC_INVALID", { path: "", message })] };
  }
  problems.push(...unknownKeys(input, "", KEYS));
  const { measures, filters, sort, time, chart, ...flat } = input;
  const known = Object.fromEntries(Object.entries(flat).filter(([key]) => KEYS.includes(key)));
  const parts = {
    ...readObject(known, flatShape, "", problems),
    measures: readMeasures(measures, problems),
    filters: readList(filters, { shape: filterShape, path: "filters", max: MAX_FILTERS }, problems),
    sort: readList(sort, { shape: sortShape, path: "sort", max: MAX_SORTS }, problems),
    ...(time === undefined || time === null ? {} : { time: readObject(time, timeShape, "time", problems) }),
    ...(chart === undefined || chart === null ? {} : { chart: readObject(chart, chartShape, "chart", problems) }),
  };
  return { parts, problems };
}

function readMeasures(measures: unknown, problems: Problem[]): MeasureInput[] {
  if (Array.isArray(measures) && measures.length > 0) {
    return readList(measures, { shape: measureShape, path: "measures", max: MAX_MEASURES }, problems);
  }
  const message = `a list of 1 to ${MAX_MEASURES} measures is needed, as in [{"name":"issues_created"}]`;
  problems.push(problem("SPEC_INVALID", { path: "measures", message }));
  return [];
}

function readList<S extends Shape>(
  input: unknown,
  { shape, path, max }: { shape: S; path: string; max: number },
  problems: Problem[],
): Read<S>[] {
  if (input === undefined || input === null) return [];
  if (!Array.isArray(input)) {
    problems.push(problem("SPEC_INVALID", { path, message: "must be a list" }));
    return [];
  }
  if (input.length > max) {
    problems.push(problem("LIMIT_EXCEEDED", { path, message: `has ${input.length} entries, more than the ${max} allowed` }));
    return [];
  }
  return input.map((entry, index) => readObject(entry, shape, `${path}[${index}]`, problems));
}

function readObject<S extends Shape>(input: unknown, shape: S, path: string, problems: Problem[]): Read<S> {
  if (!isObject(input)) {
    const message = `must be an object with ${Object.keys(shape).join(", ")}`;
    problems.push(problem("SPEC_INVALID", { path, message }));
    return {};
  }
  const read: Record<string, unknown> = {};
  problems.push(...unknownKeys(input, path, Object.keys(shape)));
  for (const [key, schema] of Object.entries(shape)) {
    const parsed = schema.safeParse(Object.hasOwn(input, key) ? input[key] : undefined, { reportInput: true });
    if (parsed.success) {
      if (parsed.data !== undefined) read[key] = parsed.data;
    } else {
      read[key] = undefined;
      // A text in place of a list is also "too long" for one; that it is no list says it all.
      const wrongKind = parsed.error.issues.filter((issue) => issue.code === "invalid_type" && issue.path.length === 0);
      const issues = wrongKind.length > 0 ? wrongKind : parsed.error.issues;
      problems.push(...issues.map((issue) => toProblem(issue, path === "" ? [key] : [path, key])));
    }
  }
  return read as Read<S>;
}

function isObject(input: unknown): input is Record<string, unknown> {
  return input !== null && typeof input === "object" && !Array.isArray(input);
}

/** Each key that is not allowed; of very many the first ones, since nobody mends five thousand. */
function unknownKeys(input: Record<string, unknown>, path: string, allowed: readonly string[]): Problem[] {
  const unknown = Object.keys(input).filter((key) => !allowed.includes(key));
  const told = unknown.slice(0, MAX_UNKNOWN_TOLD).map((key) => unknownKey(key, path, allowed));
  const left = unknown.length - told.length;
  return left === 0 ? told : [...told, problem("SPEC_INVALID", { path, message: `and ${left} more unknown keys`, allowed })];
}

function unknownKey(key: string, parent: string, allowed: readonly string[]): Problem {
  const path = parent === "" ? key.slice(0, 80) : `${parent}.${key.slice(0, 80)}`;
  return problem("SPEC_INVALID", { path, message: `unknown key ${quoted(key)}`, allowed, wrote: key });
}

function toProblem(issue: z.core.$ZodIssue, prefix: readonly string[]): Problem {
  const path = pathText([...prefix, ...issue.path]);
  switch (issue.code) {
    case "invalid_union":
      return problem("BAD_VALUE", { path, message: "must be a text, a number, true or false, or a list of them" });
    case "invalid_value":
      return notAllowed(issue, path);
    case "too_big": {
      const unit = { string: "characters", array: "entries" }[issue.origin as string];
      return problem("LIMIT_EXCEEDED", { path, message: `is more than ${String(issue.maximum)}${unit === undefined ? "" : ` ${unit}`}` });
    }
    case "too_small":
      return problem("BAD_VALUE", { path, message: `is less than ${String(issue.minimum)}` });
    case "invalid_type":
      return problem(issue.input === undefined ? "SPEC_INVALID" : "BAD_VALUE", {
        path,
        message: `must be ${ARTICLE[issue.expected] ?? issue.expected}`,
      });
    default:
      return problem("BAD_VALUE", { path, message: issue.message });
  }
}

const ARTICLE: Record<string, string> = {
  string: "a text",
  array: "a list",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
};

function notAllowed(issue: Extract<z.core.$ZodIssue, { code: "invalid_value" }>, path: string): Problem {
  const allowed = issue.values.map(String);
  const wrote = typeof issue.input === "string" ? issue.input : undefined;
  const message =
    wrote === undefined ? `must be one of the ${allowed.length} allowed values` : `${quoted(wrote)} is not one of the allowed values`;
  return problem(path.endsWith(".op") ? "BAD_OPERATOR" : "BAD_VALUE", {
    path,
    message,
    allowed,
    ...(wrote === undefined ? {} : { wrote }),
  });
}

/** `["filters", 1, "values", 0]` as `filters[1].values[0]`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`),
    "",
  );
}
