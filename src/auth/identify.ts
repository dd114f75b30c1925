import { AppError } from "../errors.ts";
import { type AllowList, DEFAULT_SCOPES, type Principal, type Scope, type Tenant } from "../tenant.ts";

/** A tenant as the directory keeps it. */
export interface TenantRecord {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly timezone: string;
  readonly weekStart: number;
}

/** What identification reads, before any tenant is known. */
export interface FindTenant {
  (slug: string): Promise<TenantRecord | undefined>;
}

/** The one maker of a Tenant. */
function toTenant({ id, slug, timezone, weekStart }: TenantRecord): Tenant {
  if (!Number.isInteger(id) || id < 1) throw new Error("a tenant's id is a positive whole number");
  return Object.freeze({ id, slug, timezone, weekStart }) as unknown as Tenant;
}

/** What a credential grants to whom, once it has been proven. */
export interface Grant {
  readonly user: string;
  readonly scopes: readonly Scope[];
  readonly allowed: AllowList;
}

/** The principal of a proven credential; every way in ends here. */
export function toPrincipal(record: TenantRecord, { user, scopes, allowed }: Grant): Principal {
  return Object.freeze({ tenant: toTenant(record), user, scopes, allowed });
}

/**
 * Who acts where nobody logs in: the tenant and user of the process's own settings. For stdio, the command line and loopback.
 * Throws UNAUTHENTICATED when no tenant is set or it does not exist.
 */
export async function identifyLocal(
  { tenant: slug, user }: { readonly tenant?: string; readonly user: string },
  find: FindTenant,
): Promise<Principal> {
  if (slug === undefined) {
    throw new AppError("UNAUTHENTICATED", "No tenant is set for this process.", {
      next: "Set METRICGATE_TENANT; `metricgate tenant list` names the tenants.",
    });
  }
  const record = await find(slug);
  if (!record) {
    throw new AppError("UNAUTHENTICATED", `There is no tenant "${slug}".`, {
      next: "`metricgate tenant list` names the tenants, `metricgate tenant create` makes one.",
    });
  }
  return toPrincipal(record, { user, scopes: DEFAULT_SCOPES, allowed: {} });
}
