import { EVENT_IN_SCOPE, ISSUE_IN_SCOPE } from "../load/scope.ts";

/** issue_event.from_category and to_category of status events, by the status map. */
export const EVENT_CATEGORIES = `
with mapped as (
  select e.issue_no, e.at, e.seq, f.category as from_category, t.category as to_category
  from warehouse.issue i
  join warehouse.issue_event e on e.tenant_id = i.tenant_id and e.issue_no = i.issue_no and e.field = 'status'
  left join warehouse.status f
    on f.tenant_id = $1 and f.instance_id = $2 and f.status_ref = coalesce(e.from_ref, e.from_value)
  left join warehouse.status t
    on t.tenant_id = $1 and t.instance_id = $2 and t.status_ref = coalesce(e.to_ref, e.to_value)
  where ${ISSUE_IN_SCOPE} and ${EVENT_IN_SCOPE}
    and (e.from_category is distinct from f.category or e.to_category is distinct from t.category)
)
update warehouse.issue_event e set from_category = m.from_category, to_category = m.to_category
from mapped m
where e.tenant_id = $1 and e.issue_no = m.issue_no and e.at = m.at and e.seq = m.seq`;
