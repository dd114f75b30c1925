import { AppError } from "../errors.ts";
import type { Principal } from "../tenant.ts";
import { KEY_PREFIX } from "./api-key.ts";
import { bearerOf } from "./bearer.ts";

/** Proves one kind of credential. Throws AppError. */
export type Verify = (credential: string) => Promise<Principal>;

export interface AuthenticateOptions {
  readonly verifyKey: Verify;
  /** Absent where no issuer is configured. */
  readonly verifyToken?: Verify;
  /** Who acts without a credential; absent where one is required. */
  readonly local?: () => Promise<Principal>;
}

/**
 * Who makes a request: proves the credential that it carries, by the credential's own form. One that was sent is never
 * passed over. Throws UNAUTHENTICATED.
 */
export function authentication({ verifyKey, verifyToken, local }: AuthenticateOptions): (request: Request | null) => Promise<Principal> {
  return async (request) => {
    const bearer = request === null ? undefined : bearerOf(request);
    if (bearer === undefined) {
      if (local !== undefined) return local();
      throw new AppError("UNAUTHENTICATED", "This server asks who calls, and no credential was sent.", {
        next: `Send \`Authorization: Bearer <${verifyToken === undefined ? "API key" : "access token or API key"}>\`.`,
      });
    }
    if (bearer.startsWith(KEY_PREFIX)) return verifyKey(bearer);
    if (verifyToken !== undefined) return verifyToken(bearer);
    throw new AppError("UNAUTHENTICATED", `This server takes API keys only, which begin with ${KEY_PREFIX}.`, {
      next: "Ask the operator for one: `metricgate key create`.",
    });
  };
}
