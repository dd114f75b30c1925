import { FIRST_YEAR, LAST_YEAR } from "../values.ts";
import type { Target } from "./scope.ts";

/** One row as its column values by name; travels as JSON, so that a batch is one statement and one parameter. */
export type Row = { readonly [column: string]: unknown };

const PROJECTS = `
insert into warehouse.project (tenant_id, instance_id, project_key, name)
select $1, $2, r.project_key, r.name from json_to_recordset($3::json) as r (project_key text, name text)
on conflict (tenant_id, instance_id, project_key) do update set name = coalesce(excluded.name, warehouse.project.name)`;

const SPRINTS = `
insert into warehouse.sprint as s
  (tenant_id, sprint_no, instance_id, sprint_id, board_id, project_key, name, state, start_at, end_at, complete_at)
select $1, r.sprint_no, $2, r.sprint_id, r.board_id, r.project_key, r.name, r.state, r.start_at, r.end_at, r.complete_at
from json_to_recordset($3::json) as r (sprint_no bigint, sprint_id text, board_id text, project_key text, name text,
  state text, start_at timestamptz, end_at timestamptz, complete_at timestamptz)
on conflict (tenant_id, sprint_no) do update set
  board_id = coalesce(excluded.board_id, s.board_id),
  project_key = coalesce(excluded.project_key, s.project_key),
  name = coalesce(excluded.name, s.name),
  state = coalesce(excluded.state, s.state),
  start_at = case when excluded.state is null then coalesce(excluded.start_at, s.start_at) else excluded.start_at end,
  end_at = case when excluded.state is null then coalesce(excluded.end_at, s.end_at) else excluded.end_at end,
  complete_at = case when excluded.state is null then coalesce(excluded.complete_at, s.complete_at) else excluded.complete_at end`;

const ISSUE_COLUMNS = `issue_no bigint, issue_key text, tracker_id text, project_key text, issue_type text, priority text,
  status text, status_ref text, status_category text, resolution text, summary text, description text,
  story_points float8, assignee text, reporter text, created_at timestamptz, updated_at timestamptz,
  resolved_at timestamptz, epic_key text, labels text[], components text[], fix_versions text[], affects_versions text[]`;
const ISSUE_NAMES = ISSUE_COLUMNS.split(",").map((column) => column.trim().split(" ")[0] ?? "");

const ISSUES = `
insert into warehouse.issue (tenant_id, instance_id, ${ISSUE_NAMES.join(", ")})
select $1, $2, ${ISSUE_NAMES.map((name) => `r.${name}`).join(", ")} from json_to_recordset($3::json) as r (${ISSUE_COLUMNS})
on conflict (tenant_id, issue_no) do update set
  ${ISSUE_NAMES.slice(1)
    .map((name) => `${name} = excluded.${name}`)
    .join(", ")}`;

const EVENTS = `
insert into warehouse.issue_event (tenant_id, issue_no, at, seq, field, from_value, to_value, from_ref, to_ref, author)
select $1, r.issue_no, r.at, r.seq, r.field, r.from_value, r.to_value, r.from_ref, r.to_ref, r.author
from json_to_recordset($2::json) as r (issue_no bigint, at timestamptz, seq int, field text, from_value text,
  to_value text, from_ref text, to_ref text, author text)`;

const SPRINT_ISSUES = `
insert into warehouse.sprint_issue (tenant_id, sprint_no, issue_no, spell, added_at, removed_at)
select $1, r.sprint_no, r.issue_no, r.spell, r.added_at, r.removed_at
from json_to_recordset($2::json) as r (sprint_no bigint, issue_no bigint, spell int, added_at timestamptz, removed_at timestamptz)`;

/** Rows of one flush, in the order in which the tables depend on each other. */
export interface RowsToWrite {
  readonly projects: readonly Row[];
  readonly sprints: readonly Row[];
  /** Issues whose earlier events and memberships go before the new ones come. */
  readonly replaced: readonly number[];
  readonly issues: readonly Row[];
  readonly events: readonly Row[];
  readonly sprintIssues: readonly Row[];
}

/** Writes one batch; the caller's transaction makes it all or nothing. */
export async function writeRows(target: Target, rows: RowsToWrite): Promise<void> {
  const { client, tenantId, instanceId } = target;
  const withInstance = async (text: string, some: readonly Row[]): Promise<void> => {
    if (some.length > 0) await client.query(text, [tenantId, instanceId, JSON.stringify(some)]);
  };
  const withTenant = async (text: string, some: readonly Row[]): Promise<void> => {
    if (some.length > 0) await client.query(text, [tenantId, JSON.stringify(some)]);
  };
  await withInstance(PROJECTS, rows.projects);
  await withInstance(SPRINTS, rows.sprints);
  if (rows.replaced.length > 0) {
    for (const table of ["issue_event", "sprint_issue"]) {
      await client.query(`delete from warehouse.${table} where tenant_id = $1 and issue_no = any ($2::bigint[])`, [
        tenantId,
        rows.replaced,
      ]);
    }
  }
  await withInstance(ISSUES, rows.issues);
  await withTenant(EVENTS, rows.events);
  await withTenant(SPRINT_ISSUES, rows.sprintIssues);
}

/** Makes the partitions of the events' years, each year once per run. */
export class EventYears {
  readonly #ready = new Set<string>();

  async ensure(target: Target, events: readonly Row[]): Promise<void> {
    const missing = new Set<string>();
    for (const event of events) {
      const year = String(event["at"]).slice(0, 4);
      if (!this.#ready.has(year)) missing.add(year);
    }
    for (const year of missing) {
      if (Number(year) < FIRST_YEAR || Number(year) > LAST_YEAR) throw new RangeError(`no events in the year ${year}`);
      const day = `${year}-01-01T00:00:00Z`;
      await target.client.query("select warehouse.ensure_event_partitions($1::timestamptz, $1::timestamptz)", [day]);
      this.#ready.add(year);
    }
  }
}
