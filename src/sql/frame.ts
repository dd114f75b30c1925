import { baseTable, type Context } from "./context.ts";
import { factBounds } from "./fact.ts";
import { join, type Sql, sql, value } from "./fragment.ts";
import { edgeRows, needsBounds, type Pass, passName, spineRows } from "./spine.ts";

/** What every statement over a plan rests on, as named subqueries: how far the data goes, and the buckets of each pass with their edges. */
export function frameRows(context: Context, passes: readonly Pass[]): [string, Sql][] {
  return [
    ["state", stateRows(context)],
    ...(needsBounds(context) ? [["bounds", boundRows(context)] as [string, Sql]] : []),
    ...passes.flatMap((pass): [string, Sql][] => [
      [`${pass}_spine`, spineRows(context, pass)],
      [`${pass}_edges`, edgeRows(passName(pass, "spine"))],
    ]),
  ];
}

function stateRows(context: Context): Sql {
  const { instances } = context.allowed;
  const state = baseTable(context, "tenant_state", "t");
  if (instances === undefined) return sql`select t.data_as_of, t.data_version from ${state.table} where ${state.wall}`;
  const own = baseTable(context, "instance", "i");
  const newest = sql`select max(i.data_as_of) from ${own.table} where ${own.wall} and i.instance_id = any(${value(instances, "text[]")})`;
  return sql`select (${newest}) as data_as_of, t.data_version from ${state.table} where ${state.wall}`;
}

function boundRows(context: Context): Sql {
  return sql`select min(lo) as lo, max(hi) as hi from (${join(
    context.plan.facts.map((fact) => factBounds(context, fact)),
    " union all ",
  )}) as every`;
}
