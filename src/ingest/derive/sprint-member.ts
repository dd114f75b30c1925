/**
 * warehouse.sprint_member of every sprint of the instance: $1 tenant, $2 instance; the earlier rows must be gone.
 *
 * A sprint runs from start_at to complete_at, else end_at, else the instance's data_as_of; without a start everybody
 * is committed and nobody added. A spell with unknown added_at begins at the creation where that is after the
 * start, else before it. A spell that ends at the very completion (moved on by closing the sprint) counts as in it.
 * Whoever left before the start, or came after the completion, is no member.
 */
export const SPRINT_MEMBERS = `
with span as (
  select s.sprint_no, s.start_at, coalesce(s.start_at, '-infinity') as begin_at,
         coalesce(s.complete_at, s.end_at, n.data_as_of, 'infinity') as finish_at,
         least(coalesce(s.complete_at, s.end_at, n.data_as_of), n.data_as_of) as known_until
  from warehouse.sprint s
  join warehouse.instance n on n.tenant_id = $1 and n.instance_id = s.instance_id
  where s.tenant_id = $1 and s.instance_id = $2
),
spell as (
  select p.sprint_no, p.start_at, p.begin_at, p.finish_at, p.known_until, m.issue_no, i.resolved_at,
         m.added_at is null as is_inferred,
         case when p.start_at is null then timestamptz '-infinity'
              when m.added_at is not null then m.added_at
              when i.created_at > p.start_at then i.created_at
              else timestamptz '-infinity' end as joined_at,
         coalesce(m.removed_at, 'infinity') as left_at
  from span p
  join warehouse.sprint_issue m on m.tenant_id = $1 and m.sprint_no = p.sprint_no
  join warehouse.issue i on i.tenant_id = $1 and i.issue_no = m.issue_no
),
member as (
  select sprint_no, issue_no, start_at, begin_at, finish_at, known_until, resolved_at,
         bool_or(is_inferred) as is_inferred,
         bool_or(joined_at <= begin_at and left_at > begin_at) as is_committed,
         bool_or(joined_at > begin_at and (joined_at <= finish_at or is_inferred)) as has_joined,
         bool_or((joined_at <= finish_at or is_inferred) and left_at >= finish_at and left_at > begin_at) as is_final
  from spell
  group by sprint_no, issue_no, start_at, begin_at, finish_at, known_until, resolved_at
),
flagged as (
  select *, not is_committed and has_joined as is_added,
         not is_final as is_removed,
         coalesce(resolved_at < begin_at, false) as was_resolved_before,
         coalesce(is_final and resolved_at between begin_at and finish_at, false) as is_completed,
         coalesce(max(start_at) over (partition by issue_no) > start_at, false) as is_carried_over
  from member where is_committed or has_joined
),
reopened as (
  select f.sprint_no, f.issue_no, count(*)::int as events
  from flagged f
  join warehouse.issue_event e
    on e.tenant_id = $1 and e.issue_no = f.issue_no and e.field = 'status'
   and e.from_category = 'done' and e.to_category is distinct from 'done'
   and e.at between f.begin_at and f.finish_at
  group by 1, 2
),
held as (
  select f.sprint_no, f.issue_no,
         sum(extract(epoch from least(coalesce(b.ended_at, 'infinity'), f.known_until) - greatest(b.started_at, f.begin_at)) / 3600)::float8 as hours
  from flagged f
  join warehouse.blocked_interval b
    on b.tenant_id = $1 and b.issue_no = f.issue_no
   and b.started_at < f.known_until and coalesce(b.ended_at, 'infinity') > f.begin_at
  where f.known_until > f.begin_at
  group by 1, 2
)
insert into warehouse.sprint_member (tenant_id, sprint_no, issue_no, is_inferred, was_resolved_before, is_committed,
  is_added, is_removed, is_final, is_completed, is_committed_completed, is_carried_over, reopen_events, blocked_hours)
select $1, f.sprint_no, f.issue_no, f.is_inferred, f.was_resolved_before, f.is_committed, f.is_added, f.is_removed,
       f.is_final, f.is_completed, f.is_completed and f.is_committed, f.is_carried_over,
       coalesce(r.events, 0), coalesce(h.hours, 0)
from flagged f
left join reopened r on r.sprint_no = f.sprint_no and r.issue_no = f.issue_no
left join held h on h.sprint_no = f.sprint_no and h.issue_no = f.issue_no`;
