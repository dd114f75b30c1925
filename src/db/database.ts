import type { Pool, PoolClient } from "pg";

/** The database logins. Each sees only what its work needs (docs/adr, DESIGN.md law 1). */
export type Login = "api" | "ingest" | "directory" | "migrator" | "auditor" | "jobs" | "queue";

/** One parameterised statement as the wire takes it. */
export interface BoundStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Rows as arrays, in the statement's column order; int8 and float8 as numbers, dates as 'YYYY-MM-DD', timestamps as ISO text. */
export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface ReadRequest {
  /** Utility statements that open the transaction and set its context; validated literals only. */
  readonly prologue: string;
  readonly statement: BoundStatement;
  /** Wall-clock bound in milliseconds, kept by the server's statement_timeout, or embedded by ending the worker. */
  readonly timeoutMs: number;
  /** Aborting ends the statement in the database, not only the wait for it. */
  readonly signal?: AbortSignal;
  /** The server may plan the statement once for whatever values; the plan may then fit some values badly. Ignored where plans are not kept. */
  readonly keepPlan?: boolean;
}

/**
 * The port to PostgreSQL: the same pg Pool whether the server is native or embedded.
 * Errors are AppErrors: TIMEOUT, CANCELLED, BUSY (no connection in time), UNAVAILABLE (server away); any other
 * database error is INTERNAL with the original as cause.
 */
export interface Database {
  readonly mode: "native" | "embedded";
  /** Whether `keepPlan` has a meaning here: the embedded database's connections share one session, and so its names. */
  readonly keepsPlans: boolean;
  /** Runs one read-only transaction under the api login: prologue, statement, COMMIT; pipelined where the adapter can. */
  read(request: ReadRequest): Promise<Rows>;
  /** As `read`, but yields batches of rows without holding them all. */
  stream(request: ReadRequest, batchRows: number): AsyncIterable<readonly (readonly unknown[])[]>;
  /**
   * Runs one transaction under the auditor login, pipelined as `read`; when it resolves, the transaction is committed.
   * A connection that was lost is tried once more, so that what it writes may be there twice, but never be missed.
   */
  append(request: Omit<ReadRequest, "signal">): Promise<Rows>;
  /** Lends one connection of a writing login; released when `work` settles, as broken unless it ended cleanly; the directory's within 10 s. */
  session<T>(login: Exclude<Login, "api" | "auditor">, work: (client: PoolClient) => Promise<T>): Promise<T>;
  /** The pool itself, for libraries that need one. */
  pool(login: Login): Pool;
  close(): Promise<void>;
}
