import { EVENT_IN_SCOPE, ISSUE_IN_SCOPE } from "../load/scope.ts";
import { STATUS_SPELLS } from "./status-spells.ts";

/**
 * warehouse.blocked_interval of the issues in scope: spells in statuses marked blocked, and spells under a flag
 * (from a `flagged` event with a value to the next without one), merged. Their earlier rows must be gone.
 */
export const BLOCKED_INTERVALS = `
with ${STATUS_SPELLS},
flag as (
  select e.issue_no, e.from_value, e.to_value, i.created_at, greatest(e.at, i.created_at) as at,
         row_number() over life as n,
         greatest(lead(e.at) over life, case when lead(e.at) over life is not null then i.created_at end) as next_at
  from warehouse.issue i
  join warehouse.issue_event e on e.tenant_id = i.tenant_id and e.issue_no = i.issue_no and e.field = 'flagged'
  where ${ISSUE_IN_SCOPE} and ${EVENT_IN_SCOPE}
  window life as (partition by e.issue_no order by e.at, e.seq)
),
blocked as (
  select p.issue_no, tstzrange(p.started_at, p.ended_at) as during
  from spells p
  join warehouse.status s
    on s.tenant_id = $1 and s.instance_id = $2 and s.status_ref = p.ref and s.is_blocked
  union all
  select issue_no, tstzrange(at, next_at) from flag where to_value is not null
  union all
  select issue_no, tstzrange(created_at, at) from flag where n = 1 and from_value is not null
),
merged as (
  select issue_no, unnest(range_agg(during)) as during from blocked where not isempty(during) group by issue_no
)
insert into warehouse.blocked_interval (tenant_id, issue_no, seq, started_at, ended_at)
select $1, issue_no, row_number() over (partition by issue_no order by during), lower(during), upper(during)
from merged`;
