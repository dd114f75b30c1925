import { readFile } from "node:fs/promises";
import { type ExportedHead, parseHeads } from "./audit/heads.ts";
import { type PrunedMonth, pruneTrail } from "./audit/prune.ts";
import { readHead, type TenantChain, verifyTenant, withTrail } from "./audit/verify.ts";
import { identifyLocal } from "./auth/identify.ts";
import type { Database } from "./db/database.ts";
import { showBehaviour } from "./db/isolation/behaviour.ts";
import { checkCatalogue } from "./db/isolation/catalogue.ts";
import type { Finding, Outcome } from "./db/isolation/rule.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import { AppError, toAppError } from "./errors.ts";
import { INTERACTIVE_LIMITS } from "./execute/limits.ts";
import { tenantPrologue } from "./execute/tenant-transaction.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Principal } from "./tenant.ts";

/** Tenants that behaviour is shown with; the rules hold for all. */
const SHOWN_TENANTS = 20;
const ACTOR = "prove-isolation";

/** Proves the walls of a live database: by its catalogues, by what its logins see, by what the product answers. */
export async function proveIsolation(database: Database, pipeline: Pipeline): Promise<readonly Outcome[]> {
  const ask = async (sql: string) => {
    const prologue = "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog";
    return (await database.read({ prologue, statement: { text: sql, values: [] }, timeoutMs: INTERACTIVE_LIMITS.timeoutMs })).rows;
  };
  // The least of the logins: it may connect, and the catalogues are everybody's to read.
  const catalogue = await checkCatalogue(ask);
  const principals = await somePrincipals(database);
  const behaviour = await showBehaviour({
    database,
    tenants: principals.map(({ tenant }) => tenant),
    prologue: (tenant) => tenantPrologue(tenant, { timeoutMs: INTERACTIVE_LIMITS.timeoutMs }),
  });
  return [...catalogue, ...behaviour, await foreignHandles(pipeline, principals)];
}

async function somePrincipals(database: Database): Promise<readonly Principal[]> {
  const directory = tenantDirectory(database);
  const rows = (await directory.list()).slice(0, SHOWN_TENANTS);
  return Promise.all(rows.map((row) => identifyLocal({ tenant: row.slug, user: ACTOR }, () => Promise.resolve(row))));
}

/** Another tenant's result answers exactly as one that never was. */
async function foreignHandles(pipeline: Pipeline, principals: readonly Principal[]): Promise<Outcome> {
  const outcome = {
    id: "foreign-handles",
    means: "The handle of another tenant's result answers exactly as one that does not exist.",
    fix: "Stop serving and report it: the store of results does not keep tenants apart.",
  };
  const [one, other] = principals;
  const [metric] = pipeline.catalog.metrics.keys();
  if (one === undefined || other === undefined || metric === undefined) {
    return { ...outcome, findings: [], notShown: "there are fewer than two tenants, so there is no other one's result" };
  }
  const { meta } = await pipeline.run(other, { measures: [{ name: metric }] });
  const told = (id: string): Promise<string> =>
    pipeline.page(one, { result_id: id }).then(
      () => "an answer",
      (thrown: unknown) => withoutCause(toAppError(thrown)),
    );
  const absent = await told(`res_${"0".repeat(meta.result_id.length - "res_".length)}`);
  const foreign = await told(meta.result_id);
  const findings: Finding[] =
    foreign === absent ? [] : [{ object: "results", detail: `another tenant's: ${foreign}; an absent one: ${absent}` }];
  return { ...outcome, findings };
}

function withoutCause({ code, message, details }: AppError): string {
  return JSON.stringify({ code, message, ...details, cause: undefined });
}

/**
 * Verifies the trail of one tenant or of all. `headsFile` holds heads that were exported before; tenants that only the
 * file knows are looked for too. Throws NOT_FOUND for an unknown tenant.
 */
export async function verifyTrails(
  database: Database,
  { tenant: slug, headsFile }: { readonly tenant?: string; readonly headsFile?: string },
): Promise<readonly TenantChain[]> {
  const exported = headsFile === undefined ? [] : parseHeads(await readHeadsFile(headsFile));
  const known = (await tenantDirectory(database).list()).map(({ id, slug: tenant }) => ({ id, tenant }));
  const lost = exported.filter((head) => !known.some(({ id }) => id === head.tenant_id));
  const all = [...known, ...new Map(lost.map((head) => [head.tenant_id, { id: head.tenant_id, tenant: head.tenant }])).values()];
  const wanted = slug === undefined ? all : all.filter(({ tenant }) => tenant === slug);
  if (wanted.length === 0 && slug !== undefined) {
    throw new AppError("NOT_FOUND", `There is no tenant "${slug}".`, { next: "`metricgate tenant list` names the tenants." });
  }
  const chains: TenantChain[] = [];
  for (const { id, tenant } of wanted) {
    const links = exported.filter((head) => head.tenant_id === id);
    chains.push({ tenant, report: await verifyTenant(database, id, links) });
  }
  return chains;
}

/** The newest row of every tenant's chain, to be kept elsewhere. */
export async function exportHeads(database: Database, now: Date): Promise<readonly ExportedHead[]> {
  const heads: ExportedHead[] = [];
  for (const { id, slug } of await tenantDirectory(database).list()) {
    const head = await withTrail(database, id, readHead);
    if (head) heads.push({ tenant: slug, tenant_id: id, ...head, exported_at: now.toISOString() });
  }
  return heads;
}

/** Drops the trail's whole months before `before`. */
export function pruneTrails(database: Database, before: string, who: string): Promise<readonly PrunedMonth[]> {
  return pruneTrail(database, before, { who, now: new Date() });
}

async function readHeadsFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new AppError("SPEC_INVALID", "The file of heads cannot be read.", {
      cause,
      next: "Give the file that `metricgate audit heads` wrote.",
    });
  });
}
