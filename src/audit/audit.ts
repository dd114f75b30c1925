/** What one call leaves behind, whether it was answered or not. It holds no row of an answer. */
export interface AuditEntry {
  readonly tenantId: number;
  /** The user or key that acted. */
  readonly principal: string;
  /** What the pipeline was asked for. */
  readonly operation: "run" | "page" | "values" | "drill" | "chart" | "search" | "start_job" | "cancel_job" | "job";
  /** The protocol's tool or the command; null where neither was called. */
  readonly tool: string | null;
  readonly transport: string | null;
  /** The canonical question, what looks like a secret taken out; null where the call failed. */
  readonly spec: unknown;
  /** sha256 of what was asked, hex; null where it cannot be written as JSON. */
  readonly specHash: string | null;
  /** Codes of a refused spec's problems. */
  readonly problems: readonly string[];
  readonly metricVersions: Readonly<Record<string, string>>;
  readonly resultId: string | null;
  /** Rows that leave the server; null where the call failed. */
  readonly rowCount: number | null;
  readonly durationMs: number;
  /** `ok`, or the error's code. */
  readonly outcome: string;
  /** Of the client's W3C trace context, 32 hex digits. */
  readonly traceId: string | null;
}

/** Where entries go. An entry that was appended stays, and cannot be changed unseen. */
export interface Audit {
  /** Resolves when the entry is durable. Throws AppError AUDIT_UNAVAILABLE when it cannot be had. */
  append(entry: AuditEntry): Promise<void>;
}
