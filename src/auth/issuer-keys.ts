import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, type JWTVerifyGetKey } from "jose";
import { AppError } from "../errors.ts";

export interface IssuerKeysOptions {
  readonly url: URL;
  /** Keys are fetched again after this, so that one the issuer took back stops working. */
  readonly refreshMs?: number;
  /** No more often than this for a key id that is not known. */
  readonly cooldownMs?: number;
  readonly nowMs?: () => number;
}

const FETCH_TIMEOUT_MS = 3000;
const RETRY_MS = 10_000;

/**
 * The issuer's public keys, found by a token's `kid`. An unknown one is looked for at the issuer; while the issuer is
 * away the keys fetched last go on. Throws AppError UNAVAILABLE when a key can be neither found nor looked for.
 */
export function issuerKeys({ url, refreshMs = 600_000, cooldownMs = 10_000, nowMs = Date.now }: IssuerKeysOptions): JWTVerifyGetKey {
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  // One failure answers all who ask within a while: tokens with made-up key ids must not keep us knocking.
  const fetchUnlessAway: FetchImplementation = async (address, options) => {
    if (nowMs() - failedAtMs < RETRY_MS) throw new Error("the issuer was away a moment ago");
    try {
      const response = await fetch(address, options);
      if (response.status !== 200) throw new Error(`the issuer's keys answered ${response.status}`);
      fetchedAtMs = nowMs();
      failedAtMs = Number.NEGATIVE_INFINITY;
      return response;
    } catch (error) {
      failedAtMs = nowMs();
      throw error;
    }
  };
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: cooldownMs,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    [customFetch]: fetchUnlessAway,
  });
  const refresh = async (): Promise<void> => {
    if (remote.jwks() === undefined || nowMs() - fetchedAtMs < refreshMs) return;
    await remote.reload().catch(() => undefined); // the keys that we have go on
  };
  return async (header, token) => {
    await refresh();
    try {
      return await remote(header, token);
    } catch (error) {
      if (isTokensFault(error)) throw error;
      if (nowMs() - failedAtMs >= RETRY_MS) failedAtMs = nowMs(); // it answered, with what are no keys
      throw new AppError("UNAVAILABLE", "The issuer's keys cannot be had, so the access token cannot be checked.", {
        cause: error,
        retryAfterSeconds: RETRY_MS / 1000,
        next: "Try again shortly; if it persists, tell the operator that the issuer is away.",
      });
    }
  };
}

/** Whether keys can be had from this address now. */
export async function canFetchKeys(url: URL): Promise<boolean> {
  const remote = createRemoteJWKSet(url, { timeoutDuration: FETCH_TIMEOUT_MS });
  return remote.reload().then(
    () => true,
    () => false,
  );
}

/** No key, or no single one, fits what the token's header asks for. */
function isTokensFault(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
