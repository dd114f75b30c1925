import type { ErrorCode } from "../errors.ts";

const STATUS = {
  SPEC_INVALID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  TOO_LARGE: 413,
  RATE_LIMITED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  BUSY: 503,
  UNAVAILABLE: 503,
  AUDIT_UNAVAILABLE: 503,
  TIMEOUT: 504,
} as const satisfies Record<ErrorCode, number>;

/** The HTTP status that says the same as an error's code. */
export function httpStatusOf(code: ErrorCode): number {
  return STATUS[code];
}
