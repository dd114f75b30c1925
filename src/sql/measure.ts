import type { PlanFact, PlanMeasure } from "../plan/plan.ts";
import { empty, ident, literal, type Sql, sql, verified } from "./fragment.ts";

/** The aggregate of one measure over the rows (or folded units) of its fact. */
export function aggregateOf(measure: PlanMeasure, fact: PlanFact): Sql {
  const folded = fact.per.length > 0;
  const where = folded || measure.where === undefined ? undefined : verified(measure.where);
  if ("numerator" in measure.value) {
    const numerator = folded ? ident(`${measure.id}_num`) : verified(measure.value.numerator);
    const denominator = folded ? ident(`${measure.id}_den`) : verified(measure.value.denominator);
    if (measure.aggregate === "pooled") return pooled(numerator, denominator, where);
    return simple(measure, sql`(${numerator})::float8 / nullif((${denominator})::float8, 0)`, where);
  }
  if ("score" in measure.value) return simple(measure, ident(measure.value.score), where);
  if (!folded && measure.value.expression === "1" && measure.aggregate === "sum") return sql`(count(*)${filtered(where)})::float8`;
  return simple(measure, folded ? ident(`${measure.id}_val`) : verified(measure.value.expression), where);
}

/** Ratio of sums over the units that have both halves. */
function pooled(numerator: Sql, denominator: Sql, where: Sql | undefined): Sql {
  const known = sql`${numerator} is not null and ${denominator} is not null`;
  const clause = filtered(where === undefined ? known : sql`${where} and ${known}`);
  return sql`(sum((${numerator})::float8)${clause} / nullif(sum((${denominator})::float8)${clause}, 0))`;
}

function simple({ aggregate, fraction }: PlanMeasure, unit: Sql, where: Sql | undefined): Sql {
  const clause = filtered(where);
  switch (aggregate) {
    case "quantile":
      return sql`(percentile_cont(${literal(fraction ?? 0.5)}) within group (order by (${unit})::float8)${clause})`;
    case "avg":
      return sql`(avg((${unit})::float8)${clause})`;
    case "min":
      return sql`(min((${unit})::float8)${clause})`;
    case "max":
      return sql`(max((${unit})::float8)${clause})`;
    default:
      return sql`(sum((${unit})::float8)${clause})`;
  }
}

/** How many rows entered a measure: tells "no rows" (the gap rule) from "rows without a value" (null). */
export function presenceOf(measure: PlanMeasure, fact: PlanFact): Sql {
  return sql`count(*)${filtered(fact.per.length > 0 || measure.where === undefined ? undefined : verified(measure.where))}`;
}

export function filtered(condition: Sql | undefined): Sql {
  return condition === undefined ? empty : sql` filter (where ${condition})`;
}

/** The values of one measure per unit, folded from the unit's rows. */
export function foldedValues(measure: PlanMeasure): Sql[] {
  if ("numerator" in measure.value) {
    return [
      sql`${verified(measure.value.numerator)}::float8 as ${ident(`${measure.id}_num`)}`,
      sql`${verified(measure.value.denominator)}::float8 as ${ident(`${measure.id}_den`)}`,
    ];
  }
  if ("score" in measure.value) return [];
  return [sql`${verified(measure.value.expression)}::float8 as ${ident(`${measure.id}_val`)}`];
}

/** The catalog expressions a measure reads. */
export function expressionsOf(measure: PlanMeasure): string[] {
  const { value, where } = measure;
  const values = "numerator" in value ? [value.numerator, value.denominator] : "expression" in value ? [value.expression] : [];
  return where === undefined ? values : [...values, where];
}
