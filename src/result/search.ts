import type { Catalog } from "../catalog/catalog.ts";
import { SPEC_VERSION } from "../spec/parse.ts";
import type { Search } from "../spec/search-request.ts";
import type { StoredResult } from "./page.ts";
import type { Cell, ResultColumn } from "./result.ts";

/** One issue that was found. Texts are the tracker's own. */
export interface Hit {
  readonly issue_key: string;
  readonly title: string | null;
  /** The passage of the description that matched best; null without a description. */
  readonly snippet: string | null;
  readonly project_key: string;
  readonly issue_type: string | null;
  readonly status: string | null;
  readonly resolution: string | null;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly resolved_at: string | null;
  readonly instance_id: string;
  /** Null where the tracker's address is not known. */
  readonly link: string | null;
  /** 0 … 1, comparable within this answer only. */
  readonly score: number;
  /** What the score is made of, each 0 … 1. */
  readonly signals: Readonly<Record<string, number>>;
}

/** How hits were found: by words, by words and meaning, or by words near to the ones asked. */
export type SearchMode = "lexical" | "hybrid" | "corrected";

/** The first hits of a search; the rest is a kept result like any other. */
export interface SearchResult {
  readonly data: {
    readonly hits: readonly Hit[];
    /** Issues that were found and kept: the best ones, not all that share a word. */
    readonly total: number;
    readonly truncated: boolean;
    readonly next_cursor: string | null;
    readonly query_time_ms: number;
  };
  readonly meta: {
    readonly mode: SearchMode;
    readonly result_id: string;
    readonly result_uri: string;
    readonly catalog_version: string;
    readonly timezone: string;
    readonly data_as_of: string | null;
    readonly warnings: readonly string[];
  };
}

const COLUMNS: readonly ResultColumn[] = [
  { name: "issue_key", type: "string", label: "Issue", role: "dimension" },
  { name: "title", type: "string", label: "Title", role: "dimension" },
  { name: "project_key", type: "string", label: "Project", role: "dimension" },
  { name: "issue_type", type: "string", label: "Type", role: "dimension" },
  { name: "status", type: "string", label: "Status", role: "dimension" },
  { name: "resolution", type: "string", label: "Resolution", role: "dimension" },
  { name: "created_at", type: "timestamp", label: "Created", role: "dimension" },
  { name: "resolved_at", type: "timestamp", label: "Resolved", role: "dimension" },
  { name: "link", type: "string", label: "Link", role: "dimension" },
  { name: "score", type: "number", unit: "ratio", label: "Score", role: "measure" },
];

/** Everything that was found, before it is cut to a page. */
export interface Found {
  readonly search: Search;
  readonly hits: readonly Hit[];
  readonly timezone: string;
  readonly dataAsOf: string | null;
  readonly dataVersion: string | null;
  readonly queryTimeMs: number;
  readonly warnings: readonly string[];
}

/** Hits as a result that is kept, paged, drawn and filtered by like the answer of a spec. */
export function storedHits(
  { search, hits, timezone, dataAsOf, dataVersion, queryTimeMs, warnings }: Found,
  catalog: Catalog,
): StoredResult {
  const summary = `${hits.length} ${hits.length === 1 ? "issue" : "issues"} found`;
  const rows = hits.map((hit): Cell[] => COLUMNS.map(({ name }) => hit[name as keyof Hit] as Cell));
  return {
    answer: {
      columns: COLUMNS,
      rows,
      totals: undefined,
      total: rows.length,
      rowsRead: rows.length,
      dataAsOf,
      dataVersion,
      partialBuckets: [],
      warnings,
      deprecations: [],
      summary,
      missing: [],
    },
    meta: {
      summary,
      spec_version: SPEC_VERSION,
      catalog_version: catalog.version,
      metrics_used: [],
      spec: {
        datasource: catalog.name,
        measures: [],
        dimensions: ["issue_key"],
        time: null,
        filters: search.filters,
        sort: [],
        limit: Math.max(1, rows.length),
        timezone,
        totals: false,
        dry_run: false,
        chart: null,
      },
      timezone,
      data_as_of: dataAsOf,
      warnings,
      deprecations: [],
      chart: null,
      partial_buckets: [],
    },
    queryTimeMs,
    basis: { from: null, to: null, weekStart: 1, catalogHash: catalog.hash },
    cached: false,
    expiresAtMs: null,
  };
}
