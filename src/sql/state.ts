import type { Catalog } from "../catalog/catalog.ts";
import type { Principal } from "../tenant.ts";
import { baseTable, sourceContext } from "./context.ts";
import { join, sql, type Statement, toStatement, value } from "./fragment.ts";

/**
 * Which data the tenant has at this moment, in one row: data_version, and the microsecond in which it was imported, so that
 * the first import of another database is never taken for this one's. No row where nothing was ever imported.
 */
export function compileDataVersion(principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const { table, wall } = baseTable(context, "tenant_state", "t");
  return toStatement(
    sql`select t.data_version::text as data_version, (extract(epoch from t.updated_at) * 1000000)::bigint::text as imported_at from ${table} where ${wall}`,
  );
}

/**
 * What the tenant's data is like, in one row: first_day and last_day of it (null without), and most_rows, the rows of its largest
 * table, counted up to `countedRows` + 1.
 */
export function compileDataShape(principal: Principal, catalog: Catalog, countedRows: number): Statement {
  const context = sourceContext(principal, catalog);
  const bound = value(countedRows + 1, "int");
  const counts = [...new Set([...catalog.datasources.values()].map((datasource) => datasource.table))].map((name) => {
    const { table, wall } = baseTable(context, name, "t");
    return sql`(select count(*) from (select 1 from ${table} where ${wall} limit ${bound}) as counted)`;
  });
  const state = baseTable(context, "tenant_state", "t");
  const issue = baseTable(context, "issue", "t");
  return toStatement(sql`select (select min(t.created_at)::date from ${issue.table} where ${issue.wall}) as first_day,
  (select t.data_as_of::date from ${state.table} where ${state.wall}) as last_day, greatest(${join(counts, ", ")}) as most_rows`);
}
