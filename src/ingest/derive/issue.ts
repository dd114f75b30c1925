import { EVENT_IN_SCOPE, ISSUE_IN_SCOPE } from "../load/scope.ts";

/**
 * The derived columns of warehouse.issue, from the instance's settings, the status events and the status intervals.
 * An entry into done is a change from a not-done status (unmapped ones included) into a done one.
 */
export const ISSUE_FACTS = `
with change as (
  select e.issue_no, e.at, e.seq, e.from_category, e.to_category,
         row_number() over (partition by e.issue_no order by e.at, e.seq) as n
  from warehouse.issue i
  join warehouse.issue_event e on e.tenant_id = i.tenant_id and e.issue_no = i.issue_no and e.field = 'status'
  where ${ISSUE_IN_SCOPE} and ${EVENT_IN_SCOPE}
),
history as (
  select issue_no,
         min(at) filter (where to_category = 'in_progress' and from_category is distinct from 'in_progress') as first_in_progress_at,
         bool_or(n = 1 and from_category = 'done') as is_born_done,
         min(at) filter (where to_category = 'done' and from_category is distinct from 'done') as first_entry_at,
         max(at) filter (where to_category = 'done' and from_category is distinct from 'done') as last_entry_at,
         min(at) filter (where from_category = 'done' and to_category is distinct from 'done') as first_reopened_at
  from change group by issue_no
),
dated as (
  select i.issue_no, h.issue_no is not null as has_history, h.first_in_progress_at, h.first_reopened_at,
         case when h.is_born_done then i.created_at else h.first_entry_at end as first_done_at,
         case when i.status_category = 'done' then h.last_entry_at end as last_done_at,
         coalesce(i.issue_type = any (n.bug_types), false) as is_bug,
         exists (select from unnest(i.labels) label, unnest(n.escape_labels) mark where lower(label) = lower(mark)) as is_escaped
  from warehouse.issue i
  join warehouse.instance n on n.tenant_id = $1 and n.instance_id = i.instance_id
  left join history h on h.issue_no = i.issue_no
  where ${ISSUE_IN_SCOPE}
),
worked as (
  select d.issue_no,
         coalesce(sum(extract(epoch from least(s.ended_at, d.last_done_at) - s.started_at)), 0)::float8 as seconds
  from dated d
  left join warehouse.status_interval s
    on s.tenant_id = $1 and s.issue_no = d.issue_no and s.category = 'in_progress' and s.started_at < d.last_done_at
  where d.last_done_at is not null
  group by d.issue_no
)
update warehouse.issue u set
  is_bug = d.is_bug, is_escaped = d.is_escaped, has_history = d.has_history,
  first_in_progress_at = d.first_in_progress_at, first_done_at = d.first_done_at, last_done_at = d.last_done_at,
  first_reopened_at = d.first_reopened_at, in_progress_seconds = w.seconds
from dated d left join worked w on w.issue_no = d.issue_no
where u.tenant_id = $1 and u.issue_no = d.issue_no
  and (u.is_bug, u.is_escaped, u.has_history, u.first_in_progress_at, u.first_done_at, u.last_done_at,
       u.first_reopened_at, u.in_progress_seconds)
    is distinct from (d.is_bug, d.is_escaped, d.has_history, d.first_in_progress_at, d.first_done_at, d.last_done_at,
       d.first_reopened_at, w.seconds)`;
