import type { Intake, SprintRecord } from "./source.ts";
import { instantOf, isObject, nameOf } from "./values.ts";
import type { JsonObject } from "./values.ts";

const GREENHOPPER = /^com\.atlassian\.greenhopper\.service\.sprint\.Sprint@[^[]*\[([\s\S]*)\]$/;
/** The attributes that Jira prints; a name may itself contain commas, so only these begin a new one. */
const ATTRIBUTE =
  /(?:^|,)(id|rapidViewId|state|name|goal|startDate|endDate|completeDate|activatedDate|sequence|autoStartStop|synced|incompleteIssuesDestinationId)=/g;

/** True for a value that can only be a sprint field: tells the field without knowing its number. */
export function isSprintField(value: unknown): boolean {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof first === "string") return GREENHOPPER.test(first);
  return isObject(first) && "id" in first && "state" in first && ("boardId" in first || "originBoardId" in first);
}

/** The sprints of a field in any of Jira's encodings: `Sprint@…[…]` text, objects, lists of either. */
export function sprintsOf(value: unknown, place: string, intake: Intake): SprintRecord[] {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value];
  return entries.flatMap((entry) => {
    if (entry === null || entry === undefined) return [];
    const attributes = isObject(entry) ? entry : attributesOf(entry);
    const sprint = attributes === null ? null : sprintOf(attributes, place, intake);
    if (sprint === null) intake.warn("sprint values that could not be read", place);
    return sprint ?? [];
  });
}

/** A sprint object of a board's list or a field; null without an id. Unreadable dates are unknown, and reported. */
export function sprintOf(sprint: JsonObject, place: string, intake: Intake): SprintRecord | null {
  const id = nameOf(sprint["id"]);
  if (id === null) return null;
  const instant = (field: string): string | null => {
    const text = nameOf(sprint[field]);
    const at = text === null ? null : instantOf(text);
    if (text !== null && at === null) intake.warn("sprint dates that could not be read", place);
    return at;
  };
  return {
    kind: "sprint",
    place,
    id,
    boardId: nameOf(sprint["originBoardId"] ?? sprint["boardId"] ?? sprint["rapidViewId"]),
    projectKey: null,
    name: nameOf(sprint["name"]),
    state: nameOf(sprint["state"])?.toLowerCase() ?? null,
    startAt: instant("startDate"),
    endAt: instant("endDate"),
    completeAt: instant("completeDate"),
  };
}

function attributesOf(entry: unknown): JsonObject | null {
  const body = typeof entry === "string" ? GREENHOPPER.exec(entry)?.[1] : undefined;
  if (body === undefined) return null;
  const marks = [...body.matchAll(ATTRIBUTE)];
  const attributes: Record<string, string | null> = {};
  for (const [index, mark] of marks.entries()) {
    const value = body.slice(mark.index + mark[0].length, marks[index + 1]?.index ?? body.length);
    attributes[mark[1] ?? ""] ??= value === "<null>" ? null : value;
  }
  return attributes;
}
