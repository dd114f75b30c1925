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
/** A probe's best issues whose text is looked through for its phrases at most. */
const LOOKED_THROUGH = 2_000;

/** A part of the statement under its name. */
type Named = readonly [name: Sql, body: Sql];

/** What every part of one search statement shares. */
interface Search {
  readonly plan: SearchPlan;
  readonly context: SourceContext;
  readonly isNarrowed: boolean;
  readonly hasPhrases: boolean;
  /** Numbers of the issues that the filters leave; absent without filters. */
  readonly eligible?: Sql;
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
  const search: Search = {
    plan,
    context,
    isNarrowed: allowedIssues(context).length > 0,
    hasPhrases: plan.probes.some(({ phrases }) => phrases.length > 0),
    ...(plan.filters.length === 0 ? {} : { eligible: eligibleIssues(plan, context) }),
  };
  const corpus = baseTable(context, "search_corpus", "c");
  const named: readonly Named[] = [
    [sql`corpus`, sql`select c.language, c.issues from ${corpus.table} where ${corpus.wall}`],
    [sql`asked`, askedTerms(plan)],
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
left join (found as f cross join ${shownOf(context, sql`f.issue_no`)}) on true
order by f.probe, f.score desc, f.issue_no`);
}

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
  const terms = probes.flatMap(({ terms: own }, probe) =>
    own.map(({ term, isWord, isQuoted, times }) => ({ probe, term, is_word: isWord, is_quoted: isQuoted, times })),
  );
  return sql`select l.probe, l.term, sum(l.times)::float8 as times, bool_or(l.is_quoted) as is_quoted from (
  select w.probe, w.times, w.is_quoted, case when w.is_word then "warehouse".search_lexeme(c.language, w.term) else w.term end as term
  from corpus as c cross join json_to_recordset(${value(JSON.stringify(terms), "json")}) as w (probe int, term text, is_word boolean, is_quoted boolean, times int)
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
function rarity({ context, isNarrowed }: Search): Named[] {
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
  select a.probe, a.term, a.is_quoted, ln(1 + (greatest(n.issues - k.issues, 0) + 0.5) / (k.issues + 0.5)) * ${literal(REPEATED + 1)} * a.times / (${literal(REPEATED)} + a.times) as weight,
    n.issues as of, sum(k.issues) over w as read, row_number() over w as place
  from asked as a join known as k on k.term = a.term cross join size as n
  window w as (partition by a.probe order by k.issues, a.term)
) as t where t.read <= least(greatest(${integer(READ_PER_ISSUE)} * t.of, ${integer(SMALL_READ)}), ${value(maxRead, "int")}) or t.place = 1`;
}

/**
 * The best issues of each probe. Filters are asked of one issue after the other, the best first, until enough have passed: a look at
 * each of a tenant's issues would cost more the more there are.
 */
function probeHits(search: Search): Sql {
  const { plan, context, isNarrowed, hasPhrases, eligible } = search;
  const posting = baseTable(context, "search_posting", "b");
  const issueNo = isNarrowed ? sql`b.issue_no` : POSTING_ISSUE(sql`b`);
  const impact = isNarrowed ? sql`b.impact` : sql`(v & ${integer(MAX_IMPACT)})`;
  const entries = isNarrowed
    ? sql`weighed as u join seen as b on b.term = u.term where u.probe = p.probe`
    : sql`weighed as u join ${posting.table} on ${posting.wall} and b.term = u.term cross join lateral unnest(b.postings) as v where u.probe = p.probe`;
  const ranked = sql`select ${issueNo} as issue_no, sum(${impact} * u.weight) / ${literal(MAX_IMPACT)} as score
  from ${entries} group by 1${hasPhrases ? HOLDS_QUOTED : empty} order by 2 desc, 1`;
  const count = integer(plan.candidates);
  const limit = hasPhrases ? integer(LOOKED_THROUGH) : count;
  const passing =
    eligible === undefined ? sql`${ranked} limit ${limit}` : best(sql`${ranked} offset 0`, isEligible(eligible, sql`g.issue_no`), limit);
  const kept = hasPhrases ? best(passing, holdsPhrases(search, sql`g.issue_no`), count) : passing;
  return sql`select p.probe, h.issue_no, h.score from (select distinct probe from weighed) as p cross join lateral (${kept}) as h`;
}

/** The first of ranked issues for which a condition on `g` holds; asks it of no more than that takes. */
function best(ranked: Sql, condition: Sql, limit: Sql): Sql {
  return sql`select g.issue_no, g.score from (${ranked}) as g where ${condition} order by g.score desc, g.issue_no limit ${limit}`;
}

/** Whether an issue passes the filters: `offset` keeps it a look at one row instead of a join with all. */
function isEligible(eligible: Sql, issueNo: Sql): Sql {
  return sql`exists (select from (${eligible}) as e where e.issue_no = ${issueNo} offset 0)`;
}

/** Only issues that have all words of a probe's phrases, as far as they are looked up, can hold the phrases. */
const HOLDS_QUOTED = sql` having count(*) filter (where u.is_quoted) = (select count(*) from weighed as q where q.probe = p.probe and q.is_quoted)`;

/** Whether an issue holds all phrases of the probe as they are. */
function holdsPhrases({ plan, context }: Search, issueNo: Sql): Sql {
  const phrases = plan.probes.flatMap(({ phrases: own }, probe) => own.map((phrase) => ({ probe, phrase })));
  const issue = baseTable(context, "issue", "t");
  const text = sql`lower(translate(concat_ws(' ', t.summary, t.description), E'\\n\\r\\t', '   '))`;
  return sql`not exists (
    select from json_to_recordset(${value(JSON.stringify(phrases), "json")}) as q (probe int, phrase text)
    join ${issue.table} on ${issue.wall} and t.issue_no = ${issueNo}
    where q.probe = p.probe and position(lower(q.phrase) in ${text}) = 0 offset 0)`;
}

/** Issues by their key, best by definition. */
function keyHits({ plan, context, eligible }: Search): Sql {
  const issue = baseTable(context, "issue", "issue");
  const conditions = [
    issue.wall,
    ofAnyInstance(context),
    ...allowedIssues(context),
    sql`issue.issue_key = any(${value(plan.keys, "text[]")})`,
    ...(eligible === undefined ? [] : [isEligible(eligible, sql`issue.issue_no`)]),
  ];
  return sql`(select ${integer(KEY_PROBE)} as probe, issue.issue_no, 1::float8 as score from ${issue.table} where ${all(conditions)} order by issue.issue_no limit ${integer(plan.candidates)})`;
}

/** True of every issue; lets the index of keys serve, which has the instance before the key. */
function ofAnyInstance(context: SourceContext): Sql {
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
