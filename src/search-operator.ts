import type { RebuiltIndex } from "./cli/host.ts";
import type { Database } from "./db/database.ts";
import { type DirectoryRow, tenantDirectory } from "./db/tenant-directory.ts";
import { withTenantWrite } from "./db/tenant-session.ts";
import type { Config } from "./config.ts";
import { AppError } from "./errors.ts";
import type { TenantTask } from "./jobs/tasks.ts";
import type { Observe } from "./observe/observation.ts";
import type { Check } from "./operator.ts";
import { type EmbedProgress, type EmbedReport, type EmbedRun, embedIssues } from "./search/embed-issues.ts";
import { embeddingProvider } from "./search/embedding-provider.ts";
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

/** What `embedTenants` does, and how far. */
export interface EmbedOrder {
  readonly tenant?: string;
  /** Characters sent for all tenants together. */
  readonly maxCharacters: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (tenant: string, progress: EmbedProgress) => void;
}

/** Embeds the issues of one tenant or of all, one after the other. Throws AppError UNAVAILABLE without a provider, NOT_FOUND. */
export async function embedTenants(
  database: Database,
  { embeddings }: Pick<Config, "embeddings">,
  { tenant, maxCharacters, signal, onProgress }: EmbedOrder,
): Promise<readonly (EmbedReport & { readonly tenant: string })[]> {
  if (embeddings === undefined)
    throw new AppError("UNAVAILABLE", "No embedding model is configured.", {
      next: "Set METRICGATE_EMBEDDING_URL and METRICGATE_EMBEDDING_MODEL, or METRICGATE_EMBEDDINGS=local.",
    });
  const provider = embeddingProvider(embeddings);
  const reports: (EmbedReport & { readonly tenant: string })[] = [];
  let left = maxCharacters;
  for (const one of await wanted(database, tenant)) {
    const told = onProgress === undefined ? {} : { onProgress: (progress: EmbedProgress) => onProgress(one.slug, progress) };
    const report = await embedTenant(database, one.id, { provider, maxCharacters: left, signal, ...told });
    left -= report.characters;
    reports.push({ tenant: one.slug, ...report });
  }
  return reports;
}

function embedTenant(
  database: Database,
  tenantId: number,
  run: Omit<EmbedRun, "tenantId" | "withTenant" | "mayIndex">,
): Promise<EmbedReport> {
  return embedIssues({
    ...run,
    tenantId,
    withTenant: (work) => withTenantWrite(database, tenantId, work),
    mayIndex: database.mode === "native",
  });
}

/** Embeds what imports bring to one tenant, slice by slice, for as long as something is left. Throws AppError UNAVAILABLE where the provider fails. */
export function embeddingTask(
  database: () => Promise<Database>,
  settings: NonNullable<Config["embeddings"]>,
  observe: Observe,
): TenantTask {
  const provider = embeddingProvider(settings);
  /** Asked once: a tenant whose issues are all embedded costs no request. */
  let dimension: number | undefined;
  return async (tenantId, { untilMs, signal, onProgress }) => {
    const bounds = { provider, untilMs, signal, maxCharacters: Number.POSITIVE_INFINITY, onProgress };
    try {
      const report = await embedTenant(await database(), tenantId, { ...bounds, ...(dimension === undefined ? {} : { dimension }) });
      ({ dimension } = report);
      const { embedded, pending, refused, ended } = report;
      if (embedded > 0) observe({ kind: "embedded", tenantId, embedded, pending, refused });
      return ended === "budget" || ended === "aborted" ? "more" : "done";
    } catch (error) {
      // It may be another now.
      dimension = undefined;
      throw error;
    }
  };
}

/** Looks at each tenant's index, and where a model is configured at pgvector and the embeddings. */
export async function checkSearch(database: Database, { embeddings }: Pick<Config, "embeddings">): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const { id, slug } of await tenantDirectory(database).list()) {
    const { rows } = await withTenantWrite(database, id, (client) => client.query<SearchCounts>(COUNTS, [id]));
    for (const counts of rows) checks.push(indexCheck(slug, counts), ...(embeddings === undefined ? [] : [meaningCheck(slug, counts)]));
  }
  return checks;
}

function indexCheck(slug: string, { issues, indexed }: SearchCounts): Check {
  const found = `${indexed} of ${issues} issues indexed`;
  const check = { what: `search of ${slug}`, ok: indexed === issues, found };
  return check.ok ? check : { ...check, fix: `\`metricgate search rebuild --tenant ${slug}\`.` };
}

function meaningCheck(slug: string, { embedded, refused, has_vector: hasVector }: SearchCounts): Check {
  const what = `meaning of ${slug}`;
  if (!hasVector) {
    const fix = "Install pgvector and run `metricgate migrate` as a superuser; until then words alone answer.";
    return { what, ok: false, found: "pgvector is not installed", fix };
  }
  if (embedded !== null) {
    const left = refused === 0 ? "" : `, ${refused} refused by the service until their text changes`;
    return { what, ok: true, found: `${embedded} issues embedded${left}` };
  }
  return {
    what,
    ok: false,
    found: "no model is ready",
    fix: "`metricgate worker` or `metricgate search embed`; until then words alone answer.",
  };
}

interface SearchCounts {
  readonly issues: number;
  readonly indexed: number;
  readonly embedded: number | null;
  readonly refused: number;
  readonly has_vector: boolean;
}

const COUNTS = `
select (select count(*)::int from warehouse.issue where tenant_id = $1) as issues,
  coalesce((select issues from warehouse.search_corpus where tenant_id = $1), 0) as indexed,
  (select max(vectors) from warehouse.search_model where tenant_id = $1 and is_ready) as embedded,
  (select count(*)::int from warehouse.search_refusal where tenant_id = $1) as refused,
  to_regtype('vectors.vector') is not null as has_vector`;

async function wanted(database: Database, slug: string | undefined): Promise<readonly DirectoryRow[]> {
  const directory = tenantDirectory(database);
  if (slug === undefined) return directory.list();
  const tenant = await directory.find(slug);
  if (tenant !== undefined) return [tenant];
  throw new AppError("NOT_FOUND", `There is no tenant "${slug}".`, { next: "`metricgate tenant list` names the tenants." });
}
