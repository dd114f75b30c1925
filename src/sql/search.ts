import type { Catalog } from "../catalog/catalog.ts";
import { AS_OF_COLUMN, VERSION_COLUMN } from "../plan/columns.ts";
import { KEY_PROBE, SEARCH, type SearchPlan } from "../plan/search.ts";
import { BLOCK_BITS, IMPACT_BITS, MAX_IMPACT } from "../search/layout.ts";
import { MAX_TEXT_CHARACTERS } from "../search/tokenise.ts";
import type { Principal } from "../tenant.ts";
import { allowedIssues, baseTable, datasourceOf, type SourceContext, sourceContext } from "./context.ts";
import { filterCondition } from "./filter.ts";
import { all, empty, ident, integer, join, literal, type Sql, sql, type Statement, toStatement, value } from "./fragment.ts";
import { sourceRows } from "./source.ts";

/** The datasource whose fields filters name. */
const ISSUES = "issues";
/** How much a term that a long question repeats counts for. */
const REPEATED = 8;
/**
 * Entries of the index that a probe reads at most for each issue there is, rarest terms first, and how many it reads in any case. What
 * is left out are the commonest words of a long text: twice as many change no figure of bench/search by more than .01.
 */
const READ_PER_ISSUE = 1;
const SMALL_READ = 10_000;
/** Candidates of a probe whose text is looked through for its phrases. */
const PHRASE_CANDIDATES = 2_000;

/** What every part of one search statement shares. */
interface Search {
  readonly plan: SearchPlan;
  readonly context: SourceContext;
  readonly isNarrowed: boolean;
}

/**
 * Ranks the tenant's issues for each probe by BM25F over the index: at most `candidates` a probe, best first, with what is shown of
 * them; and the issues named by key, as probe KEY_PROBE. At least one row, with the probe null where nothing was found.
 *
 * Rarity is the tenant's own. A principal narrowed to projects or instances is ranked by the rarity among what they may see, so
 * that not even a score depends on issues that they may not.
 */
export function compileSearch(plan: SearchPlan, principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const search = { plan, context, isNarrowed: allowedIssues(context).length > 0 };
  const corpus = baseTable(context, "search_corpus", "c");
  const named: [Sql, Sql][] = [
    [sql`corpus`, sql`select c.language, c.issues from ${corpus.table} where ${corpus.wall}`],
    [sql`asked`, askedTerms(plan)],
    ...(plan.filters.length > 0 ? [[sql`eligible`, eligibleIssues(plan, context)] as [Sql, Sql]] : []),
    ...rarity(search),
    [sql`weighed`, weighedTerms(plan)],
    [sql`found`, join([probeHits(search), ...(plan.keys.length > 0 ? [keyHits(search)] : [])], " union all ")],
  ];
  const state = baseTable(context, "tenant_state", "s");
  return toStatement(sql`with ${join(
    named.map(([name, body]) => sql`${name} as materialized (\n${body}\n)`),
    ", ",
  )}
select s.data_as_of as ${ident(AS_OF_COLUMN)}, s.data_version as ${ident(VERSION_COLUMN)}, (select issues from corpus) as ${ident(SEARCH.indexed)},
  f.probe as ${ident(SEARCH.probe)}, f.score as ${ident(SEARCH.score)}, ${shown()}
from (select 1) as one left join ${state.table} on ${state.wall}
left join (found as f join ${shownFrom(context, sql`f.issue_no`)}) on true
order by f.probe, f.score desc, f.issue_no`);
}

