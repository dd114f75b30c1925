import type { Catalog } from "../catalog/catalog.ts";
import { SEARCH, type SearchPlan } from "../plan/search.ts";
import { MAX_TEXT_CHARACTERS } from "../search/tokenise.ts";
import type { Principal } from "../tenant.ts";
import { allowedIssues, baseTable, datasourceOf, type SourceContext, sourceContext } from "./context.ts";
import { filterCondition } from "./filter.ts";
import { all, ident, integer, join, type Sql, sql, type Statement, toStatement, value } from "./fragment.ts";
import { sourceRows } from "./source.ts";

/** The datasource whose fields filters name. */
const ISSUES = "issues";

/** An issue as a subject of its own, by its key; of several instances' the first ones by name. */
export function compileSubject(issueKey: string, principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const issue = baseTable(context, "issue", "issue");
  return toStatement(sql`select issue.issue_no as ${ident(SEARCH.issueNo)}, issue.instance_id as ${ident(SEARCH.instanceId)}, issue.summary as ${ident(SEARCH.title)},
  ${descriptionText()}, issue.project_key as ${ident(SEARCH.projectKey)}, issue.created_at as ${ident(SEARCH.createdAt)}
from ${issue.table} where ${all([issue.wall, ofAnyInstance(context), ...allowedIssues(context), sql`issue.issue_key = ${value(issueKey, "text")}`])}
order by issue.instance_id limit 2`);
}

/** The texts of some issues, for showing the passage that matched. */
export function compileTexts(issueNumbers: readonly number[], principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const issue = baseTable(context, "issue", "issue");
  const wanted = sql`issue.issue_no = any(${value(issueNumbers, "bigint[]")})`;
  return toStatement(sql`select issue.issue_no as ${ident(SEARCH.issueNo)}, ${descriptionText()}
from ${issue.table} where ${all([issue.wall, ...allowedIssues(context), wanted])}`);
}

/** Which terms may be meant by misspelt words. */
export interface Vocabulary {
  readonly initials: readonly string[];
  readonly minLetters: number;
  readonly maxLetters: number;
  readonly maxTerms: number;
}

/** Terms of the tenant's that begin with one of some letters and are about as long, the most frequent first. */
export function compileVocabulary(
  { initials, minLetters, maxLetters, maxTerms }: Vocabulary,
  principal: Principal,
  catalog: Catalog,
): Statement {
  const context = sourceContext(principal, catalog);
  const limit = value(maxTerms, "int");
  const isAsLong = sql`length(v.term) between ${value(minLetters, "int")} and ${value(maxLetters, "int")}`;
  const isMeant = sql`left(v.term, 1) = any(${value(initials, "text[]")}) and ${isAsLong}`;
  // A term of an issue that the principal may not see is none of theirs either.
  if (allowedIssues(context).length > 0) {
    const document = baseTable(context, "search_document", "d");
    const issue = baseTable(context, "issue", "issue");
    return toStatement(sql`select distinct v.term from ${document.table} join ${issue.table} on ${issue.wall} and issue.issue_no = d.issue_no
  cross join lateral unnest(d.terms) as v (term) where ${all([document.wall, ...allowedIssues(context), isMeant])} order by v.term limit ${limit}`);
  }
  const vocabulary = baseTable(context, "search_term", "v");
  // By ranges, which the key's order serves; what else asks for a beginning may not see rows before the wall does.
  return toStatement(sql`select v.term from unnest(${value(initials, "text[]")}) as i (initial)
  join ${vocabulary.table} on ${vocabulary.wall} and v.term >= i.initial and v.term < i.initial || chr(1114111) and ${isAsLong}
order by v.issues desc, v.term limit ${limit}`);
}

/** Numbers of the issues that the filters, and what the principal may see, leave. */
export function eligibleIssues(plan: Pick<SearchPlan, "filters" | "timezone">, context: SourceContext): Sql {
  const names = new Set(["issue_no", ...plan.filters.map(({ field }) => field)]);
  const rows = sourceRows(context, datasourceOf(context, ISSUES), names);
  const zoned = { ...context, timezone: value(plan.timezone, "text") };
  return sql`select r.issue_no from (${rows}) as r where ${all(plan.filters.map((filter) => filterCondition(zoned, filter)))}`;
}

/** True of every issue; lets the index of keys serve, which has the instance before the key. */
export function ofAnyInstance(context: SourceContext): Sql {
  const instance = baseTable(context, "instance", "n");
  return sql`issue.instance_id = any(array(select n.instance_id from ${instance.table} where ${instance.wall}))`;
}

const SHOWN = [
  SEARCH.issueNo,
  SEARCH.issueKey,
  SEARCH.title,
  SEARCH.projectKey,
  SEARCH.issueType,
  SEARCH.status,
  SEARCH.resolution,
  SEARCH.createdAt,
  SEARCH.updatedAt,
  SEARCH.resolvedAt,
  SEARCH.instanceId,
] as const;

/** What is shown of an issue, from `shownOf`. */
export function shown(): Sql {
  return join(
    [...SHOWN, SEARCH.baseUrl, SEARCH.kind].map((name) => ident("shown", name)),
    ", ",
  );
}

/**
 * The issue of a number that the principal may see, with its instance, as `shown`: `offset` keeps it a look at one row, where a plan
 * that guesses the count of hits would read all issues.
 */
export function shownOf(context: SourceContext, issueNo: Sql): Sql {
  const issue = baseTable(context, "issue", "issue");
  const instance = baseTable(context, "instance", "i");
  const columns = join([...SHOWN.map((name) => ident("issue", name)), ident("i", SEARCH.baseUrl), ident("i", SEARCH.kind)], ", ");
  return sql`lateral (select ${columns} from ${issue.table}
  left join ${instance.table} on ${instance.wall} and i.instance_id = issue.instance_id
  where ${all([issue.wall, ...allowedIssues(context), sql`issue.issue_no = ${issueNo}`])} offset 0) as shown`;
}

function descriptionText(): Sql {
  return sql`left(issue.description, ${integer(MAX_TEXT_CHARACTERS)}) as ${ident(SEARCH.description)}`;
}
