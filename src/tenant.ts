declare const tenantBrand: unique symbol;

/** The isolation unit. Made only by `auth/`, never from a spec, a URL or a tool argument. */
export interface Tenant {
  readonly [tenantBrand]: true;
  /** Positive integer, as in every table's `tenant_id`. */
  readonly id: number;
  readonly slug: string;
  /** IANA zone used where a spec names none. */
  readonly timezone: string;
  /** ISO day on which the tenant's weeks start: 1 Monday … 7 Sunday. */
  readonly weekStart: number;
}

/** What a principal may do at all; a tool or resource names the one it asks for. */
export const SCOPES = ["metrics:read", "jobs:write", "search:read", "drill:read", "jobs:operate"] as const;
export type Scope = (typeof SCOPES)[number];

/** What is granted where nobody says what: all but the operator's, which looks beyond the principal's own tenant. */
export const DEFAULT_SCOPES: readonly Scope[] = SCOPES.filter((scope) => scope !== "jobs:operate");

/**
 * What a principal's questions are narrowed to. An absent list narrows nothing; an empty one leaves nothing. What is
 * outside answers exactly as if it did not exist.
 */
export interface AllowList {
  /** Names of published metrics. */
  readonly metrics?: readonly string[];
  /** Keys of projects, in whatever instance. */
  readonly projects?: readonly string[];
  /** The operator's names of instances. */
  readonly instances?: readonly string[];
}

/** Who acts: a user or an API key, always within one tenant. */
export interface Principal {
  readonly tenant: Tenant;
  readonly user: string;
  readonly scopes: readonly Scope[];
  readonly allowed: AllowList;
}

/** What a principal may see, as one text: the same for two of them exactly when it is the same. Without who they are. */
export function extentOf({ tenant, scopes, allowed }: Principal): string {
  return JSON.stringify([tenant.id, listed(scopes), listed(allowed.metrics), listed(allowed.projects), listed(allowed.instances)]);
}

/** An absent list narrows nothing and an empty one leaves nothing, so that they differ. */
function listed(names: readonly string[] | undefined): readonly string[] | null {
  return names === undefined ? null : [...new Set(names)].toSorted();
}
