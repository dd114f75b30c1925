import type { Mapping } from "../mapping.ts";
import type { StatusCategory, StatusRecord } from "../source.ts";
import { settleStatuses } from "../status-map.ts";
import type { CategoryVote, MappedStatus, StatusDisagreement } from "../status-map.ts";
import { EVENT_IN_SCOPE, ISSUE_IN_SCOPE } from "./scope.ts";
import type { IssueScope, Target } from "./scope.ts";

/** What settling the statuses came to. */
export interface StatusOutcome {
  readonly statuses: readonly MappedStatus[];
  readonly disagreements: readonly StatusDisagreement[];
  /** A status that other issues may use changed its meaning: every issue of the instance has to be derived again. */
  readonly hasChanged: boolean;
}

/** The last status event names the current status's id. */
const REF_FROM_LAST_EVENT = `
update warehouse.issue u set status_ref = l.to_ref
from (
  select distinct on (e.issue_no) e.issue_no, e.to_ref, e.to_value
  from warehouse.issue i
  join warehouse.issue_event e on e.tenant_id = i.tenant_id and e.issue_no = i.issue_no and e.field = 'status'
  where ${ISSUE_IN_SCOPE} and i.status_ref is null and ${EVENT_IN_SCOPE}
  order by e.issue_no, e.at desc, e.seq desc
) l
where u.tenant_id = $1 and u.issue_no = l.issue_no and u.status = l.to_value and l.to_ref is not null`;

/** A name that only one id goes by. */
const REF_FROM_NAME = `
update warehouse.issue i set status_ref = n.ref
from json_to_recordset($4::json) as n (name text, ref text)
where ${ISSUE_IN_SCOPE} and i.status_ref is null and i.status = n.name`;

const REF_IS_NAME = `
update warehouse.issue i set status_ref = i.status
where ${ISSUE_IN_SCOPE} and i.status_ref is null and i.status is not null`;

/** Names of every ref that the run's issues and events use; the issue's own name counts before an event's, newer before older. */
const NAMES_IN_USE = `
with named as (
  select i.status_ref as ref, i.status as name, true as is_current, coalesce(i.updated_at, i.created_at) as at
  from warehouse.issue i where ${ISSUE_IN_SCOPE} and i.status_ref is not null
  union all
  select coalesce(v.ref, v.name), v.name, false, e.at
  from warehouse.issue i
  join warehouse.issue_event e on e.tenant_id = i.tenant_id and e.issue_no = i.issue_no and e.field = 'status'
  cross join lateral (values (e.from_ref, e.from_value), (e.to_ref, e.to_value)) as v (ref, name)
  where ${ISSUE_IN_SCOPE} and ${EVENT_IN_SCOPE} and coalesce(v.ref, v.name) is not null
)
select distinct on (ref) ref, coalesce(name, ref) as name, is_current
from named order by ref, is_current desc, name is null, at desc, name`;

const VOTES = `
select i.status_ref as ref, i.status_category as category, count(*)::int as issues,
       max(extract(epoch from coalesce(i.updated_at, i.created_at)))::float8 as newest
from warehouse.issue i
where ${ISSUE_IN_SCOPE} and i.status_ref is not null and i.status_category is not null
group by 1, 2`;

const WRITE = `
insert into warehouse.status (tenant_id, instance_id, status_ref, name, category, is_blocked, origin)
select $1, $2, r.ref, r.name, r.category, r."isBlocked", r.origin
from json_to_recordset($3::json) as r (ref text, name text, category text, "isBlocked" boolean, origin text)
on conflict (tenant_id, instance_id, status_ref) do update set
  name = excluded.name, category = excluded.category, is_blocked = excluded.is_blocked, origin = excluded.origin`;

const APPLY = `
update warehouse.issue i set status_category = s.category
from warehouse.status s
where ${ISSUE_IN_SCOPE} and s.tenant_id = $1 and s.instance_id = $2 and s.status_ref = i.status_ref
  and i.status_category is distinct from s.category`;

const CURRENT_REFS = `
select distinct i.status_ref as ref, i.status as name
from warehouse.issue i where ${ISSUE_IN_SCOPE} and i.status_ref is not null and i.status is not null`;

interface NameRow {
  readonly ref: string;
  readonly name: string;
}

/**
 * Settles the instance's status map after its issues and events are written: gives each issue of `scope` its status
 * ref, decides categories, and writes the map. `applyStatuses` then gives the issues their mapped category.
 */
export async function settleStatusMap(
  target: Target,
  listed: readonly StatusRecord[],
  mapping: Mapping | null,
  scope: IssueScope,
): Promise<StatusOutcome> {
  const { client, tenantId, instanceId } = target;
  const scoped = [tenantId, instanceId, scope];
  await client.query(REF_FROM_LAST_EVENT, scoped);
  const stored = await readStored(target);
  const names = new Map<string, string>([...stored].map(([ref, status]) => [ref, status.name]));
  const used = await client.query<NameRow & { readonly is_current: boolean }>(NAMES_IN_USE, scoped);
  for (const row of used.rows) if (row.is_current || !names.has(row.ref)) names.set(row.ref, row.name);
  for (const record of listed) names.set(record.id ?? record.name, record.name);
  await client.query(REF_FROM_NAME, [...scoped, JSON.stringify(unambiguous(names))]);
  await client.query(REF_IS_NAME, scoped);
  const current = await client.query<NameRow>(CURRENT_REFS, scoped);
  for (const row of current.rows) if (!names.has(row.ref)) names.set(row.ref, row.name);
  const votes = await client.query<CategoryVote>(VOTES, scoped);
  const { statuses, disagreements } = settleStatuses({
    names,
    listed: listedCategories(listed),
    votes: votes.rows,
    stored,
    mapping,
  });
  await client.query(WRITE, [tenantId, instanceId, JSON.stringify(statuses)]);
  return { statuses, disagreements, hasChanged: statuses.some((status) => isChanged(stored.get(status.ref), status)) };
}

/** Gives the issues of `scope` the category of their current status. */
export async function applyStatuses(target: Target, scope: IssueScope): Promise<void> {
  await target.client.query(APPLY, [target.tenantId, target.instanceId, scope]);
}

async function readStored(target: Target): Promise<Map<string, MappedStatus>> {
  const { rows } = await target.client.query<MappedStatus>(
    `select status_ref as ref, name, category, is_blocked as "isBlocked", origin
     from warehouse.status where tenant_id = $1 and instance_id = $2 order by status_ref`,
    [target.tenantId, target.instanceId],
  );
  return new Map(rows.map((row) => [row.ref, row]));
}

function listedCategories(listed: readonly StatusRecord[]): Map<string, StatusCategory> {
  const categories = new Map<string, StatusCategory>();
  for (const { id, name, category } of listed) if (category !== null) categories.set(id ?? name, category);
  return categories;
}

/** Names that exactly one id goes by. */
function unambiguous(names: ReadonlyMap<string, string>): NameRow[] {
  const refs = Map.groupBy([...names], ([, name]) => name);
  return [...refs].flatMap(([name, entries]) => {
    const [entry] = entries;
    return entries.length === 1 && entry !== undefined && entry[0] !== name ? [{ name, ref: entry[0] }] : [];
  });
}

function isChanged(stored: MappedStatus | undefined, settled: MappedStatus): boolean {
  if (stored === undefined) return false;
  return stored.category !== settled.category || stored.isBlocked !== settled.isBlocked;
}
