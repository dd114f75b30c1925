import { AppError } from "../errors.ts";

/** Why a statement of ours was ended early, where we ended it. */
export type EndedBy = "caller" | "deadline";

const LOST = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "ENOENT", "ETIMEDOUT", "EHOSTUNREACH", "EAI_AGAIN"]);
/** Messages of pg's client and pool that carry no code. */
const LOST_TEXT = /^(Connection terminated|Client has encountered a connection error|Client was closed)/;
const WAITED_TEXT = /timeout exceeded when trying to connect|due to connection timeout|^timeout expired/;

/** The SQLSTATE or system code of what pg threw; undefined where it has none. */
export function sqlStateOf(thrown: unknown): string | undefined {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** True where the connection, not the statement, failed: a read may be tried again on a new one. */
export function isConnectionLost(thrown: unknown): boolean {
  const code = sqlStateOf(thrown);
  if (code !== undefined) return LOST.has(code) || code.startsWith("08") || /^57P0[123]$/.test(code);
  return thrown instanceof Error && LOST_TEXT.test(thrown.message) && !WAITED_TEXT.test(thrown.message);
}

function unavailable(cause: unknown): AppError {
  return new AppError("UNAVAILABLE", "The database cannot be reached.", {
    cause,
    retryAfterSeconds: 2,
    next: "Try again shortly; if it persists, tell the operator that the database is away.",
  });
}

function busy(cause: unknown): AppError {
  return new AppError("BUSY", "The database has no free connection.", {
    cause,
    retryAfterSeconds: 1,
    next: "Wait a second and repeat the same call.",
  });
}

/** The error for a statement that we ended: CANCELLED for the caller's own wish, TIMEOUT for the deadline. */
export function endedError(by: EndedBy, cause?: unknown): AppError {
  if (by === "caller") return new AppError("CANCELLED", "The call was cancelled.", { cause });
  return new AppError("TIMEOUT", "The query took longer than allowed.", {
    cause,
    next: "Ask for less: a shorter time range, a coarser grain, fewer dimensions or a filter.",
  });
}

function hasNoRoom(code: string | undefined, thrown: unknown): boolean {
  return code === "53300" || code === "55P03" || (thrown instanceof Error && WAITED_TEXT.test(thrown.message));
}

/** Away, or refusing our login, or without our database: the operator's to mend. */
function isAway(code: string | undefined, thrown: unknown): boolean {
  return isConnectionLost(thrown) || code === "3D000" || (code ?? "").startsWith("28");
}

/** Anything pg threw, as an AppError whose text is safe to show. `endedBy` tells a deadline from a cancellation. */
export function databaseError(thrown: unknown, endedBy?: EndedBy): AppError {
  if (thrown instanceof AppError) return thrown;
  const code = sqlStateOf(thrown);
  // The embedded database says so of a statement that only waited: nothing is wrong with the question.
  if (endedBy === "deadline" && code === "55P03") return busy(thrown);
  if (endedBy !== undefined) return endedError(endedBy, thrown);
  if (code === "57014") return endedError("deadline", thrown);
  if (hasNoRoom(code, thrown)) return busy(thrown);
  if (isAway(code, thrown)) return unavailable(thrown);
  return new AppError("INTERNAL", "The database refused a statement.", {
    cause: thrown,
    next: "Try again; if it persists, give the operator the time of this call.",
  });
}
