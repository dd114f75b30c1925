import { STATUS_SPELLS } from "./status-spells.ts";

/** warehouse.status_interval of the issues in scope; their earlier rows must be gone. */
export const STATUS_INTERVALS = `
with ${STATUS_SPELLS}
insert into warehouse.status_interval (tenant_id, issue_no, seq, started_at, ended_at, status, category)
select $1, issue_no, row_number() over (partition by issue_no order by n), started_at, ended_at, status, category
from spells`;
