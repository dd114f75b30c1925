import type { SearchPlan } from "../plan/search.ts";
import { BLOCK_BITS, IMPACT_BITS, MAX_IMPACT } from "../search/layout.ts";
import { baseTable, type SourceContext } from "./context.ts";
import { empty, integer, literal, type Sql, sql, value } from "./fragment.ts";
import { eligibleIssues } from "./search-issues.ts";

/** A part of the statement under its name. */
export type Named = readonly [name: Sql, body: Sql];

/** What every part of one search statement shares. */
export interface Hunt {
  readonly plan: SearchPlan;
  readonly context: SourceContext;
  /** What is read for postings: `b` with term, block, issues and postings, and the wall that stands before it. */
  readonly postings: { readonly table: Sql; readonly wall: Sql };
}

/** A probe's best issues whose text is looked through for its phrases at most. */
const LOOKED_THROUGH = 2_000;
/** A probe's best issues that are asked one by one whether they pass the filters, before all of the tenant's are. */
const ASKED_ONE_BY_ONE = 2_000;
/** Issues that are looked at to say how many the filters leave. */
const SAMPLE = 300;
/** Filters that leave fewer issues than this for each probe are asked first: finding enough of them among the best would take longer. */
const MANY_ISSUES = 1_500;

const PLACES = 2 ** BLOCK_BITS;

/** The issues that some condition leaves, as one row of bits for each block of issue numbers. */
export function blocksOf(issueNumbers: Sql): Sql {
  return sql`select (i.issue_no >> ${integer(BLOCK_BITS)})::int as block,
  bit_or(set_bit(0::bit(${integer(PLACES)}), (i.issue_no & ${integer(PLACES - 1)})::int, 1)) as places
from (${issueNumbers}) as i group by 1`;
}

/** The parts of the statement that find each probe's best issues, the last of them being `hits`. */
export function probeHits(hunt: Hunt): readonly Named[] {
  const { plan, context } = hunt;
  const probes: Named = [sql`probes`, sql`select probe, max(read) as read from weighed group by probe`];
  if (plan.filters.length === 0) return [probes, [sql`hits`, hitsOf(sql`probes`, ofProbe(hunt, ranked(hunt, { isFirst: false })))]];
  const hasPhrases = phrasesOf(plan).length > 0;
  const best = sql`select g.issue_no, g.score from (${ranked(hunt, { isFirst: false })}${hasPhrases ? empty : sql` limit ${integer(ASKED_ONE_BY_ONE)}`} offset 0) as g
  where ${isEligible(plan, context, sql`g.issue_no`)} order by g.score desc, g.issue_no`;
  const isLong = sql`p.read > ${integer(ASKED_ONE_BY_ONE)}`;
  const isShort = hasPhrases ? empty : sql` or (select count(*) from lifted as l where l.probe = p.probe) < ${integer(plan.candidates)}`;
  return [
    probes,
    [sql`filters`, leavesMany(hunt)],
    [
      sql`lifted`,
      hitsOf(sql`(select p.probe from probes as p where (select leave_many from filters) or not ${isLong})`, ofProbe(hunt, best)),
    ],
    [sql`rest`, sql`select p.probe from probes as p where ${isLong} and (not (select leave_many from filters)${isShort})`],
    [sql`eligible`, blocksOf(eligibleIssues(plan, context))],
    [
      sql`hits`,
      sql`select l.probe, l.issue_no, l.score from lifted as l where l.probe not in (select probe from rest)
union all ${hitsOf(sql`rest`, ofProbe(hunt, ranked(hunt, { isFirst: true })))}`,
    ],
  ];
}

const hitsOf = (probes: Sql, hits: Sql): Sql =>
  sql`select p.probe, h.issue_no, h.score from ${probes} as p cross join lateral (${hits}) as h`;

/** The best of a probe's ranked issues: those that hold its phrases, if it has some. */
function ofProbe(hunt: Hunt, rankedIssues: Sql): Sql {
  const { plan } = hunt;
  if (phrasesOf(plan).length === 0) return sql`${rankedIssues} limit ${integer(plan.candidates)}`;
  return sql`select g.issue_no, g.score from (${rankedIssues} limit ${integer(LOOKED_THROUGH)}) as g
  where ${holdsPhrases(hunt, sql`g.issue_no`)} order by g.score desc, g.issue_no limit ${integer(plan.candidates)}`;
}

