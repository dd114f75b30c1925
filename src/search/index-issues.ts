import type { PoolClient } from "pg";
import { BLOCK_BITS, IMPACT_BITS, impactOf, TOKENISER_VERSION } from "./layout.ts";
import { MAX_TEXT_CHARACTERS, termsOf } from "./tokenise.ts";

/** A writing transaction inside one tenant's wall. */
export interface IndexTarget {
  readonly client: PoolClient;
  readonly tenantId: number;
}

/** Issues read and written at once, at most a block's: bounds memory, not correctness. */
const BATCH_ISSUES = 2 ** BLOCK_BITS;

const TEXT_HASH = `md5(coalesce(i.summary, '') || E'\\x01' || coalesce(i.description, ''))`;

const OPEN = `
insert into warehouse.search_corpus as c (tenant_id, tokeniser) values ($1, $2)
on conflict (tenant_id) do update set tenant_id = c.tenant_id returning language, tokeniser`;

const CHANGED = `
select i.issue_no::float8 as issue_no, d.issue_no is not null as is_indexed
from warehouse.issue i left join warehouse.search_document d on d.tenant_id = $1 and d.issue_no = i.issue_no
where i.tenant_id = $1 and ($2::bigint[] is null or i.issue_no = any ($2)) and d.text_hash is distinct from ${TEXT_HASH}
order by i.issue_no`;

const TEXTS = `
select i.issue_no::float8 as issue_no, i.summary, left(i.description, ${MAX_TEXT_CHARACTERS}) as description, ${TEXT_HASH} as text_hash
from warehouse.issue i where i.tenant_id = $1 and i.issue_no = any ($2::bigint[])`;

const OLD_TERMS = `
select t.term, count(*)::int as issues from warehouse.search_document d cross join lateral unnest(d.terms) as t (term)
where d.tenant_id = $1 and d.issue_no = any ($2::bigint[]) group by t.term`;

const LEXEMES = "select w.word, warehouse.search_lexeme($2, w.word) as lexeme from unnest($1::text[]) as w (word)";

const KEPT = `unnest(p.postings) as v where v >> ${IMPACT_BITS} <> all ($4::int[])`;
const TAKE_OUT = `
update warehouse.search_posting p set postings = array(select v from ${KEPT}), issues = (select count(*) from ${KEPT})
where p.tenant_id = $1 and p.block = $2 and p.term = any ($3::text[])`;
const DROP_EMPTY = "delete from warehouse.search_posting where tenant_id = $1 and block = $2 and term = any ($3::text[]) and issues = 0";

const PUT_IN = `
insert into warehouse.search_posting as p (tenant_id, term, block, issues, postings)
select $1, n.term, $2, cardinality(n.postings::int[]), n.postings::int[] from unnest($3::text[], $4::text[]) as n (term, postings)
on conflict (tenant_id, term, block) do update set issues = p.issues + excluded.issues, postings = p.postings || excluded.postings`;

const COUNT_TERMS = `
insert into warehouse.search_term as t (tenant_id, term, issues)
select $1, n.term, n.issues from unnest($2::text[], $3::int[]) as n (term, issues)
on conflict (tenant_id, term) do update set issues = t.issues + excluded.issues`;
const DROP_UNUSED = "delete from warehouse.search_term where tenant_id = $1 and term = any ($2::text[]) and issues = 0";

const DOCUMENTS = `
insert into warehouse.search_document (tenant_id, issue_no, text_hash, terms)
select $1, n.issue_no, n.text_hash, string_to_array(n.terms, E'\\n')
from unnest($2::bigint[], $3::text[], $4::text[]) as n (issue_no, text_hash, terms)
on conflict (tenant_id, issue_no) do update set text_hash = excluded.text_hash, terms = excluded.terms`;

const CLOSE = `
update warehouse.search_corpus set built_at = now(), tokeniser = $2,
  issues = (select count(*) from warehouse.search_document where tenant_id = $1)
where tenant_id = $1 returning issues, language`;

interface IssueText {
  readonly issue_no: number;
  readonly summary: string | null;
  readonly description: string | null;
  readonly text_hash: string;
}

interface ChangedIssue {
  readonly issue_no: number;
  readonly is_indexed: boolean;
}

/** A word's stem, null for one that says nothing; words that were asked for once. */
type Lexemes = Map<string, string | null>;

