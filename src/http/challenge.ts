import { getOAuthProtectedResourceMetadataUrl } from "@modelcontextprotocol/server";
import { DEFAULT_SCOPES, type Scope } from "../tenant.ts";

/** What callers must show, and where they get it. */
export interface HttpAuth {
  /** False: a request without a credential is the operator's own. */
  readonly required: boolean;
  /** Absent where only API keys are taken. */
  readonly oauth?: {
    readonly issuer: string;
    /** This server's URL as clients know it: what they ask tokens for (RFC 8707). */
    readonly resource: string;
  };
}

/** Where the metadata is, by RFC 9728: at the root, and with the path of the resource. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";

/** What a client asks for first; a tool that needs more says so with a 403. */
const FIRST_SCOPES: readonly Scope[] = ["metrics:read"];

/** The protected resource's metadata (RFC 9728); undefined where no issuer is configured. */
export function resourceMetadata({ oauth }: HttpAuth): Readonly<Record<string, unknown>> | undefined {
  if (oauth === undefined) return undefined;
  return {
    resource: oauth.resource,
    authorization_servers: [oauth.issuer],
    // Clients ask for all that is listed; the operator's is given on purpose or not at all.
    scopes_supported: DEFAULT_SCOPES,
    bearer_methods_supported: ["header"],
    resource_name: "metricgate",
  };
}

export interface Challenge {
  /** Absent where no credential was sent. */
  readonly error?: "invalid_token" | "insufficient_scope";
  /** All that a new token should have; by default what a first one needs. */
  readonly scopes?: readonly Scope[];
}

/** The `WWW-Authenticate` header of a 401 or 403 (RFC 6750, RFC 9728). */
export function challengeHeader({ oauth }: HttpAuth, { error, scopes = FIRST_SCOPES }: Challenge): string {
  const parameters = [
    ...(error === undefined ? [] : [["error", error]]),
    ...(oauth === undefined ? [] : [["resource_metadata", getOAuthProtectedResourceMetadataUrl(new URL(oauth.resource))]]),
    ["scope", scopes.join(" ")],
  ];
  return `Bearer ${parameters.map(([name, value]) => `${name}="${value}"`).join(", ")}`;
}
