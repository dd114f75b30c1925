import type { Intake } from "./source.ts";
import { isObject, nameOf, requiredInstant, RowProblem } from "./values.ts";
import type { JsonObject } from "./values.ts";

/** One changed field of one history, in our words. */
export interface JiraChange {
  readonly at: string;
  readonly field: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly fromId: string | null;
  readonly toId: string | null;
  readonly author: string | null;
}

/** Jira's names of fields (also its ids, which are not translated) → ours. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ["sprint", "sprint"],
  ["story points", "story_points"],
  ["story point estimate", "story_points"],
  ["issuetype", "type"],
  ["fix version", "fix_version"],
  ["fixversions", "fix_version"],
  ["version", "affects_version"],
  ["versions", "affects_version"],
  ["component", "component"],
  ["components", "component"],
  ["duedate", "due_date"],
  ["timeestimate", "time_estimate_s"],
  ["timeoriginalestimate", "time_original_estimate_s"],
  ["timespent", "time_spent_s"],
  ["flagged", "flagged"],
  ["impediment", "flagged"],
]);

/** Bookkeeping of the tracker: a re-ranking or a new workflow is no work on an issue. */
const IGNORED = new Set(["rank", "workflow", "remoteissuelink", "worklogid", "issueparentassociation", "epic child"]);

/** The changes of an issue's changelog, oldest first; unreadable ones are refused. */
export function changesOf(issue: JsonObject, place: string, intake: Intake): JiraChange[] {
  const changelog = issue["changelog"];
  if (!isObject(changelog)) return [];
  const histories: readonly unknown[] = listOf(changelog["histories"] ?? changelog["values"]);
  if (typeof changelog["total"] === "number" && changelog["total"] > histories.length) {
    intake.warn("issues whose changelog the input cuts short", place);
  }
  const read = histories.flatMap((history) => readHistory(history, place, intake) ?? []);
  // Newest first on Cloud, oldest first on Server; ids settle what happened within one millisecond.
  read.sort((a, b) => (a.at === b.at ? a.id - b.id : a.at < b.at ? -1 : 1));
  return read.flatMap((history) => history.changes);
}

interface History {
  readonly at: string;
  readonly id: number;
  readonly changes: readonly JiraChange[];
}

function readHistory(history: unknown, place: string, intake: Intake): History | null {
  try {
    if (!isObject(history)) throw new RowProblem("a history that is no object");
    const at = requiredInstant(history["created"], "created");
    const author = personOf(history["author"]);
    const items = listOf(history["items"]).filter(isObject);
    const id = Number(history["id"]);
    return { at, id: Number.isFinite(id) ? id : 0, changes: items.flatMap((item) => readItem(item, at, author) ?? []) };
  } catch (error) {
    if (!(error instanceof RowProblem)) throw error;
    intake.refuse(place, `history: ${error.message}`);
    return null;
  }
}

function readItem(item: JsonObject, at: string, author: string | null): JiraChange | null {
  const name = nameOf(item["field"]);
  if (name === null || IGNORED.has(name.toLowerCase())) return null;
  return {
    at,
    field: fieldName(name, nameOf(item["fieldId"])),
    from: nameOf(item["fromString"]),
    // Own properties only: every object inherits a toString function, which nameOf reads as null.
    to: nameOf(item["toString"]),
    fromId: nameOf(item["from"]),
    toId: nameOf(item["to"]),
    author,
  };
}

/** Our name of a field: by its id where that is a standard field's, else by its name. */
export function fieldName(name: string, id: string | null): string {
  const lower = name.toLowerCase();
  const standardId = id === null || id.startsWith("customfield_") ? null : id.toLowerCase();
  return FIELDS.get(standardId ?? "") ?? FIELDS.get(lower) ?? standardId ?? lower.replaceAll(/\s+/g, "_");
}

/** How a person is called: the display name, else whatever identifies them. */
export function personOf(person: unknown): string | null {
  if (!isObject(person)) return nameOf(person);
  return nameOf(person["displayName"]) ?? nameOf(person["name"]) ?? nameOf(person["key"]) ?? nameOf(person["accountId"]);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
