import type { PlanFilter } from "../plan/plan.ts";
import type { FilterValue, SpecFilter } from "../spec/spec.ts";
import { type Context, firstInstantOf } from "./context.ts";
import { ident, join, type Sql, sql, value } from "./fragment.ts";

/** All that a condition takes from its statement. */
type Zoned = Pick<Context, "timezone">;

/** A condition on one column of the rows. Null rows stay under `!=` and `not_in`. */
export function filterCondition(context: Zoned, filter: PlanFilter): Sql {
  const column = ident("r", filter.field);
  switch (filter.kind) {
    case "text":
      return textCondition(column, filter);
    case "text_list":
      return listCondition(column, filter);
    case "number":
      return numberCondition(column, filter);
    case "timestamp":
      return timeCondition(context, column, filter);
  }
}

function textCondition(column: Sql, { op, values }: SpecFilter): Sql {
  const [first] = values.map((text) => value(String(text), "text"));
  const many = value(values.map(String), "text[]");
  switch (op) {
    case "=":
    case "in":
      return sql`${column} = any(${many})`;
    case "!=":
    case "not_in":
      return sql`(${column} is null or ${column} <> all(${many}))`;
    case "contains":
      return sql`position(lower(${first ?? many}) in lower(${column})) > 0`;
    case "starts_with":
      return sql`starts_with(lower(${column}), lower(${first ?? many}))`;
    default:
      return nullTest(sql`${column}`, op);
  }
}

/** A list holds when any of its values does; negations when none does. */
function listCondition(column: Sql, { op, values }: SpecFilter): Sql {
  const many = value(values.map(String), "text[]");
  switch (op) {
    case "=":
    case "in":
      return sql`${column} && ${many}`;
    case "!=":
    case "not_in":
      return sql`not (${column} && ${many})`;
    case "contains":
    case "starts_with":
      return sql`exists (select 1 from unnest(${column}) as element where ${textCondition(sql`element`, { field: "", op, values })})`;
    case "is_null":
      return sql`cardinality(${column}) = 0`;
    default:
      return sql`cardinality(${column}) > 0`;
  }
}

/** Comparison of a number: a field of the rows, or a measure of the answer. */
export function numberCondition(column: Sql, { op, values }: SpecFilter): Sql {
  const bound = values.map((number) => value(Number(number), "float8"));
  const [first = sql`null`, second = sql`null`] = bound;
  switch (op) {
    case "=":
    case "in":
      return sql`${column} in (${join(bound, ", ")})`;
    case "!=":
    case "not_in":
      return sql`(${column} is null or ${column} not in (${join(bound, ", ")}))`;
    case "between":
      return sql`${column} between ${first} and ${second}`;
    default:
      return ordered(column, op, first) ?? nullTest(column, op);
  }
}

function ordered(column: Sql, op: SpecFilter["op"], bound: Sql): Sql | undefined {
  if (op === ">") return sql`${column} > ${bound}`;
  if (op === ">=") return sql`${column} >= ${bound}`;
  if (op === "<") return sql`${column} < ${bound}`;
  if (op === "<=") return sql`${column} <= ${bound}`;
  return undefined;
}

function nullTest(column: Sql, op: SpecFilter["op"]): Sql {
  return op === "is_null" ? sql`${column} is null` : sql`${column} is not null`;
}

/** A date means its whole day in the spec's zone; an instant itself. */
function timeCondition(context: Zoned, column: Sql, { op, values }: SpecFilter): Sql {
  const spans = values.map((written) => spanOf(context, written));
  const [first, second] = spans;
  if (!first) return nullTest(column, op);
  const within = (span: Span): Sql =>
    span.isDay ? sql`(${column} >= ${span.start} and ${column} < ${span.end})` : sql`${column} = ${span.start}`;
  switch (op) {
    case "=":
    case "in":
      return sql`(${join(spans.map(within), " or ")})`;
    case "!=":
    case "not_in":
      return sql`(${column} is null or not (${join(spans.map(within), " or ")}))`;
    case "between":
      return sql`(${column} >= ${first.start} and ${upTo(column, second ?? first)})`;
    case ">":
      return first.isDay ? sql`${column} >= ${first.end}` : sql`${column} > ${first.start}`;
    case "<=":
      return upTo(column, first);
    default:
      return ordered(column, op, first.start) ?? nullTest(column, op);
  }
}

const upTo = (column: Sql, span: Span): Sql => (span.isDay ? sql`${column} < ${span.end}` : sql`${column} <= ${span.start}`);

interface Span {
  readonly start: Sql;
  readonly end: Sql;
  readonly isDay: boolean;
}

function spanOf(context: Zoned, written: FilterValue): Span {
  const text = String(written);
  if (text.includes("T")) {
    const instant = value(text, "timestamptz");
    return { start: instant, end: instant, isDay: false };
  }
  const day = value(text, "timestamp");
  return { start: firstInstantOf(context, day), end: firstInstantOf(context, sql`(${day} + interval '1 day')`), isDay: true };
}
