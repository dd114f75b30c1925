import type { ResultStore } from "./cache/result-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { Rows } from "./db/database.ts";
import { AppError } from "./errors.ts";
import { must } from "./must.ts";
import { nearIssues, type Nearing } from "./near.ts";
import { AS_OF_COLUMN, VERSION_COLUMN } from "./plan/columns.ts";
import { SEARCH, type SearchPlan } from "./plan/search.ts";
import { issueLink } from "./result/issue-link.ts";
import { approximateBytes, pageOf, type StoredResult } from "./result/page.ts";
import type { Cell } from "./result/result.ts";
import { type Hit, type SearchMode, type SearchResult, storedHits } from "./result/search.ts";
import { toCell } from "./result/shape.ts";
import { type Ask, askQueries, askSubject } from "./search/ask.ts";
import { type Candidate, type Finding, type Like, rank, type Ranked } from "./search/rank.ts";
import { passageOf, wantedWords } from "./search/snippet.ts";
import { corrected, correctionsOf, doubtfulWords, soughtTerms } from "./search/typos.ts";
import type { KeptColumns } from "./spec/result-values.ts";
import { parseSearchRequest, type Search, type SearchRequest } from "./spec/search-request.ts";
import { compileSearch } from "./sql/search.ts";
import { compileSubject, compileTexts, compileVocabulary } from "./sql/search-issues.ts";

/** The best issues of each probe, which are ranked further; and the issues that are kept of all. */
const CANDIDATES = 100;
const KEPT_HITS = 100;
/** Entries of the index that one search reads at most, over all its probes (bench/search says what that takes). */
const MAX_READ = 120_000;
/** Terms that a misspelt word is compared with. */
const VOCABULARY_TERMS = 20_000;

export interface Finder extends Nearing {
  /** What the principal may ask about. */
  readonly published: Catalog;
  readonly results: Pick<ResultStore<StoredResult>, "put">;
  /** The principal's own results, by their handle. */
  readonly keptColumns: (id: string) => Promise<KeptColumns | undefined>;
}

/** A candidate with all that is shown of it. */
interface Shown extends Candidate {
  readonly cell: (name: string) => Cell;
}

/** What one pass over the index found. */
interface Looked {
  readonly findings: readonly Finding<Shown>[];
  readonly dataAsOf: string | null;
  readonly dataVersion: string | null;
  /** Issues in the index; null where there is none. */
  readonly indexed: number | null;
  /** Words of the question that no issue has. */
  readonly unknown: ReadonlySet<string>;
}

/** The question and, where it is about an issue, that issue. */
interface Question {
  readonly ask: Ask;
  readonly like?: Like;
  readonly warnings: readonly string[];
}

/** The issues that are about what was asked, best first. Throws AppError SPEC_INVALID, and NOT_FOUND for an issue that is not there. */
export async function findIssues(request: SearchRequest, finder: Finder): Promise<SearchResult> {
  const startMs = performance.now();
  const { catalog, published, principal, results, read } = finder;
  const search = await parseSearchRequest(request, published, finder.keptColumns);
  const question = await questionOf(search, finder);
  const { like } = question;
  const near = nearIssues({ texts: search.queries, like: like?.issueNo ?? null }, planOf(question.ask, search, finder), finder);
  const [{ looked, ask, mode, warnings }, meant] = await Promise.all([lookUp(question, search, finder), near]);
  const isHybrid = "rows" in meant;
  const findings = isHybrid ? [...looked.findings, ...findingsOf(cellsOf(meant.rows))] : looked.findings;
  const ranked = rank(findings, {
    ask,
    ...(isHybrid ? { vectorWeight: meant.weight } : {}),
    ...(like === undefined ? {} : { like }),
    limit: KEPT_HITS,
  });
  const shown = ranked.slice(0, search.limit);
  const texts = shown.length === 0 ? undefined : await read(compileTexts(numbersOf(shown), principal, catalog), { keepPlan: true });
  const passages = passagesOf(texts, wantedWords([...search.queries, ...ask.titles]));
  const hits = shown.map((one) => hitOf(one, passages.get(one.candidate.issueNo) ?? null));
  const queryTimeMs = Math.round((performance.now() - startMs) * 10) / 10;
  const told = [...question.warnings, ...warnings, ...("warning" in meant && meant.warning !== null ? [meant.warning] : [])];
  const { dataAsOf, dataVersion } = looked;
  const { timezone } = principal.tenant;
  const found = { search, hits: ranked.map((one) => hitOf(one, null)), timezone, dataAsOf, dataVersion, queryTimeMs, warnings: told };
  const stored = storedHits(found, catalog);
  const id = results.put(principal, stored, approximateBytes(stored.answer.rows));
  const { data, meta } = pageOf(id, stored, { offset: 0, limit: search.limit, cacheSeconds: 0 });
  return {
    data: { hits, total: data.total, truncated: data.truncated, next_cursor: data.next_cursor, query_time_ms: queryTimeMs },
    meta: {
      mode: isHybrid && mode === "lexical" ? "hybrid" : mode,
      result_id: id,
      result_uri: meta.result_uri,
      catalog_version: meta.catalog_version,
      timezone,
      data_as_of: dataAsOf,
      warnings: told,
    },
  };
}

