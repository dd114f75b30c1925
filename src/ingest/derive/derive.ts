import { ISSUE_IN_SCOPE, runScoped } from "../load/scope.ts";
import type { IssueScope, Target } from "../load/scope.ts";
import { BLOCKED_INTERVALS } from "./blocked-interval.ts";
import { EVENT_CATEGORIES } from "./event-category.ts";
import { ISSUE_FACTS } from "./issue.ts";
import { SPRINT_MEMBERS } from "./sprint-member.ts";
import { STATUS_INTERVALS } from "./status-interval.ts";

function deleteOfIssues(table: "status_interval" | "blocked_interval"): string {
  return `delete from warehouse.${table} d using warehouse.issue i
    where d.tenant_id = $1 and d.issue_no = i.issue_no and ${ISSUE_IN_SCOPE}`;
}

const DELETE_MEMBERS = `
delete from warehouse.sprint_member m using warehouse.sprint s
where m.tenant_id = $1 and s.tenant_id = $1 and s.instance_id = $2 and m.sprint_no = s.sprint_no`;

/** Recomputes everything derived for the issues in scope, and the members of every sprint of the instance. */
export async function derive(target: Target, scope: IssueScope): Promise<void> {
  await runScoped(target, EVENT_CATEGORIES, scope);
  await runScoped(target, deleteOfIssues("status_interval"), scope);
  await runScoped(target, STATUS_INTERVALS, scope);
  await runScoped(target, deleteOfIssues("blocked_interval"), scope);
  await runScoped(target, BLOCKED_INTERVALS, scope);
  await runScoped(target, ISSUE_FACTS, scope);
  await target.client.query(DELETE_MEMBERS, [target.tenantId, target.instanceId]);
  await target.client.query(SPRINT_MEMBERS, [target.tenantId, target.instanceId]);
}
