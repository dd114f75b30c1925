import type { EventRecord } from "./source.ts";
import { isObject, nameOf, requiredInstant } from "./values.ts";
import type { JsonObject } from "./values.ts";

/** GitHub's two states as statuses; the ids are the API's words. */
export const OPEN = { id: "open", name: "Open" } as const;
export const CLOSED = { id: "closed", name: "Closed" } as const;

type Change = Pick<EventRecord, "field" | "from" | "to" | "fromId" | "toId">;

function changed(field: string, from: string | null, to: string | null): Change {
  return { field, from, to, fromId: null, toId: null };
}

function statusChange(from: typeof OPEN | typeof CLOSED, to: typeof OPEN | typeof CLOSED): Change {
  return { field: "status", from: from.name, to: to.name, fromId: from.id, toId: to.id };
}

/** What an entry of the events or timeline API changed; null for what is no change of the issue (subscribed, mentioned, …). */
function changeOf(event: JsonObject): Change | null {
  const nameIn = (key: string, part: string): string | null => {
    const value = event[key];
    return isObject(value) ? nameOf(value[part]) : null;
  };
  switch (event["event"]) {
    case "closed":
      return statusChange(OPEN, CLOSED);
    case "reopened":
      return statusChange(CLOSED, OPEN);
    case "labeled":
      return changed("labels", null, nameIn("label", "name"));
    case "unlabeled":
      return changed("labels", nameIn("label", "name"), null);
    case "assigned":
      return changed("assignee", null, nameIn("assignee", "login"));
    case "unassigned":
      return changed("assignee", nameIn("assignee", "login"), null);
    case "milestoned":
      return changed("fix_version", null, nameIn("milestone", "title"));
    case "demilestoned":
      return changed("fix_version", nameIn("milestone", "title"), null);
    case "renamed":
      return changed("summary", nameIn("rename", "from"), nameIn("rename", "to"));
    case "commented":
      return changed("comment", null, null);
    default:
      return null;
  }
}

/** One event of an issue; null when it changes nothing. Throws RowProblem without a readable time. */
export function eventRecord(event: JsonObject, issueKey: string, place: string): EventRecord | null {
  const change = changeOf(event);
  if (change === null) return null;
  const actor = event["actor"] ?? event["user"];
  const author = isObject(actor) ? nameOf(actor["login"]) : null;
  return { kind: "event", place, issueKey, at: requiredInstant(event["created_at"], "created_at"), ...change, author };
}
