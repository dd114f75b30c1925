import type { AuthInfo, ServerContext } from "@modelcontextprotocol/server";
import { toAppError } from "../errors.ts";
import type { Principal } from "../tenant.ts";
import type { McpParts } from "./parts.ts";

const PRINCIPAL = "metricgate.principal";

/** Carries an identified caller through the protocol library, which knows callers only by their token. */
export function authInfoOf(principal: Principal): AuthInfo {
  return { token: "", clientId: principal.user, scopes: [...principal.scopes], extra: { [PRINCIPAL]: principal } };
}

/** The identified caller that the protocol library carried; undefined where nobody could be identified. */
export function callerOf(authInfo: AuthInfo | undefined): Principal | undefined {
  const principal = authInfo?.extra?.[PRINCIPAL];
  return isPrincipal(principal) ? principal : undefined;
}

/**
 * Who makes this call. Over HTTP the edge has said so before, unless it could not be found out then; over stdio it
 * is whoever started the process.
 */
export async function principalOf(context: ServerContext, parts: McpParts): Promise<Principal> {
  if (context.http === undefined) return parts.identify(null);
  return callerOf(context.http.authInfo) ?? parts.identify(context.http.req ?? null);
}

function isPrincipal(value: unknown): value is Principal {
  return typeof value === "object" && value !== null && "tenant" in value && "user" in value;
}

/** Runs protocol work whose failure has no result to sit in, as an AppError and observed when nobody planned for it. */
export async function asAppError<T>(parts: McpParts, where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code === "INTERNAL") parts.observe({ kind: "unexpected_error", where, error: error.details.cause ?? error });
    throw error;
  }
}
