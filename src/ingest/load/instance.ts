import type { Mapping } from "../mapping.ts";
import type { InstanceKind } from "../source.ts";
import type { Target } from "./scope.ts";

/** The instance as it stands when a run begins. */
export interface OpenedInstance {
  readonly projects: readonly string[];
  readonly hasIssues: boolean;
  /** Bug types or escape labels differ from what the stored issues were derived with. */
  readonly hasNewSettings: boolean;
}

const OPEN = `
insert into warehouse.instance as n (tenant_id, instance_id, kind, bug_types, escape_labels, base_url)
values ($1, $2, $3, coalesce($4::text[], '{Bug,Defect}'), coalesce($5::text[], '{escaped,escaped-defect,production,customer}'), $6)
on conflict (tenant_id, instance_id) do update set
  kind = excluded.kind, bug_types = coalesce($4::text[], n.bug_types),
  escape_labels = coalesce($5::text[], n.escape_labels), base_url = coalesce($6, n.base_url), imported_at = now()
returning bug_types, escape_labels`;

interface Settings {
  readonly bug_types: readonly string[];
  readonly escape_labels: readonly string[];
}

/** Makes or updates the instance's row; a mapping's lists replace the stored ones. */
export async function openInstance(target: Target, kind: InstanceKind, mapping: Mapping | null): Promise<OpenedInstance> {
  const { client, tenantId, instanceId } = target;
  const key = [tenantId, instanceId];
  const before = await client.query<Settings>(
    "select bug_types, escape_labels from warehouse.instance where tenant_id = $1 and instance_id = $2",
    key,
  );
  const after = await client.query<Settings>(OPEN, [
    ...key,
    kind,
    mapping?.bugTypes ?? null,
    mapping?.escapeLabels ?? null,
    mapping?.baseUrl ?? null,
  ]);
  const projects = await client.query<{ project_key: string }>(
    "select project_key from warehouse.project where tenant_id = $1 and instance_id = $2",
    key,
  );
  const issues = await client.query("select from warehouse.issue where tenant_id = $1 and instance_id = $2 limit 1", key);
  return {
    projects: projects.rows.map((row) => row.project_key),
    hasIssues: issues.rowCount === 1,
    hasNewSettings: before.rowCount === 1 && JSON.stringify(before.rows[0]) !== JSON.stringify(after.rows[0]),
  };
}

const CLOSE_INSTANCE = `
update warehouse.instance set data_as_of = greatest(data_as_of, $3::timestamptz)
where tenant_id = $1 and instance_id = $2
returning to_char(data_as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as data_as_of`;

const CLOSE_TENANT = `
insert into warehouse.tenant_state as t (tenant_id, data_version, data_as_of)
values ($1, 1, (select max(data_as_of) from warehouse.instance where tenant_id = $1))
on conflict (tenant_id) do update set
  data_version = t.data_version + 1, data_as_of = excluded.data_as_of, updated_at = now()
returning data_version::float8`;

/** Records how fresh the data is and that it changed, in the same transaction as the data. */
export async function closeInstance(
  target: Target,
  newestInstant: string | null,
): Promise<{ readonly dataAsOf: string | null; readonly dataVersion: number }> {
  const { client, tenantId, instanceId } = target;
  const instance = await client.query<{ data_as_of: string | null }>(CLOSE_INSTANCE, [tenantId, instanceId, newestInstant]);
  const tenant = await client.query<{ data_version: number }>(CLOSE_TENANT, [tenantId]);
  return { dataAsOf: instance.rows[0]?.data_as_of ?? null, dataVersion: tenant.rows[0]?.data_version ?? 0 };
}
