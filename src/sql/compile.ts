import type { Catalog } from "../catalog/catalog.ts";
import { must } from "../must.ts";
import {
  AS_OF_COLUMN,
  deltaColumn,
  dimensionColumn,
  isCompared,
  missingColumn,
  ORDER_COLUMN,
  outputColumn,
  PARTIAL_COLUMN,
  planNotes,
  previousColumn,
  ROWS_READ_COLUMN,
  TIME_COLUMN,
  TOTAL_COLUMN,
  VERSION_COLUMN,
} from "../plan/columns.ts";
import type { Plan } from "../plan/plan.ts";
import type { Principal } from "../tenant.ts";
import { answerRows } from "./answer.ts";
import { type Context, datasourceOf, makeContext } from "./context.ts";
import { numberCondition } from "./filter.ts";
import { all, ident, join, type Sql, sql, type Statement, toStatement, value } from "./fragment.ts";
import { frameRows } from "./frame.ts";
import { sourceRows } from "./source.ts";
import type { Pass } from "./spine.ts";

/**
 * Writes a plan as one parameterised statement for one tenant, over the rows that the principal may see. Its rows: the page in order, the total row at ord 0 where
 * asked, each with the answer's provenance; at least one row, with ord null when the answer is empty.
 */
export function compile(plan: Plan, principal: Principal, catalog: Catalog): Statement {
  const context = makeContext(plan, principal, catalog);
  const grid = answerRows(context, "grid");
  const total = plan.totals ? answerRows(context, "total") : undefined;
  const ctes: [string, Sql][] = [
    ...frameRows(context, passesOf(plan)),
    ...grid.ctes,
    ["answer", grid.final],
    ["page", pageRows(context)],
    ...(total ? [...total.ctes, ["total_answer", total.final] as [string, Sql]] : []),
  ];
  const named = ctes.map(([name, body]) => sql`${ident(name)} as (\n${body}\n)`);
  const columns = pageColumns(plan);
  const page = sql`select ${join(columns, ", ")} from page where ${ident(ORDER_COLUMN)} <= ${value(plan.limit, "int")}`;
  const rows = total ? sql`${page} union all ${totalRow(plan)}` : page;
  const provenance = [
    sql`s.data_as_of as ${ident(AS_OF_COLUMN)}`,
    sql`s.data_version as ${ident(VERSION_COLUMN)}`,
    ...missingValues(context),
  ];
  return toStatement(
    sql`with ${join(named, ", ")}
select ${join(provenance, ", ")}, p.* from (select 1) as one left join state as s on true left join (${rows}) as p on true order by p.${ident(ORDER_COLUMN)}`,
  );
}

function passesOf(plan: Plan): readonly Pass[] {
  const compared = isCompared(plan);
  const grid: readonly Pass[] = compared ? ["current", "previous"] : ["current"];
  if (!plan.totals) return grid;
  return [...grid, "total", ...(compared ? (["total_previous"] as const) : [])];
}

/** The answer's rows that satisfy the conditions on measures, numbered in the asked order. */
function pageRows({ plan }: Context): Sql {
  const having = plan.having.map((filter) => numberCondition(ident(columnOf(plan, filter.field)), filter));
  const asked = plan.sort.map(({ field, dir }) => sql`${ident(columnOf(plan, field))} ${dir === "desc" ? sql`desc` : sql`asc`} nulls last`);
  const tieBreak = [sql`spine_i`, ...plan.dimensions.map((_, index) => sql`${ident(dimensionColumn(index))} nulls last`)];
  const counts = [
    ...planNotes(plan).map(({ id }) => sql`sum(${ident(id)}) over () as ${ident(`sum_${id}`)}`),
    sql`${join(
      plan.facts.map(({ rowsId }) => sql`coalesce(sum(${ident(rowsId)}) over (), 0)`),
      " + ",
    )} as ${ident(ROWS_READ_COLUMN)}`,
  ];
  return sql`select answer.*, count(*) over () as ${ident(TOTAL_COLUMN)}, ${join(counts, ", ")},
    row_number() over (order by ${join([...asked, ...tieBreak], ", ")}) as ${ident(ORDER_COLUMN)}
  from answer where ${all(having)}`;
}

/** The statement's column for a column of the answer as the spec names it. */
function columnOf(plan: Plan, name: string): string {
  if (name === "time") return "spine_i";
  const dimension = plan.dimensions.findIndex((candidate) => candidate.name === name);
  if (dimension >= 0) return dimensionColumn(dimension);
  const index = plan.outputs.findIndex(({ as }) => name === as || name === `${as}__previous` || name === `${as}__delta_ratio`);
  const { as } = must(plan.outputs[index], `output ${name}`);
  if (name === as) return outputColumn(index);
  return name.endsWith("__previous") ? previousColumn(index) : deltaColumn(index);
}

function outputNames(plan: Plan): Sql[] {
  return plan.outputs.flatMap((_, index) =>
    (isCompared(plan) ? [outputColumn(index), previousColumn(index), deltaColumn(index)] : [outputColumn(index)]).map((name) =>
      ident(name),
    ),
  );
}

function pageColumns(plan: Plan): Sql[] {
  return [
    ident(ORDER_COLUMN),
    ident(TOTAL_COLUMN),
    sql`${ident(ROWS_READ_COLUMN)}::bigint as ${ident(ROWS_READ_COLUMN)}`,
    ...planNotes(plan).map(({ id }) => sql`${ident(`sum_${id}`)}::bigint as ${ident(id)}`),
    sql`spine_partial as ${ident(PARTIAL_COLUMN)}`,
    sql`spine_bucket as ${ident(TIME_COLUMN)}`,
    ...plan.dimensions.map((_, index) => ident(dimensionColumn(index))),
    ...outputNames(plan),
  ];
}

function totalRow(plan: Plan): Sql {
  const blanks = [
    sql`0::bigint`,
    ...[TOTAL_COLUMN, ROWS_READ_COLUMN, ...planNotes(plan)].map(() => sql`null::bigint`),
    sql`false`,
    sql`null::date`,
  ];
  const dimensions = plan.dimensions.map(() => sql`null::text`);
  return sql`select ${join([...blanks, ...dimensions, ...outputNames(plan)], ", ")} from total_answer`;
}

/** Filter values that no row of the tenant has. A scalar look-up each, so that a present value ends the search at once. */
function missingValues(context: Context): Sql[] {
  return context.plan.valueChecks.map(({ field, datasource: name, values }, index) => {
    const datasource = datasourceOf(context, name);
    const rows = sql`(${sourceRows(context, datasource, new Set([field]))}) as r`;
    const isList = datasource.columns[field]?.type === "text_list";
    const holds = isList ? sql`${ident("r", field)} @> array[wanted]` : sql`${ident("r", field)} = wanted`;
    return sql`(select array_agg(wanted) from unnest(${value(values, "text[]")}) as wanted where (select 1 from ${rows} where ${holds} limit 1) is null) as ${ident(missingColumn(index))}`;
  });
}
