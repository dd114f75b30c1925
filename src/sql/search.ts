import type { Catalog } from "../catalog/catalog.ts";
import { AS_OF_COLUMN, VERSION_COLUMN } from "../plan/columns.ts";
import { KEY_PROBE, SEARCH, type SearchPlan } from "../plan/search.ts";
import { IMPACT_BITS } from "../search/layout.ts";
import type { Principal } from "../tenant.ts";
import { allowedIssues, baseTable, type SourceContext, sourceContext } from "./context.ts";
import { all, empty, ident, integer, join, literal, type Sql, sql, type Statement, toStatement, value } from "./fragment.ts";
import { blocksOf, isEligible, type Named, probeHits } from "./search-hits.ts";
import { ofAnyInstance, shown, shownOf } from "./search-issues.ts";

/** How much a term that a long question repeats counts for. */
const REPEATED = 8;
/**
 * Entries of the index that a probe reads at most for each issue there is, rarest terms first, and how many it reads in any case. What
 * is left out are the commonest words of a long text: twice as many change no figure of bench/search by more than .01.
 */
const READ_PER_ISSUE = 1;
const SMALL_READ = 10_000;

/**
 * Ranks the tenant's issues for each probe by BM25F over the index: at most `candidates` a probe, best first, with what is shown of
 * them; and the issues named by key, as probe KEY_PROBE. At least one row, with the probe null where nothing was found.
 *
 * Rarity is the tenant's own. A principal narrowed to projects or instances is ranked by the rarity among what they may see, so
 * that not even a score depends on issues that they may not.
 */
export function compileSearch(plan: SearchPlan, principal: Principal, catalog: Catalog): Statement {
  const context = sourceContext(principal, catalog);
  const isNarrowed = allowedIssues(context).length > 0;
  const postings = isNarrowed ? { table: sql`seen as b`, wall: sql`true` } : baseTable(context, "search_posting", "b");
  const corpus = baseTable(context, "search_corpus", "c");
  const keys = plan.keys.length > 0 ? sql` union all ${keyHits(plan, context)}` : empty;
  const named: readonly Named[] = [
    [sql`corpus`, sql`select c.language, c.issues from ${corpus.table} where ${corpus.wall}`],
    [sql`asked`, askedTerms(plan)],
    ...(isNarrowed ? rarityAmongSeen(context) : rarity(context)),
    [sql`weighed`, weighedTerms(plan)],
    ...probeHits({ plan, context, postings }),
    [sql`found`, sql`select probe, issue_no, score from hits${keys}`],
  ];
  const state = baseTable(context, "tenant_state", "s");
  return toStatement(sql`with ${join(
    named.map(([name, body]) => sql`${name} as materialized (\n${body}\n)`),
    ", ",
  )}
select s.data_as_of as ${ident(AS_OF_COLUMN)}, s.data_version as ${ident(VERSION_COLUMN)}, (select issues from corpus) as ${ident(SEARCH.indexed)},
  (select string_agg(distinct w.word, ' ') from asked as a cross join unnest(a.words) as w (word) where a.term not in (select term from known)) as ${ident(SEARCH.unknown)},
  f.probe as ${ident(SEARCH.probe)}, f.score as ${ident(SEARCH.score)}, ${shown()}
from (select 1) as one left join ${state.table} on ${state.wall}
left join (found as f cross join ${shownOf(context, sql`f.issue_no`)}) on true
order by f.probe, f.score desc, f.issue_no`);
}

/** The probes' terms as the index has them. */
function askedTerms({ probes }: SearchPlan): Sql {
  const terms = probes.flatMap(({ terms: own }, probe) =>
    own.map(({ term, isWord, isQuoted, times }) => ({ probe, term, is_word: isWord, is_quoted: isQuoted, times })),
  );
  return sql`select l.probe, l.term, sum(l.times)::float8 as times, bool_or(l.is_quoted) as is_quoted, array_agg(l.word) as words from (
  select w.probe, w.times, w.is_quoted, w.term as word, case when w.is_word then "warehouse".search_lexeme(c.language, w.term) else w.term end as term
  from corpus as c cross join json_to_recordset(${value(JSON.stringify(terms), "json")}) as w (probe int, term text, is_word boolean, is_quoted boolean, times int)
) as l where l.term is not null group by l.probe, l.term`;
}

/** The terms that were asked for, of rows `p`. */
const ASKED = sql`p.term = any(array(select a.term from asked as a))`;

/** How many of the tenant's issues have each term, and how many there are. */
function rarity(context: SourceContext): Named[] {
  const term = baseTable(context, "search_term", "p");
  return [
    [sql`known`, sql`select p.term, p.issues::float8 as issues from ${term.table} where ${term.wall} and ${ASKED}`],
    [sql`size`, sql`select issues::float8 as issues from corpus`],
  ];
}

/** The same among the issues that the principal may see, with the postings of these as `seen`. */
function rarityAmongSeen(context: SourceContext): Named[] {
  const issue = baseTable(context, "issue", "issue");
  const posting = baseTable(context, "search_posting", "p");
  const visible = sql`select issue.issue_no from ${issue.table} where ${all([issue.wall, ...allowedIssues(context)])}`;
  const kept = sql`array(select v from unnest(p.postings) as v where get_bit(e.places, v >> ${integer(IMPACT_BITS)}) = 1)`;
  return [
    [sql`visible`, blocksOf(visible)],
    [
      sql`seen`,
      sql`select p.term, p.block, k.postings, cardinality(k.postings) as issues
from ${posting.table} join visible as e on e.block = p.block cross join lateral (select ${kept} as postings offset 0) as k
where ${posting.wall} and ${ASKED} and cardinality(k.postings) > 0`,
    ],
    [sql`known`, sql`select term, sum(issues)::float8 as issues from seen group by term`],
    [sql`size`, sql`select coalesce(sum(bit_count(places)), 0)::float8 as issues from visible`],
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

/** Issues by their key, best by definition. */
function keyHits(plan: SearchPlan, context: SourceContext): Sql {
  const issue = baseTable(context, "issue", "issue");
  const conditions = [
    issue.wall,
    ofAnyInstance(context),
    ...allowedIssues(context),
    sql`issue.issue_key = any(${value(plan.keys, "text[]")})`,
    ...(plan.filters.length === 0 ? [] : [isEligible(plan, context, sql`issue.issue_no`)]),
  ];
  return sql`(select ${integer(KEY_PROBE)} as probe, issue.issue_no, 1::float8 as score from ${issue.table} where ${all(conditions)} order by issue.issue_no limit ${integer(plan.candidates)})`;
}