async function questionOf({ queries, similarTo }: Search, { catalog, principal, read }: Finder): Promise<Question> {
  const asked = askQueries(queries);
  if (similarTo === null) return { ask: asked, warnings: [] };
  const found = cellsOf(await read(compileSubject(similarTo, principal, catalog), { keepPlan: true }));
  const [subject, other] = found;
  if (subject === undefined)
    throw new AppError("NOT_FOUND", `There is no issue with the key ${JSON.stringify(similarTo)}.`, {
      next: "Check the key, or describe the issue in queries.",
    });
  const alike = askSubject({ title: textOf(subject(SEARCH.title)), body: textOf(subject(SEARCH.description)) });
  const ask = { probes: [...alike.probes, ...asked.probes], keys: asked.keys, titles: [...alike.titles, ...asked.titles] };
  const instance = JSON.stringify(subject(SEARCH.instanceId));
  const warnings = other === undefined ? [] : [`Several instances have an issue with this key; the one of ${instance} was taken.`];
  return { ask, like: candidateOf(subject), warnings };
}

/** Looks for what was asked; where not a word of it is known, for what was probably meant. */
async function lookUp(
  { ask }: Question,
  search: Search,
  finder: Finder,
): Promise<{ readonly looked: Looked; readonly ask: Ask; readonly mode: SearchMode; readonly warnings: readonly string[] }> {
  const looked = await look(ask, search, finder);
  const mode: SearchMode = "lexical";
  if (looked.indexed === null) {
    const warning = "The issues of this tenant are not indexed yet; the operator runs `metricgate search rebuild`, or imports again.";
    return { looked, ask, mode, warnings: [warning] };
  }
  const words = doubtfulWords(ask).filter((word) => looked.unknown.has(word));
  if (looked.findings.length > 0 || words.length === 0) return { looked, ask, mode, warnings: [] };
  const { principal, catalog, read } = finder;
  const known = await read(compileVocabulary({ ...soughtTerms(words), maxTerms: VOCABULARY_TERMS }, principal, catalog));
  const corrections = correctionsOf(
    words,
    known.rows.map(([term]) => String(term)),
  );
  if (corrections.size === 0) return { looked, ask, mode, warnings: [] };
  const meant = corrected(ask, corrections);
  const told = [...corrections].map(([word, term]) => `${word} → ${term}`).join(", ");
  return {
    looked: await look(meant, search, finder),
    ask: meant,
    mode: "corrected",
    warnings: [`Nothing has these words; looked for the nearest known ones: ${told}.`],
  };
}

