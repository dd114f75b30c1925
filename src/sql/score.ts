import type { DatasourceDefinition } from "../catalog/definition.ts";
import type { PlanFact, PlanScore } from "../plan/plan.ts";
import type { Context } from "./context.ts";
import { ident, join, literal, type Sql, sql, verified } from "./fragment.ts";
import { filtered } from "./measure.ts";
import { sourceRows } from "./source.ts";

/** Below this a baseline has no spread: rounding of equal values leaves about 1e-17. */
const NO_SPREAD = 1e-12;

/**
 * One row per unit (a sprint and project) with the z-score of each component against the unit's baseline population and
 * their weighted mean. Runs over all of the tenant's rows, whatever the spec filters, so that a score never depends on the question.
 */
export function scoredUnits(
  context: Context,
  datasource: DatasourceDefinition,
  { fact, score, carried }: { fact: PlanFact; score: PlanScore; carried: ReadonlySet<string> },
): Sql {
  const { columnsOf } = context.catalog;
  const keys = new Set([
    ...score.per,
    ...score.baseline,
    ...carried,
    ...columnsOf(score.baselineWhere),
    ...(fact.time === null ? [] : [fact.time]),
  ]);
  const expressions = score.components.flatMap((component) => [component.numerator, component.denominator]);
  const needed = new Set([...keys, ...expressions.flatMap((expression) => columnsOf(expression))]);
  const names = [...keys].map((name) => ident(name));
  const components = score.components.map(
    ({ name, numerator, denominator }) =>
      sql`${verified(numerator)}::float8 / nullif(${verified(denominator)}::float8, 0) as ${ident(`${name}_raw`)}`,
  );
  const units = sql`select ${join([...names, ...components], ", ")} from (${sourceRows(context, datasource, needed)}) as r group by ${join(names, ", ")}`;
  const scaled = score.components.map(({ name }) => zScore(score, name));
  const withScores = sql`select u.*, ${join(scaled, ", ")} from (${units}) as u window w as (partition by ${join(
    score.baseline.map((name) => ident(name)),
    ", ",
  )})`;
  return sql`select z.*, ${weightedMean(score)} as "score" from (${withScores}) as z`;
}

function zScore(score: PlanScore, name: string): Sql {
  const raw = ident(`${name}_raw`);
  const over = sql`${filtered(verified(score.baselineWhere))} over w`;
  const mean = sql`avg(${raw})${over}`;
  const spread = sql`stddev_pop(${raw})${over}`;
  const clip = literal(score.clip);
  // least and greatest leave null out: without the first case an unknown component would count as the worst.
  return sql`case when ${raw} is null then null when ${spread} > ${literal(NO_SPREAD)} then greatest(-${clip}, least(${clip}, (${raw} - ${mean}) / ${spread}))
    when abs(${raw} - ${mean}) <= ${literal(NO_SPREAD)} then 0 end as ${ident(`${name}_z`)}`;
}

/** Missing components leave their weight to the others. */
function weightedMean(score: PlanScore): Sql {
  const z = (name: string): Sql => ident(`${name}_z`);
  const sum = join(
    score.components.map(({ name, weight }) => sql`coalesce(${z(name)} * ${literal(weight)}, 0)`),
    " + ",
  );
  const weights = join(
    score.components.map(({ name, weight }) => sql`case when ${z(name)} is null then 0 else ${literal(weight)} end`),
    " + ",
  );
  return sql`(${sum}) / nullif(${weights}, 0)`;
}