/** What a whole run carries from batch to batch. */
interface Run {
  readonly language: string;
  readonly lexemes: Lexemes;
  /** By how many issues each term became more frequent. */
  readonly gained: Map<string, number>;
}

/**
 * Brings the index up to date with the issues in `scope` (null: all of the tenant), and touches only those whose text is another
 * than it indexed. Returns how many those were. What another version of the tokeniser cut is built anew.
 */
export async function indexIssues(target: IndexTarget, scope: readonly number[] | null): Promise<number> {
  const { client, tenantId } = target;
  const { rows: opened } = await client.query<{ language: string; tokeniser: number }>(OPEN, [tenantId, TOKENISER_VERSION]);
  const isOutdated = opened[0]?.tokeniser !== TOKENISER_VERSION;
  if (isOutdated) await emptyIndex(target);
  // An import turns nested loops off for its bulk statements; these here look a few rows up by their key.
  await client.query("SET LOCAL enable_nestloop = on");
  const { rows: changed } = await client.query<ChangedIssue>(CHANGED, [tenantId, isOutdated ? null : scope]);
  const run: Run = { language: opened[0]?.language ?? "simple", lexemes: new Map(), gained: new Map() };
  for (const batch of batchesOf(changed)) await indexBatch(target, batch, run);
  await countTerms(target, run.gained);
  if (changed.length > 0 || isOutdated) await client.query(CLOSE, [tenantId, TOKENISER_VERSION]);
  return changed.length;
}

/** Builds the tenant's index anew, in another language where one is named; says of how many issues and in which. */
export async function rebuildIndex(
  target: IndexTarget,
  language: string | null,
): Promise<{ readonly issues: number; readonly language: string }> {
  const { client, tenantId } = target;
  await lockImports(target);
  await client.query(OPEN, [tenantId, TOKENISER_VERSION]);
  if (language !== null) await client.query("update warehouse.search_corpus set language = $2 where tenant_id = $1", [tenantId, language]);
  await emptyIndex(target);
  await indexIssues(target, null);
  const { rows } = await client.query<{ issues: number; language: string }>(CLOSE, [tenantId, TOKENISER_VERSION]);
  await client.query("select warehouse.refresh_statistics()");
  return rows[0] ?? { issues: 0, language: "simple" };
}

/** An import writes the same rows: one after the other. */
async function lockImports({ client, tenantId }: IndexTarget): Promise<void> {
  await client.query("select pg_advisory_xact_lock(hashtext('metricgate.import'), $1::int)", [tenantId]);
}

async function emptyIndex({ client, tenantId }: IndexTarget): Promise<void> {
  for (const table of ["search_posting", "search_document", "search_term"])
    await client.query(`delete from warehouse.${table} where tenant_id = $1`, [tenantId]);
}

/** Batches of neighbours, none over two blocks. */
function* batchesOf(changed: readonly ChangedIssue[]): Generator<readonly ChangedIssue[]> {
  let batch: ChangedIssue[] = [];
  for (const issue of changed) {
    const isOther = batch[0] !== undefined && blockOf(batch[0].issue_no) !== blockOf(issue.issue_no);
    if (isOther || batch.length === BATCH_ISSUES) {
      yield batch;
      batch = [];
    }
    batch.push(issue);
  }
  if (batch.length > 0) yield batch;
}

