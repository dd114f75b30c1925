import type { Catalog } from "../catalog/catalog.ts";
import { NEAREST_PROBE, SEARCH, type SearchPlan } from "../plan/search.ts";
import type { Principal } from "../tenant.ts";
import { allowedIssues, baseTable, sourceContext } from "./context.ts";
import { all, empty, ident, integer, join, type Sql, sql, type Statement, toStatement, value } from "./fragment.ts";
import { eligibleIssues, shown, shownOf } from "./search-issues.ts";

/** What is near to what. */
export interface Nearest {
  /** What stored embeddings are known by. */
  readonly model: string;
  readonly dimension: number;
  readonly embedding: readonly number[];
  /** Look through all of the tenant's vectors instead of an approximate index. */
  readonly isExact: boolean;
  readonly plan: Pick<SearchPlan, "filters" | "timezone" | "candidates">;
}

/** Names of the models statement's columns. */
export const MODELS = { model: "model", name: "name", dimension: "dimension", vectors: "vectors", isReady: "is_ready" } as const;

/** The models that the tenant's issues were embedded by, newest first; none where pgvector is not installed. */
export function compileModels(principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const model = baseTable(context, "search_model", "m");
  const columns = Object.values(MODELS).map((name) => ident("m", name));
  return toStatement(
    sql`select ${join(columns, ", ")} from ${model.table} where ${all([model.wall, sql`to_regtype('vectors.vector') is not null`])} order by m.updated_at desc`,
  );
}

/** One issue's embedding; no row where it has none yet. */
export function compileEmbedding(
  { model, issueNo }: { model: string; issueNo: number },
  principal: Principal,
  catalog: Catalog,
): Statement {
  const context = sourceContext(principal, catalog);
  const embedding = baseTable(context, "search_embedding", "e");
  const issue = baseTable(context, "issue", "issue");
  const conditions = [
    embedding.wall,
    sql`e.model = ${value(model, "text")}`,
    sql`e.issue_no = ${value(issueNo, "int")}`,
    ...allowedIssues(context),
  ];
  return toStatement(
    sql`select e.embedding from ${embedding.table} join ${issue.table} on ${issue.wall} and issue.issue_no = e.issue_no where ${all(conditions)}`,
  );
}

/** The issues whose embeddings are nearest, as rows of the search statement with the probe NEAREST_PROBE and the cosine as score. */
export function compileNearest({ model, dimension, embedding, isExact, plan }: Nearest, principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const isNarrowed = plan.filters.length > 0 || allowedIssues(context).length > 0;
  const e = baseTable(context, "search_embedding", "e");
  const asVector = (array: Sql): Sql => sql`${array}::"vectors".vector(${integer(dimension)})`;
  const distance = sql`(${asVector(ident("e", "embedding"))} operator("vectors".<=>) ${asVector(value(embedding, "real[]"))})`;
  const isEligible = isNarrowed ? [sql`e.issue_no in (select issue_no from eligible)`] : [];
  const conditions = all([e.wall, sql`e.model = ${value(model, "text")}`, ...isEligible]);
  // An approximate index serves the bare distance only. Within some limits its order is not strict: hence the order outside.
  const order = isExact ? sql`${distance} + 0` : distance;
  const near = sql`select e.issue_no, ${distance} as distance from ${e.table} where ${conditions} order by ${order} limit ${value(plan.candidates, "int")}`;
  const eligible = isNarrowed ? sql`eligible as materialized (${eligibleIssues(plan, context)}), ` : empty;
  return toStatement(sql`with ${eligible}near as materialized (${near})
select ${integer(NEAREST_PROBE)} as ${ident(SEARCH.probe)}, 1 - f.distance as ${ident(SEARCH.score)}, ${shown()}
from near as f cross join ${shownOf(context, sql`f.issue_no`)} order by f.distance, f.issue_no`);
}