async function look(ask: Ask, search: Search, finder: Finder): Promise<Looked> {
  const { catalog, principal, read } = finder;
  const statement = compileSearch(planOf(ask, search, finder), principal, catalog);
  // Without filters it always reads by the same keys. With them its text is another each time, and the plan is one for their values.
  const cells = cellsOf(await read(statement, { keepPlan: search.filters.length === 0 }));
  const [first] = cells;
  const version = first?.(VERSION_COLUMN) ?? null;
  return {
    findings: findingsOf(cells),
    dataAsOf: (first?.(AS_OF_COLUMN) ?? null) as string | null,
    dataVersion: version === null ? null : String(version),
    indexed: (first?.(SEARCH.indexed) ?? null) as number | null,
    unknown: new Set(textOf(first?.(SEARCH.unknown) ?? null).split(" ")),
  };
}

function planOf({ probes, keys }: Ask, { filters }: Search, { catalog, principal }: Finder): SearchPlan {
  return {
    probes,
    keys,
    filters: filters.map((filter) => {
      const kind = must(catalog.datasources.get("issues")?.columns[filter.field], filter.field).type;
      if (kind === "boolean") throw new Error(`${filter.field} is not a field`);
      return { ...filter, kind };
    }),
    timezone: principal.tenant.timezone,
    candidates: CANDIDATES,
    maxRead: Math.ceil(MAX_READ / Math.max(1, probes.length)),
  };
}

function findingsOf(cells: readonly CellOf[]): Finding<Shown>[] {
  return cells
    .filter((cell) => cell(SEARCH.probe) !== null)
    .map((cell) => ({ probe: Number(cell(SEARCH.probe)), score: Number(cell(SEARCH.score)), candidate: candidateOf(cell) }));
}

type CellOf = (name: string) => Cell;

function cellsOf({ columns, rows }: Rows): CellOf[] {
  const at = new Map(columns.map((name, index) => [name, index]));
  return rows.map((row) => (name) => toCell(row[at.get(name) ?? -1]));
}

function candidateOf(cell: CellOf): Shown {
  return {
    issueNo: Number(cell(SEARCH.issueNo)),
    title: cell(SEARCH.title) as string | null,
    projectKey: textOf(cell(SEARCH.projectKey)),
    instanceId: textOf(cell(SEARCH.instanceId)),
    createdMs: Date.parse(textOf(cell(SEARCH.createdAt))),
    cell,
  };
}

function hitOf({ candidate: { cell }, score, signals }: Ranked<Shown>, snippet: string | null): Hit {
  const text = (name: string): string | null => cell(name) as string | null;
  return {
    issue_key: textOf(cell(SEARCH.issueKey)),
    title: text(SEARCH.title),
    snippet,
    project_key: textOf(cell(SEARCH.projectKey)),
    issue_type: text(SEARCH.issueType),
    status: text(SEARCH.status),
    resolution: text(SEARCH.resolution),
    created_at: textOf(cell(SEARCH.createdAt)),
    updated_at: text(SEARCH.updatedAt),
    resolved_at: text(SEARCH.resolvedAt),
    instance_id: textOf(cell(SEARCH.instanceId)),
    link: issueLink(cell(SEARCH.baseUrl), cell(SEARCH.kind), cell(SEARCH.issueKey)),
    score: rounded(score),
    signals: Object.fromEntries(Object.entries(signals).map(([name, value]) => [name, rounded(value as number)])),
  };
}

function passagesOf(texts: Rows | undefined, wanted: ReadonlySet<string>): ReadonlyMap<number, string> {
  const cells = texts === undefined ? [] : cellsOf(texts);
  return new Map(
    cells.flatMap((cell) => {
      const text = textOf(cell(SEARCH.description));
      return text.trim() === "" ? [] : [[Number(cell(SEARCH.issueNo)), passageOf(text, wanted)] as const];
    }),
  );
}

const numbersOf = (ranked: readonly Ranked<Shown>[]): number[] => ranked.map(({ candidate }) => candidate.issueNo);
const textOf = (cell: Cell): string => (cell === null ? "" : String(cell));
const rounded = (share: number): number => Math.round(share * 1000) / 1000;
