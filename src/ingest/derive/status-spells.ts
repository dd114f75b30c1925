import { EVENT_IN_SCOPE, ISSUE_IN_SCOPE } from "../load/scope.ts";

/**
 * The CTE `spells (issue_no, n, started_at, ended_at, status, ref, category)`: each issue's life from its creation on,
 * cut at its status events; `ended_at` null is open, spells without length are left out.
 *
 * Before its first event an issue is in that event's `from`. Without any status event an issue that is done now was
 * in an unknown status until its resolution; any other was always where it is.
 */
export const STATUS_SPELLS = `
change as (
  select e.issue_no, e.at, e.from_value, e.to_value,
         coalesce(e.from_ref, e.from_value) as from_ref, coalesce(e.to_ref, e.to_value) as to_ref,
         e.from_category, e.to_category, i.created_at,
         row_number() over life as n,
         lead(e.at) over life as next_at
  from warehouse.issue i
  join warehouse.issue_event e on e.tenant_id = i.tenant_id and e.issue_no = i.issue_no and e.field = 'status'
  where ${ISSUE_IN_SCOPE} and ${EVENT_IN_SCOPE}
  window life as (partition by e.issue_no order by e.at, e.seq)
),
silent as (
  select i.issue_no, i.created_at, i.status, i.status_ref, i.status_category,
         case when i.status_category = 'done' then greatest(i.resolved_at, i.created_at) end as done_at
  from warehouse.issue i
  where ${ISSUE_IN_SCOPE}
    and not exists (select from warehouse.issue_event e
                    where ${EVENT_IN_SCOPE} and e.issue_no = i.issue_no and e.field = 'status')
),
piece as (
  select issue_no, 0 as n, created_at as started_at, greatest(at, created_at) as ended_at,
         from_value as status, from_ref as ref, from_category as category
  from change where n = 1
  union all
  select issue_no, n, greatest(at, created_at), greatest(next_at, case when next_at is not null then created_at end),
         to_value, to_ref, to_category
  from change
  union all
  select issue_no, 0, created_at, done_at, null, null, null from silent where done_at is not null
  union all
  select issue_no, 1, coalesce(done_at, created_at), null, status, status_ref, status_category from silent
),
spells as (
  select * from piece where ended_at is null or ended_at > started_at
)`;
