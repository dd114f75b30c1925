import { importInto } from "../../src/ingest/import.ts";
import { sourceOf, type World } from "./world.ts";
import type { Tenant } from "../../src/tenant.ts";
import type { Database } from "../../src/db/database.ts";
import { testTenant } from "../support/tenants.ts";

let made = 0;

/** Imports a world into a tenant of its own. */
export async function importWorld(database: Database, world: World): Promise<Tenant> {
  made += 1;
  const tenant = testTenant({ id: made, timezone: world.timezone, weekStart: world.weekStart });
  await importIntoTenant(database, tenant, world);
  return tenant;
}

export async function importIntoTenant(database: Database, tenant: Tenant, world: World): Promise<void> {
  for (const one of world.instances)
    await importInto(database, tenant, { instanceId: one.id, source: sourceOf(one), mapping: one.mapping });
}
