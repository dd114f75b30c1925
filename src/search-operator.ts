import type { RebuiltIndex } from "./cli/host.ts";
import type { Database } from "./db/database.ts";
import { type DirectoryRow, tenantDirectory } from "./db/tenant-directory.ts";
import { withTenantWrite } from "./db/tenant-session.ts";
import { AppError } from "./errors.ts";
import { rebuildIndex } from "./search/index-issues.ts";

/** Builds the index of one tenant's issues anew, or of all tenants', each in one transaction. Throws AppError NOT_FOUND, SPEC_INVALID, BUSY. */
export async function rebuildSearch(
  database: Database,
  { tenant, language }: { readonly tenant?: string; readonly language?: string },
): Promise<readonly RebuiltIndex[]> {
  const built: RebuiltIndex[] = [];
  for (const { id, slug } of await wanted(database, tenant)) {
    const startMs = performance.now();
    const done = await withTenantWrite(database, id, async (client) => {
      const { rows: languages } = await client.query<{ name: string }>("select cfgname as name from pg_catalog.pg_ts_config order by 1");
      const names = languages.map(({ name }) => name);
      if (language !== undefined && !names.includes(language))
        throw new AppError("SPEC_INVALID", `There is no language ${JSON.stringify(language)}. Allowed: ${names.join(", ")}.`, {
          next: "Choose one of these.",
        });
      return rebuildIndex({ client, tenantId: id }, language ?? null);
    });
    built.push({ tenant: slug, ...done, durationMs: performance.now() - startMs });
  }
  return built;
}

async function wanted(database: Database, slug: string | undefined): Promise<readonly DirectoryRow[]> {
  const directory = tenantDirectory(database);
  if (slug === undefined) return directory.list();
  const tenant = await directory.find(slug);
  if (tenant !== undefined) return [tenant];
  throw new AppError("NOT_FOUND", `There is no tenant "${slug}".`, { next: "`metricgate tenant list` names the tenants." });
}