async function indexBatch(
  { client, tenantId }: IndexTarget,
  batch: readonly ChangedIssue[],
  { language, lexemes, gained }: Run,
): Promise<void> {
  const numbers = batch.map(({ issue_no }) => issue_no);
  const block = blockOf(numbers[0] ?? 0);
  const { rows: texts } = await client.query<IssueText>(TEXTS, [tenantId, numbers]);
  const cut = texts.map(({ summary, description, ...text }) => ({ text, title: rawCounts(summary), body: rawCounts(description) }));
  await learn(
    client,
    language,
    lexemes,
    cut.flatMap(({ title, body }) => [title, body]),
  );

  const old = batch.filter(({ is_indexed }) => is_indexed).map(({ issue_no }) => issue_no);
  if (old.length > 0) {
    const { rows } = await client.query<{ term: string; issues: number }>(OLD_TERMS, [tenantId, old]);
    const terms = rows.map(({ term }) => term);
    for (const { term, issues } of rows) gain(gained, term, -issues);
    await client.query(TAKE_OUT, [tenantId, block, terms, old.map(placeOf)]);
    await client.query(DROP_EMPTY, [tenantId, block, terms]);
  }

  const postings = new Map<string, number[]>();
  const documents = cut.map(({ text, title, body }) => {
    const impacts = impactsOf(countsOf(title, lexemes), countsOf(body, lexemes));
    for (const [term, impact] of impacts) {
      const entry = placeOf(text.issue_no) * 2 ** IMPACT_BITS + impact;
      const known = postings.get(term);
      if (known === undefined) postings.set(term, [entry]);
      else known.push(entry);
    }
    return { issueNo: text.issue_no, hash: text.text_hash, terms: [...impacts.keys()].join("\n") };
  });
  for (const [term, entries] of postings) gain(gained, term, entries.length);
  await client.query(PUT_IN, [tenantId, block, [...postings.keys()], [...postings.values()].map((entries) => `{${entries.join(",")}}`)]);
  await client.query(DOCUMENTS, [
    tenantId,
    documents.map(({ issueNo }) => issueNo),
    documents.map(({ hash }) => hash),
    documents.map(({ terms }) => terms),
  ]);
}

function gain(gained: Map<string, number>, term: string, issues: number): void {
  gained.set(term, (gained.get(term) ?? 0) + issues);
}

/** Written once a run: the same terms come in every batch. */
async function countTerms({ client, tenantId }: IndexTarget, gained: ReadonlyMap<string, number>): Promise<void> {
  const changed = [...gained].filter(([, issues]) => issues !== 0);
  await client.query(COUNT_TERMS, [tenantId, changed.map(([term]) => term), changed.map(([, issues]) => issues)]);
  const lost = changed.flatMap(([term, issues]) => (issues < 0 ? [term] : []));
  await client.query(DROP_UNUSED, [tenantId, lost]);
}

/** How often a text has each term, before words are stemmed. */
interface RawCounts {
  readonly words: ReadonlyMap<string, number>;
  readonly others: ReadonlyMap<string, number>;
}

function rawCounts(text: string | null): RawCounts {
  const words = new Map<string, number>();
  const others = new Map<string, number>();
  for (const term of termsOf(text ?? "")) {
    const counts = term.isWord ? words : others;
    counts.set(term.text, (counts.get(term.text) ?? 0) + 1);
  }
  return { words, others };
}

/** Asks the tenant's dictionary for the stems of words that were not seen before. */
async function learn(client: PoolClient, language: string, lexemes: Lexemes, texts: readonly RawCounts[]): Promise<void> {
  const unknown = new Set<string>();
  for (const { words } of texts) for (const word of words.keys()) if (!lexemes.has(word)) unknown.add(word);
  if (unknown.size === 0) return;
  const { rows } = await client.query<{ word: string; lexeme: string | null }>(LEXEMES, [[...unknown], language]);
  for (const { word, lexeme } of rows) lexemes.set(word, lexeme);
}

interface Counts {
  readonly counts: ReadonlyMap<string, number>;
  readonly total: number;
}

function countsOf({ words, others }: RawCounts, lexemes: Lexemes): Counts {
  const counts = new Map(others);
  let total = 0;
  for (const times of others.values()) total += times;
  for (const [word, times] of words) {
    const lexeme = lexemes.get(word);
    if (lexeme === null || lexeme === undefined) continue;
    counts.set(lexeme, (counts.get(lexeme) ?? 0) + times);
    total += times;
  }
  return { counts, total };
}

function impactsOf(title: Counts, body: Counts): Map<string, number> {
  const impacts = new Map<string, number>();
  const impact = (term: string): void => {
    const occurrence = ({ counts, total }: Counts) => ({ times: counts.get(term) ?? 0, of: total });
    impacts.set(term, impactOf(occurrence(title), occurrence(body)));
  };
  for (const term of title.counts.keys()) impact(term);
  for (const term of body.counts.keys()) if (!title.counts.has(term)) impact(term);
  return impacts;
}

const blockOf = (issueNo: number): number => Math.floor(issueNo / 2 ** BLOCK_BITS);
const placeOf = (issueNo: number): number => issueNo % 2 ** BLOCK_BITS;
