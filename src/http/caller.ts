import { type AppError, toAppError } from "../errors.ts";
import type { McpParts } from "../mcp/parts.ts";
import type { Principal } from "../tenant.ts";

/** Where clients put credentials that then are in every log between them and us. */
const CREDENTIAL_NAMES = new Set(["access_token", "token", "id_token", "bearer", "authorization", "api_key", "api-key", "apikey", "key"]);

/** Looks at names only. */
export function hasCredentialInAddress(request: Request): boolean {
  return [...new URL(request.url).searchParams.keys()].some((name) => CREDENTIAL_NAMES.has(name.toLowerCase()));
}

/** Who makes a request, or why that cannot be said. */
export async function callerOf(request: Request, parts: Pick<McpParts, "identify">): Promise<Principal | AppError> {
  try {
    return await parts.identify(request);
  } catch (thrown) {
    return toAppError(thrown);
  }
}
