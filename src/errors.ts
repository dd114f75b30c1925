/** Every code a client can meet (CONTRACT.md section 5), with what it means; `docs/errors.md` is made from it. */
export const ERROR_MEANINGS = {
  SPEC_INVALID:
    "What was asked cannot be answered as written; each problem says what is wrong, where, and what is allowed. Nothing was run.",
  NOT_FOUND: "There is nothing of this name or handle for this caller: absent, expired and somebody else's are told alike.",
  UNAUTHENTICATED: "Nobody is known to be asking.",
  FORBIDDEN: "The caller is known and may not do this.",
  RATE_LIMITED: "Too many calls; wait for the named seconds.",
  BUSY: "No capacity was free in time; the same call may succeed after the named seconds.",
  TOO_LARGE: "Too heavy to answer while a conversation waits.",
  TIMEOUT: "The statement ran into its time limit and was ended in the database.",
  CANCELLED: "The caller ended the call; the statement was ended in the database.",
  UNAVAILABLE: "Something the server needs, mostly its database, is away or not ready.",
  AUDIT_UNAVAILABLE: "The answer could not be recorded, so it was withheld.",
  INTERNAL: "A mistake of the server; details are in its log only.",
} as const;
export type ErrorCode = keyof typeof ERROR_MEANINGS;

/** What can be wrong with one part of a spec. */
export const PROBLEM_MEANINGS = {
  SPEC_INVALID: "The shape is wrong: not an object, an unknown key, something needed is missing.",
  UNKNOWN_MEASURE: "There is no such metric, or it cannot be answered and says why.",
  UNKNOWN_DIMENSION: "There is no such dimension to group by.",
  UNKNOWN_FIELD: "There is no such field to filter, sort or place in time by.",
  BAD_OPERATOR: "The operator does not exist or does not fit the field's type.",
  BAD_VALUE: "A value is not of the right kind, or there are too many or too few.",
  LIMIT_EXCEEDED: "More than the named limit.",
  INCOMPATIBLE: "Each part is valid, but not together: a measure does not have this dimension, field or time.",
  CHART_INVALID: "The chart does not exist or names a column the answer does not have.",
} as const;
export type ProblemCode = keyof typeof PROBLEM_MEANINGS;

/** One finding about a spec: what is wrong, where, what is allowed, the nearest valid name. */
export interface Problem {
  readonly code: ProblemCode;
  /** Where in the input, as a model would write it: `filters[1].values[0]`. Empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly allowed?: readonly string[];
  readonly suggestion?: string;
}

/** Who can mend an error: the caller (tell all), or the operator (tell the caller only the code). */
export type Audience = "caller" | "operator";

export interface ErrorDetails {
  readonly problems?: readonly Problem[];
  /** Seconds after which the same call may succeed. */
  readonly retryAfterSeconds?: number;
  /** What to do now, one sentence. */
  readonly next?: string;
  /** For logs only; never shown to a client. */
  readonly cause?: unknown;
}

/**
 * The one error type that crosses stages. Its message is safe to show to any caller:
 * no database text, no path, no secret, no other tenant's value.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  get audience(): Audience {
    return this.code === "INTERNAL" || this.code === "UNAVAILABLE" || this.code === "AUDIT_UNAVAILABLE" ? "operator" : "caller";
  }
}

/** Wraps anything thrown that is not ours, so that its text never reaches a client. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError("INTERNAL", "Something went wrong inside metricgate.", {
    cause: thrown,
    next: "Try again; if it persists, give the operator the time of this call.",
  });
}
