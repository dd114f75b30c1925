import { AppError } from "../errors.ts";
import { errorText } from "../mcp/answer.ts";
import type { McpParts } from "../mcp/parts.ts";
import { forbidden } from "../mcp/scopes.ts";
import { type Principal, type Scope, SCOPES } from "../tenant.ts";
import { challengeHeader, type HttpAuth } from "./challenge.ts";
import { httpStatusOf } from "./status.ts";

/** Answers to those who may not speak to us, or not of this, as the protocol says it. */
export interface Refusals {
  /** The caller could not be identified, or their identity not be checked. */
  readonly identity: (request: Request, error: AppError) => Response;
  /** The caller is known and lacks scopes: names all that a new token needs, so that one more log-in is enough. */
  readonly scope: (principal: Principal, lacking: readonly Scope[]) => Response;
  /** A credential in the address: it is in logs by now. */
  readonly query: () => Response;
}

export function refusals(auth: HttpAuth, { observe }: Pick<McpParts, "observe">): Refusals {
  return {
    identity: (request, error) => {
      if (error.code === "INTERNAL") observe({ kind: "unexpected_error", where: "identify", error: error.details.cause ?? error });
      const status = httpStatusOf(error.code);
      observe({ kind: "request_refused", reason: "identity", status });
      const sent = /^bearer\b/i.test(request.headers.get("authorization") ?? "");
      const { retryAfterSeconds } = error.details;
      return answer(error, status, {
        ...(status === 401 ? { "www-authenticate": challengeHeader(auth, sent ? { error: "invalid_token" } : {}) } : {}),
        ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterSeconds)) }),
      });
    },
    scope: ({ scopes }, lacking) => {
      observe({ kind: "request_refused", reason: "scope", status: 403 });
      const all = SCOPES.filter((scope) => scopes.includes(scope) || lacking.includes(scope));
      return answer(forbidden(lacking), 403, { "www-authenticate": challengeHeader(auth, { error: "insufficient_scope", scopes: all }) });
    },
    query: () => {
      observe({ kind: "request_refused", reason: "identity", status: 400 });
      const error = new AppError(
        "UNAUTHENTICATED",
        "A credential does not belong in the address, where every log keeps it; it was not read.",
        {
          next: "Send it as `Authorization: Bearer …`, and replace the one that was in the address.",
        },
      );
      return answer(error, 400, {});
    },
  };
}

function answer(error: AppError, status: number, headers: Record<string, string>): Response {
  return Response.json({ jsonrpc: "2.0", error: { code: -32_000, message: errorText(error) }, id: null }, { status, headers });
}
