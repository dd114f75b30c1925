import type { Cell, Result, ResultMeta } from "./result.ts";
import type { Answer } from "./shape.ts";

/** Rows that go into a conversation at once: about 8k tokens. */
export const INLINE_ROWS = 50;
/** Rows of one page of an export. */
export const EXPORT_ROWS = 10_000;

/** What an answer rests on besides its spec and the data: with it a relative range stays the one that was asked. */
export interface Basis {
  /** First day of the period and the day after its last; null where the spec leaves them to the data. */
  readonly from: string | null;
  readonly to: string | null;
  /** ISO day on which its weeks start. */
  readonly weekStart: number;
  readonly catalogHash: string;
}

/** A whole answer as it is kept for paging. */
export interface StoredResult {
  readonly answer: Answer;
  readonly meta: Omit<ResultMeta, "result_id" | "result_uri" | "cache_ttl">;
  readonly queryTimeMs: number;
  /** What its numbers can be opened up by. */
  readonly basis: Basis;
  /** Whether it was made earlier, for somebody with the same rights. */
  readonly cached: boolean;
  /** Until when a repeated spec may be answered from the cache, in milliseconds since 1970; null: it is not kept. */
  readonly expiresAtMs: number | null;
}

/** Whole seconds for which a repeated spec may be answered from the cache. */
export function cacheSeconds({ expiresAtMs }: Pick<StoredResult, "expiresAtMs">, nowMs: number): number {
  return expiresAtMs === null ? 0 : Math.max(0, Math.floor((expiresAtMs - nowMs) / 1000));
}

export interface PageBounds {
  readonly offset: number;
  readonly limit: number;
  /** See `cacheSeconds`. */
  readonly cacheSeconds: number;
}

/** Rows `offset` to `offset + limit` of a stored answer in the envelope of CONTRACT.md section 5. */
export function pageOf(id: string, stored: StoredResult, { offset, limit, cacheSeconds: seconds }: PageBounds): Result {
  const { answer } = stored;
  const rows = answer.rows.slice(offset, offset + limit);
  return pageOfRows(id, stored, { rows, offset, of: answer.rows.length, cacheSeconds: seconds });
}

/** A stored answer whose rows are kept elsewhere. */
export type Rowless = Omit<StoredResult, "answer"> & { readonly answer: Omit<Answer, "rows"> };

/** Some rows of a stored answer, which has `rowCount` in all. */
export interface KeptPage {
  readonly stored: Rowless;
  readonly rows: Answer["rows"];
  readonly rowCount: number;
}

/** Some rows of a stored answer. */
interface PageRows {
  readonly rows: Answer["rows"];
  readonly offset: number;
  /** Rows that are stored. */
  readonly of: number;
  /** See `cacheSeconds`. */
  readonly cacheSeconds: number;
}

/** As `pageOf`, with the page's rows at hand. */
export function pageOfRows(
  id: string,
  { answer, meta, queryTimeMs, cached }: Rowless,
  { rows, offset, of, cacheSeconds: seconds }: PageRows,
): Result {
  const end = offset + rows.length;
  return {
    data: {
      columns: answer.columns,
      rows,
      ...(answer.totals === undefined ? {} : { totals: answer.totals }),
      total: answer.total,
      truncated: rows.length < answer.total,
      next_cursor: end < of ? toCursor(end) : null,
      query_time_ms: queryTimeMs,
      cached,
    },
    meta: { ...meta, cache_ttl: seconds, result_id: id, result_uri: `metricgate://results/${id}` },
  };
}

const toCursor = (offset: number): string => Buffer.from(`o:${offset}`).toString("base64url");

/** Where a cursor points; undefined when we did not write it. */
export function readCursor(cursor: string): number | undefined {
  const found = /^o:(\d{1,7})$/.exec(Buffer.from(cursor, "base64url").toString());
  const offset = found ? Number(found[1]) : undefined;
  return offset !== undefined && toCursor(offset) === cursor ? offset : undefined;
}

/** Rough size in memory: what bounds the store. */
export function approximateBytes(rows: readonly (readonly Cell[])[]): number {
  let bytes = 2000;
  for (const row of rows) for (const cell of row) bytes += typeof cell === "string" ? 16 + 2 * cell.length : 16;
  return bytes;
}
