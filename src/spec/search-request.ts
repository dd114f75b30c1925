import type { Catalog } from "../catalog/catalog.ts";
import { AppError, type Problem } from "../errors.ts";
import { parseFilters } from "./filters.ts";
import { problem } from "./problems.ts";
import { type KeptColumns, withResultValues } from "./result-values.ts";
import { readShape } from "./shape.ts";
import type { SpecFilter } from "./spec.ts";

/** Asks for the issues that are about something. At least one of `queries` and `similar_to`. */
export interface SearchRequest {
  /** 1–5 phrasings of the same question. */
  readonly queries?: readonly string[] | null;
  /** As a spec's. Unknown JSON. */
  readonly filters?: unknown;
  /** Key of an issue whose likes are looked for. */
  readonly similar_to?: string | null;
  /** 1–50, default 10. */
  readonly limit?: number | null;
}

/** A search request that can be answered. */
export interface Search {
  readonly queries: readonly string[];
  readonly filters: readonly SpecFilter[];
  readonly similarTo: string | null;
  readonly limit: number;
}

const MAX_QUERIES = 5;
/** A pasted issue with its log; what goes beyond is no question. */
const MAX_QUERY_CHARACTERS = 20_000;
const MAX_KEY_CHARACTERS = 200;
const MAX_HITS = 50;
const DEFAULT_HITS = 10;
/** The datasource whose fields can be filtered on. */
const ISSUES = "issues";

/** Checks a request for issues; throws AppError SPEC_INVALID with every problem. */
export async function parseSearchRequest(
  { queries, filters, similar_to: similar, limit }: SearchRequest,
  catalog: Catalog,
  kept: (id: string) => Promise<KeptColumns | undefined>,
): Promise<Search> {
  const problems: Problem[] = [];
  const texts = queries ?? [];
  const hasSubject = similar !== undefined && similar !== null;
  const similarTo = hasSubject ? keyOf(similar, problems) : null;
  checkQueries(texts, problems);
  if (texts.length === 0 && !hasSubject)
    problems.push(problem("BAD_VALUE", { path: "queries", message: "give queries, similar_to, or both" }));
  const count = limitOf(limit ?? DEFAULT_HITS, problems);
  const filled = await withResultValues(filters, kept);
  problems.push(...filled.problems);
  const parsed = issueFilters(filled.filters, catalog, problems);
  if (problems.length > 0)
    throw new AppError("SPEC_INVALID", "The search cannot be answered as written.", { problems, next: "Mend it and call again." });
  return { queries: texts, filters: parsed, similarTo, limit: count };
}

function keyOf(written: string, problems: Problem[]): string {
  const key = written.trim();
  if (key === "" || key.length > MAX_KEY_CHARACTERS || !isStorable(key))
    problems.push(problem("BAD_VALUE", { path: "similar_to", message: "similar_to is the key of an issue, as in PAY-123" }));
  return key;
}

function limitOf(count: number, problems: Problem[]): number {
  if (!Number.isInteger(count) || count < 1 || count > MAX_HITS)
    problems.push(problem("LIMIT_EXCEEDED", { path: "limit", message: `limit is a whole number from 1 to ${MAX_HITS}` }));
  return count;
}

function checkQueries(queries: readonly string[], problems: Problem[]): void {
  if (queries.length > MAX_QUERIES)
    problems.push(
      problem("LIMIT_EXCEEDED", { path: "queries", message: `has ${queries.length} entries, more than the ${MAX_QUERIES} allowed` }),
    );
  for (const [index, query] of queries.entries()) {
    const path = `queries[${index}]`;
    if (query.trim() === "") problems.push(problem("BAD_VALUE", { path, message: "this is an empty text" }));
    else if (query.length > MAX_QUERY_CHARACTERS)
      problems.push(problem("LIMIT_EXCEEDED", { path, message: `a query is a text of up to ${MAX_QUERY_CHARACTERS} characters` }));
    else if (!isStorable(query))
      problems.push(problem("BAD_VALUE", { path, message: "holds a character that is not allowed (NUL or half a surrogate pair)" }));
  }
}

/** A spec's filters on fields that issues have as they are now. */
function issueFilters(input: unknown, catalog: Catalog, problems: Problem[]): SpecFilter[] {
  const { parts, problems: misshapen } = readShape({ filters: input });
  // The rest of a spec is not asked for.
  problems.push(...misshapen.filter(({ path }) => path.startsWith("filters")));
  const columns = catalog.datasources.get(ISSUES)?.columns ?? {};
  const has = (field: string): boolean => columns[field] !== undefined;
  const narrowed = { ...catalog, metrics: new Map(), dimensions: new Map([...catalog.dimensions].filter(([name]) => has(name))) };
  return parseFilters(parts.filters, [], narrowed, problems);
}

const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\0");