/** All issues that have a term of the probe `p`, best first; where filters come first, of those alone that `eligible` has. */
function ranked({ plan, postings }: Hunt, { isFirst }: { readonly isFirst: boolean }): Sql {
  const quoted = phrasesOf(plan).length > 0;
  const eligible = isFirst
    ? { column: sql`, e.places`, join: sql` join eligible as e on e.block = b.block` }
    : { column: empty, join: empty };
  // Set-returning in the list of columns: in the list of tables all entries would be stored before the first is read.
  const entries = sql`select b.block << ${integer(BLOCK_BITS)} as base, u.weight${quoted ? sql`, u.is_quoted` : empty}${eligible.column}, unnest(b.postings) as v
    from weighed as u join ${postings.table} on ${postings.wall} and b.term = u.term${eligible.join} where u.probe = p.probe`;
  const passing = isFirst ? sql` where get_bit(t.places, t.v >> ${integer(IMPACT_BITS)}) = 1` : empty;
  // Only issues that have all words of a probe's phrases, as far as they are looked up, can hold the phrases.
  const holding = quoted
    ? sql` having count(*) filter (where t.is_quoted) = (select count(*) from weighed as q where q.probe = p.probe and q.is_quoted)`
    : empty;
  return sql`select (t.base + (t.v >> ${integer(IMPACT_BITS)}))::bigint as issue_no, sum((t.v & ${integer(MAX_IMPACT)}) * t.weight) / ${literal(MAX_IMPACT)} as score
  from (${entries}) as t${passing} group by 1${holding} order by 2 desc, 1`;
}

/** Whether the filters leave so many issues that enough are among the best: by a sample of all. */
function leavesMany({ plan, context }: Hunt): Sql {
  const issue = baseTable(context, "issue", "issue");
  const last = sql`(select max(issue.issue_no) as issue_no from ${issue.table} where ${issue.wall})`;
  const sample = sql`select distinct last.issue_no * n / ${integer(SAMPLE)} as issue_no, last.issue_no as of
    from ${last} as last cross join generate_series(1, ${integer(SAMPLE)}) as n`;
  return sql`select count(*) filter (where ${isEligible(plan, context, sql`s.issue_no`)}) * max(s.of) / greatest(count(*), 1) >= ${integer(MANY_ISSUES)} * (select count(*) from probes) as leave_many
from (${sample}) as s`;
}

/** Whether an issue passes the filters: `offset` keeps it a look at one row instead of a join with all. */
export function isEligible(plan: SearchPlan, context: SourceContext, issueNo: Sql): Sql {
  return sql`exists (select from (${eligibleIssues(plan, context)}) as f where f.issue_no = ${issueNo} offset 0)`;
}

const phrasesOf = ({ probes }: SearchPlan): readonly { readonly probe: number; readonly pattern: string }[] =>
  probes.flatMap(({ phrases }, probe) => phrases.map((phrase) => ({ probe, pattern: patternOf(phrase) })));

/** A phrase as a regular expression of the server's: word for word, with whatever space there is between them. */
const patternOf = (phrase: string): string => phrase.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/\s+/g, String.raw`\s+`);

/**
 * Whether an issue holds all phrases of the probe as they are, in any case. A pattern reads a text in 8 µs where lower and translate
 * took 40 to make it comparable.
 */
function holdsPhrases({ plan, context }: Hunt, issueNo: Sql): Sql {
  const issue = baseTable(context, "issue", "t");
  const text = sql`concat_ws(' ', t.summary, t.description)`;
  return sql`not exists (
    select from json_to_recordset(${value(JSON.stringify(phrasesOf(plan)), "json")}) as q (probe int, pattern text)
    join ${issue.table} on ${issue.wall} and t.issue_no = ${issueNo}
    where q.probe = p.probe and ${text} !~* q.pattern offset 0)`;
}
