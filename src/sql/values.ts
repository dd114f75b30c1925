import type { Catalog } from "../catalog/catalog.ts";
import { must } from "../must.ts";
import type { Principal } from "../tenant.ts";
import { sourceContext } from "./context.ts";
import { empty, ident, type Sql, sql, type Statement, toStatement, value } from "./fragment.ts";
import { sourceRows } from "./source.ts";

/** The values of one dimension with the issues that have each, most frequent first; the last column counts all of them. */
export function compileValues(
  { dimension, search, limit }: { dimension: string; search: string | null; limit: number },
  principal: Principal,
  catalog: Catalog,
): Statement {
  const candidates = [...catalog.datasources.values()].filter((candidate) => candidate.columns[dimension]);
  // Issues as they are now, where they have the dimension: intervals and states repeat an issue.
  const datasource = must(candidates.find((candidate) => candidate.table === "issue") ?? candidates[0], dimension);
  const context = sourceContext(principal, catalog);
  const rows = sourceRows(context, datasource, new Set([dimension, "issue_no"]));
  const isList = datasource.columns[dimension]?.type === "text_list";
  const column = isList ? sql`element` : ident("r", dimension);
  const unnested = isList ? sql` left join lateral unnest(${ident("r", dimension)}) as element on true` : empty;
  const condition: Sql = search === null ? empty : sql` where position(lower(${value(search, "text")}) in lower(${column})) > 0`;
  return toStatement(sql`select ${column} as value, count(distinct r.issue_no) as issues, count(*) over () as total
from (${rows}) as r${unnested}${condition} group by 1 order by 2 desc, 1 nulls last limit ${value(limit, "int")}`);
}

/** The same statement, explained instead of run. */
export function explained(statement: Statement): Statement {
  return { text: `explain (format json) ${statement.text}`, values: statement.values };
}