/** An issue as a subject of its own, by its key; of several instances' the first ones by name. */
export function compileSubject(issueKey: string, principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const issue = baseTable(context, "issue", "issue");
  return toStatement(sql`select issue.issue_no as ${ident(SEARCH.issueNo)}, issue.instance_id as ${ident(SEARCH.instanceId)}, issue.summary as ${ident(SEARCH.title)},
  ${descriptionText()}, issue.project_key as ${ident(SEARCH.projectKey)}, issue.created_at as ${ident(SEARCH.createdAt)}
from ${issue.table} where ${all([issue.wall, ...allowedIssues(context), sql`issue.issue_key = ${value(issueKey, "text")}`])}
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

/** Terms of the tenant's that begin with one of some letters, for finding what a misspelt word may have meant. */
export function compileVocabulary(
  { initials, maxTerms }: { initials: readonly string[]; maxTerms: number },
  principal: Principal,
  catalog: Catalog,
): Statement {
  const context = sourceContext(principal, catalog);
  const limit = value(maxTerms, "int");
  const isMeant = sql`left(v.term, 1) = any(${value(initials, "text[]")})`;
  // A term of an issue that the principal may not see is none of theirs either.
  if (allowedIssues(context).length > 0) {
    const document = baseTable(context, "search_document", "d");
    const issue = baseTable(context, "issue", "issue");
    return toStatement(sql`select distinct v.term from ${document.table} join ${issue.table} on ${issue.wall} and issue.issue_no = d.issue_no
  cross join lateral unnest(d.terms) as v (term) where ${all([document.wall, ...allowedIssues(context), isMeant])} order by v.term limit ${limit}`);
  }
  const posting = baseTable(context, "search_posting", "v");
  return toStatement(
    sql`select v.term from ${posting.table} where ${posting.wall} and ${isMeant} group by v.term order by sum(v.issues) desc, v.term limit ${limit}`,
  );
}

/** The probes' terms as the index has them. */
function askedTerms({ probes }: SearchPlan): Sql {
  const terms = probes.flatMap(({ terms: own }, probe) => own.map(({ term, isWord, times }) => ({ probe, term, is_word: isWord, times })));
  return sql`select l.probe, l.term, sum(l.times)::float8 as times from (
  select w.probe, w.times, case when w.is_word then "warehouse".search_lexeme(c.language, w.term) else w.term end as term
  from corpus as c cross join json_to_recordset(${value(JSON.stringify(terms), "json")}) as w (probe int, term text, is_word boolean, times int)
) as l where l.term is not null group by l.probe, l.term`;
}

/** Numbers of the issues that the filters, and what the principal may see, leave. */
export function eligibleIssues(plan: Pick<SearchPlan, "filters" | "timezone">, context: SourceContext): Sql {
  const names = new Set(["issue_no", ...plan.filters.map(({ field }) => field)]);
  const rows = sourceRows(context, datasourceOf(context, ISSUES), names);
  const zoned = { ...context, timezone: value(plan.timezone, "text") };
  return sql`select r.issue_no from (${rows}) as r where ${all(plan.filters.map((filter) => filterCondition(zoned, filter)))}`;
}

const POSTING_ISSUE = (posting: Sql): Sql => sql`((${posting}.block << ${integer(BLOCK_BITS)}) + (v >> ${integer(IMPACT_BITS)}))::bigint`;

/** How many issues have each term, and how many there are: among all of the tenant's, or among those that may be seen. */
function rarity({ context, isNarrowed }: Search): [Sql, Sql][] {
  const posting = baseTable(context, "search_posting", "p");
  const asked = sql`p.term = any(array(select a.term from asked as a))`;
  if (!isNarrowed)
    return [
      [
        sql`known`,
        sql`select p.term, sum(p.issues)::float8 as issues from ${posting.table} where ${posting.wall} and ${asked} group by p.term`,
      ],
      [sql`size`, sql`select issues::float8 as issues from corpus`],
    ];
  const issue = baseTable(context, "issue", "issue");
  const visible = sql`select issue.issue_no from ${issue.table} where ${all([issue.wall, ...allowedIssues(context)])}`;
  return [
    [sql`visible`, visible],
    [
      sql`seen`,
      sql`select p.term, ${POSTING_ISSUE(sql`p`)} as issue_no, v & ${integer(MAX_IMPACT)} as impact
from ${posting.table} cross join lateral unnest(p.postings) as v
where ${posting.wall} and ${asked} and ${POSTING_ISSUE(sql`p`)} in (select issue_no from visible)`,
    ],
    [sql`known`, sql`select term, count(*)::float8 as issues from seen group by term`],
    [sql`size`, sql`select count(*)::float8 as issues from visible`],
  ];
}

/** Each probe's terms with their weight, rarest first, as far as the index may be read for it. */
function weighedTerms({ maxRead }: SearchPlan): Sql {
  return sql`select * from (
  select a.probe, a.term, ln(1 + (greatest(n.issues - k.issues, 0) + 0.5) / (k.issues + 0.5)) * ${literal(REPEATED + 1)} * a.times / (${literal(REPEATED)} + a.times) as weight,
    n.issues as of, sum(k.issues) over w as read, row_number() over w as place
  from asked as a join known as k on k.term = a.term cross join size as n
  window w as (partition by a.probe order by k.issues, a.term)
) as t where t.read <= least(greatest(${integer(READ_PER_ISSUE)} * t.of, ${integer(SMALL_READ)}), ${value(maxRead, "int")}) or t.place = 1`;
}

/** The best issues of each probe. */
function probeHits(search: Search): Sql {
  const { plan, context, isNarrowed } = search;
  const posting = baseTable(context, "search_posting", "b");
  const issueNo = isNarrowed ? sql`b.issue_no` : POSTING_ISSUE(sql`b`);
  const impact = isNarrowed ? sql`b.impact` : sql`(v & ${integer(MAX_IMPACT)})`;
  const entries = isNarrowed
    ? sql`weighed as u join seen as b on b.term = u.term where u.probe = p.probe`
    : sql`weighed as u join ${posting.table} on ${posting.wall} and b.term = u.term cross join lateral unnest(b.postings) as v where u.probe = p.probe`;
  const isEligible = plan.filters.length > 0 ? sql` and ${issueNo} in (select issue_no from eligible)` : empty;
  const hasPhrases = plan.probes.some(({ phrases }) => phrases.length > 0);
  const count = value(plan.candidates, "int");
  const limit = hasPhrases ? integer(PHRASE_CANDIDATES) : count;
  const best = sql`select ${issueNo} as issue_no, sum(${impact} * u.weight) / ${literal(MAX_IMPACT)} as score
  from ${entries}${isEligible} group by 1 order by 2 desc, 1 limit ${limit}`;
  const kept = hasPhrases ? withPhrases(search, best, count) : best;
  return sql`select p.probe, h.issue_no, h.score from (select distinct probe from weighed) as p cross join lateral (${kept}) as h`;
}

/** Of a probe's best issues those that hold all its phrases as they are. */
function withPhrases({ plan, context }: Search, best: Sql, count: Sql): Sql {
  const phrases = plan.probes.flatMap(({ phrases: own }, probe) => own.map((phrase) => ({ probe, phrase })));
  const issue = baseTable(context, "issue", "t");
  const text = sql`lower(translate(concat_ws(' ', t.summary, t.description), E'\\n\\r\\t', '   '))`;
  return sql`select g.issue_no, g.score from (${best}) as g join ${issue.table} on ${issue.wall} and t.issue_no = g.issue_no
  where not exists (
    select from json_to_recordset(${value(JSON.stringify(phrases), "json")}) as q (probe int, phrase text)
    where q.probe = p.probe and position(lower(q.phrase) in ${text}) = 0)
  order by g.score desc, g.issue_no limit ${count}`;
}

/** Issues by their key, best by definition. */
function keyHits({ plan, context }: Search): Sql {
  const issue = baseTable(context, "issue", "issue");
  const isEligible = plan.filters.length > 0 ? [sql`issue.issue_no in (select issue_no from eligible)`] : [];
  const conditions = [issue.wall, ...allowedIssues(context), sql`issue.issue_key = any(${value(plan.keys, "text[]")})`, ...isEligible];
  return sql`(select ${integer(KEY_PROBE)} as probe, issue.issue_no, 1::float8 as score from ${issue.table} where ${all(conditions)} order by issue.issue_no limit ${value(plan.candidates, "int")})`;
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

/** What is shown of an issue, from `shownFrom`. */
export function shown(): Sql {
  return join([...SHOWN.map((name) => ident("issue", name)), ident("i", SEARCH.baseUrl), ident("i", SEARCH.kind)], ", ");
}

/** The issue of a number that the principal may see, with its instance. */
export function shownFrom(context: SourceContext, issueNo: Sql): Sql {
  const issue = baseTable(context, "issue", "issue");
  const instance = baseTable(context, "instance", "i");
  return sql`${issue.table} on ${all([issue.wall, ...allowedIssues(context), sql`issue.issue_no = ${issueNo}`])}
  left join ${instance.table} on ${instance.wall} and i.instance_id = issue.instance_id`;
}

function descriptionText(): Sql {
  return sql`left(issue.description, ${integer(MAX_TEXT_CHARACTERS)}) as ${ident(SEARCH.description)}`;
}
