import type { Database } from "../../src/db/database.ts";
import { DEFAULT_SCOPES, type Principal, type Tenant } from "../../src/tenant.ts";

export interface TenantRow {
  readonly id: number;
  readonly slug?: string;
  readonly timezone?: string;
  readonly weekStart?: number;
}

/** A Tenant without the directory: tests are the only other maker of one. */
export function testTenant(row: TenantRow): Tenant {
  const { id, slug = `tenant-${id}`, timezone = "UTC", weekStart = 1 } = row;
  return { id, slug, timezone, weekStart } as unknown as Tenant;
}

export function testPrincipal(tenant: Tenant, user = "tester", limits: Partial<Pick<Principal, "scopes" | "allowed">> = {}): Principal {
  return { tenant, user, scopes: DEFAULT_SCOPES, allowed: {}, ...limits };
}

/** Writes the tenant to the directory and returns it; an existing row stays as it is. */
export async function createTenant(database: Database, row: TenantRow): Promise<Tenant> {
  const tenant = testTenant(row);
  await database.session("directory", (client) =>
    client.query(
      `insert into directory.tenant (tenant_id, slug, name, timezone, week_start) values ($1, $2, $2, $3, $4)
       on conflict (tenant_id) do nothing`,
      [tenant.id, tenant.slug, tenant.timezone, tenant.weekStart],
    ),
  );
  return tenant;
}
