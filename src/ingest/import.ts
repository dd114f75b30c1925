import type { Database } from "../db/database.ts";
import { withTenantWrite } from "../db/tenant-session.ts";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import { indexIssues } from "../search/index-issues.ts";
import { derive } from "./derive/derive.ts";
import { IntakeLog } from "./intake.ts";
import type { ImportWarning, RefusedRow } from "./intake.ts";
import { openInstance, closeInstance } from "./load/instance.ts";
import { Loader } from "./load/loader.ts";
import type { Counts } from "./load/loader.ts";
import { Numbering } from "./load/numbering.ts";
import { planForBulk } from "./load/scope.ts";
import type { IngestClient, IssueScope, Target } from "./load/scope.ts";
import { applyStatuses, settleStatusMap } from "./load/statuses.ts";
import { mappingKey } from "./mapping.ts";
import type { Mapping } from "./mapping.ts";
import type { InstanceKind, Source } from "./source.ts";
import type { MappedStatus, StatusDisagreement } from "./status-map.ts";

/** How far a run is: rows taken so far. */
export interface ImportProgress {
  readonly stage: "reading" | "deriving";
  readonly read: Counts;
}

export interface ImportRequest {
  /** The operator's name for the tracker, stable over re-imports: 1 to 100 characters without space. */
  readonly instanceId: string;
  readonly source: Source;
  /** What the instance is recorded as; by default what the source is. */
  readonly kind?: InstanceKind;
  /** Absent: statuses and settings that an earlier import was told stay. */
  readonly mapping?: Mapping | null;
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly observe?: Observe;
}

/** A status that nobody gave a category: its issues are neither new, in progress nor done. */
export interface UnmappedStatus {
  readonly ref: string;
  readonly name: string;
}

/** What a run did; everything in it is committed. */
export interface ImportReport {
  readonly instanceId: string;
  readonly read: Counts;
  readonly stored: Counts;
  /** Of the stored issues, those that were not there before. */
  readonly newIssues: number;
  readonly refusedCount: number;
  /** The first refused rows, at most 1,000. */
  readonly refused: readonly RefusedRow[];
  readonly warnings: readonly ImportWarning[];
  readonly unmappedStatuses: readonly UnmappedStatus[];
  readonly statusDisagreements: readonly StatusDisagreement[];
  /** Newest instant in the instance's data, ISO UTC; null without data. */
  readonly dataAsOf: string | null;
  readonly dataVersion: number;
  readonly durationMs: number;
}

/**
 * Loads or updates one instance of a tenant, in one transaction: all of it, or nothing. Issues that the source does
 * not have stay; those it has are replaced with their events and memberships. Running it twice changes nothing.
 *
 * Errors: RangeError for an instance id that cannot be one; BUSY while another import of the tenant runs; the source's own error when the input cannot be read; the
 * database port's. Rows that cannot be used are no error: see the report.
 */
export async function importInto(database: Database, tenant: { readonly id: number }, request: ImportRequest): Promise<ImportReport> {
  if (!/^\S{1,100}$/.test(request.instanceId)) throw new RangeError("an instance id is 1 to 100 characters without space");
  const startedMs = performance.now();
  const log = new IntakeLog();
  const outcome = await withTenantWrite(database, tenant.id, (client) => run(client, tenant.id, request, log));
  const durationMs = performance.now() - startedMs;
  request.observe?.({
    kind: "import_finished",
    tenantId: tenant.id,
    instanceId: request.instanceId,
    issues: outcome.stored.issues,
    refused: log.refusedCount,
    durationMs,
  });
  return { ...outcome, refused: log.refused, refusedCount: log.refusedCount, warnings: log.warnings, durationMs };
}

type Outcome = Omit<ImportReport, "refused" | "refusedCount" | "warnings" | "durationMs">;

async function run(client: IngestClient, tenantId: number, request: ImportRequest, log: IntakeLog): Promise<Outcome> {
  const { instanceId, source } = request;
  const mapping = request.mapping ?? null;
  const target: Target = { client, tenantId, instanceId };
  await lockTenant(target);
  const opened = await openInstance(target, request.kind ?? source.kind, mapping);
  const loader = new Loader(target, await Numbering.load(target), opened.projects, log);
  for await (const record of source.read(log)) {
    if (await loader.take(record)) request.onProgress?.({ stage: "reading", read: { ...loader.read } });
  }
  await loader.flush();
  request.onProgress?.({ stage: "deriving", read: { ...loader.read } });

  await planForBulk(target);
  const readScope: IssueScope = opened.hasIssues ? loader.issueNumbers : null;
  const settled = await settleStatusMap(target, loader.statuses, mapping, readScope);
  const scope = opened.hasNewSettings || settled.hasChanged ? null : readScope;
  await applyStatuses(target, scope);
  // Before deriving: an open sprint ends at the instance's newest instant.
  const closed = await closeInstance(target, loader.newestInstant);
  await derive(target, scope);
  await indexIssues(target, readScope);
  await client.query("select warehouse.refresh_statistics()");
  reportStatuses(settled.statuses, mapping, log);
  return {
    instanceId,
    read: { ...loader.read },
    stored: { ...loader.stored },
    newIssues: loader.newIssues,
    unmappedStatuses: settled.statuses.filter((one) => one.category === null).map(({ ref, name }) => ({ ref, name })),
    statusDisagreements: settled.disagreements,
    ...closed,
  };
}

/** One import per tenant at a time: numbers are given out as highest + 1. */
async function lockTenant({ client, tenantId }: Target): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    "select pg_try_advisory_xact_lock(hashtext('metricgate.import'), $1::int) as locked",
    [tenantId],
  );
  if (rows[0]?.locked !== true) {
    throw new AppError("BUSY", "Another import into this tenant is running.", { next: "Wait for it to end, then import again." });
  }
}

function reportStatuses(statuses: readonly MappedStatus[], mapping: Mapping | null, log: IntakeLog): void {
  const known = new Set(statuses.flatMap(({ ref, name }) => [mappingKey(ref), mappingKey(name)]));
  for (const key of mapping?.statuses.keys() ?? []) {
    if (!known.has(key)) log.warn(`the mapping names a status that the data does not have: ${key}`);
  }
}
