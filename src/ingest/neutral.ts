import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readLines } from "./read-lines.ts";
import type { Intake, Source, SourceRecord } from "./source.ts";
import {
  categoryOf,
  instantField,
  isObject,
  nameOf,
  namesOf,
  pointsOf,
  projectOfKey,
  requiredInstant,
  requiredName,
  RowProblem,
  textOf,
} from "./values.ts";
import type { JsonObject } from "./values.ts";

type ReadRow = (row: JsonObject, place: string, intake: Intake) => SourceRecord;

/** The files of the format in the order in which they depend on each other. */
const FILES: readonly (readonly [string, ReadRow])[] = [
  ["projects", readProject],
  ["statuses", readStatus],
  ["sprints", readSprint],
  ["issues", readIssue],
  ["events", readEvent],
  ["sprint_issues", readSprintIssue],
];

/** A folder in the neutral format: NDJSON files, plain or .gz; only `issues` is required. Throws when it is absent. */
export function neutralSource(folder: string): Source {
  return { kind: "neutral", read: (intake) => readFolder(folder, intake) };
}

async function* readFolder(folder: string, intake: Intake): AsyncGenerator<SourceRecord> {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) throw new Error(`no such folder: ${folder}`);
  if (fileOf(folder, "issues") === null) throw new Error(`no issues.ndjson or issues.ndjson.gz in ${folder}`);
  for (const [name, readRow] of FILES) {
    const file = fileOf(folder, name);
    if (file !== null) yield* readFile(join(folder, file), file, readRow, intake);
  }
}

function fileOf(folder: string, name: string): string | null {
  return [`${name}.ndjson`, `${name}.ndjson.gz`].find((file) => existsSync(join(folder, file))) ?? null;
}

async function* readFile(path: string, file: string, readRow: ReadRow, intake: Intake): AsyncGenerator<SourceRecord> {
  for await (const line of readLines(path)) {
    const record = readLine(line.text, `${file}:${line.number}`, readRow, intake);
    if (record !== null) yield record;
  }
}

function readLine(text: string, place: string, readRow: ReadRow, intake: Intake): SourceRecord | null {
  try {
    const row: unknown = JSON.parse(text);
    if (!isObject(row)) throw new RowProblem("not a JSON object");
    if (text.includes("\ufffd")) intake.warn("rows with characters that were not UTF-8 (replaced by U+FFFD)", place);
    return readRow(row, place, intake);
  } catch (error) {
    if (error instanceof RowProblem) intake.refuse(place, error.message);
    else if (error instanceof SyntaxError) intake.refuse(place, "not JSON");
    else throw error;
    return null;
  }
}

function readProject(row: JsonObject, place: string): SourceRecord {
  return { kind: "project", place, key: requiredName(row["key"], "key"), name: nameOf(row["name"]) };
}

function readStatus(row: JsonObject, place: string): SourceRecord {
  const name = requiredName(row["name"], "name");
  return { kind: "status", place, id: nameOf(row["id"]), name, category: categoryOf(row["category"]) };
}

function readSprint(row: JsonObject, place: string): SourceRecord {
  return {
    kind: "sprint",
    place,
    id: requiredName(row["id"], "id"),
    boardId: nameOf(row["board_id"]),
    projectKey: nameOf(row["project_key"]),
    name: nameOf(row["name"]),
    state: nameOf(row["state"])?.toLowerCase() ?? null,
    startAt: instantField(row["start_at"], "start_at"),
    endAt: instantField(row["end_at"], "end_at"),
    completeAt: instantField(row["complete_at"], "complete_at"),
  };
}

function readIssue(row: JsonObject, place: string, intake: Intake): SourceRecord {
  const key = requiredName(row["key"], "key");
  const projectKey = nameOf(row["project_key"]) ?? projectOfKey(key);
  if (projectKey === null) throw new RowProblem("project_key is missing and the key names no project");
  return {
    kind: "issue",
    place,
    key,
    trackerId: nameOf(row["id"]),
    projectKey,
    type: nameOf(row["type"]),
    priority: nameOf(row["priority"]),
    status: nameOf(row["status"]),
    statusId: nameOf(row["status_id"]),
    statusCategory: categoryOf(row["status_category"]),
    resolution: nameOf(row["resolution"]),
    summary: textOf(row["summary"]),
    description: textOf(row["description"]),
    storyPoints: pointsOf(row["story_points"], place, intake),
    assignee: nameOf(row["assignee"]),
    reporter: nameOf(row["reporter"]),
    createdAt: requiredInstant(row["created_at"], "created_at"),
    updatedAt: instantField(row["updated_at"], "updated_at"),
    resolvedAt: instantField(row["resolved_at"], "resolved_at"),
    epicKey: nameOf(row["epic_key"]),
    labels: namesOf(row["labels"]),
    components: namesOf(row["components"]),
    fixVersions: namesOf(row["fix_versions"]),
    affectsVersions: namesOf(row["affects_versions"]),
  };
}

function readEvent(row: JsonObject, place: string): SourceRecord {
  return {
    kind: "event",
    place,
    issueKey: requiredName(row["issue_key"], "issue_key"),
    at: requiredInstant(row["at"], "at"),
    field: requiredName(row["field"], "field"),
    from: nameOf(row["from"]),
    to: nameOf(row["to"]),
    fromId: nameOf(row["from_id"]),
    toId: nameOf(row["to_id"]),
    author: nameOf(row["author"]),
  };
}

function readSprintIssue(row: JsonObject, place: string): SourceRecord {
  return {
    kind: "sprint_issue",
    place,
    sprintId: requiredName(row["sprint_id"], "sprint_id"),
    issueKey: requiredName(row["issue_key"], "issue_key"),
    addedAt: instantField(row["added_at"], "added_at"),
    removedAt: instantField(row["removed_at"], "removed_at"),
  };
}
