import type { PlanFilter } from "./plan.ts";

/** A distinct term of a question. */
export interface ProbeTerm {
  readonly term: string;
  /** Stemmed by the tenant's dictionary. */
  readonly isWord: boolean;
  /** A hit must have it: a word of the probe's phrases. */
  readonly isQuoted: boolean;
  /** How often the question has it. */
  readonly times: number;
}

/** One question put to the index: a set of terms, ranked by BM25F. */
export interface SearchProbe {
  readonly terms: readonly ProbeTerm[];
  /** Texts that a hit must hold as they are, in any case. */
  readonly phrases: readonly string[];
}

/** What is looked for among a tenant's issues, as plain data naming no tenant. */
export interface SearchPlan {
  readonly probes: readonly SearchProbe[];
  /** Issues named by their key. */
  readonly keys: readonly string[];
  readonly filters: readonly PlanFilter[];
  /** Zone that dates in filters are meant in. */
  readonly timezone: string;
  /** Best issues of each probe that are ranked further. */
  readonly candidates: number;
  /** Entries of the index that one probe reads at most, the rarest terms first. */
  readonly maxRead: number;
}

/** Names of the search statement's columns: the agreement between the compiler, which writes them, and what ranks them. */
export const SEARCH = {
  /** Index of the probe; null in the one row where nothing was found. */
  probe: "probe",
  score: "score",
  issueNo: "issue_no",
  issueKey: "issue_key",
  title: "summary",
  projectKey: "project_key",
  issueType: "issue_type",
  status: "status",
  resolution: "resolution",
  createdAt: "created_at",
  updatedAt: "updated_at",
  resolvedAt: "resolved_at",
  instanceId: "instance_id",
  baseUrl: "base_url",
  kind: "kind",
  description: "description",
  /** How many issues the tenant's index has; null where there is none. */
  indexed: "indexed",
  /** The words that no issue has, one after the other. */
  unknown: "unknown",
} as const;

/** The probe of issues found by their key. */
export const KEY_PROBE = -1;
/** The probe of issues whose embeddings are near. */
export const NEAREST_PROBE = -2;
