/** Every code a client can meet (CONTRACT.md section 5). */
export type ErrorCode =
  | "SPEC_INVALID"
  | "NOT_FOUND"
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "RATE_LIMITED"
  | "BUSY"
  | "TOO_LARGE"
  | "TIMEOUT"
  | "CANCELLED"
  | "UNAVAILABLE"
  | "AUDIT_UNAVAILABLE"
  | "INTERNAL";

/** What can be wrong with one part of a spec. */
export type ProblemCode =
  | "SPEC_INVALID"
  | "UNKNOWN_MEASURE"
  | "UNKNOWN_DIMENSION"
  | "UNKNOWN_FIELD"
  | "BAD_OPERATOR"
  | "BAD_VALUE"
  | "LIMIT_EXCEEDED"
  | "INCOMPATIBLE"
  | "CHART_INVALID";

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
    return this.code === "INTERNAL" || this.code === "UNAVAILABLE" || this.code === "AUDIT_UNAVAILABLE"
      ? "operator"
      : "caller";
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
