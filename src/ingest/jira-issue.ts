import { changesOf, personOf } from "./jira-changelog.ts";
import type { JiraChange } from "./jira-changelog.ts";
import type { JiraFields } from "./jira-fields.ts";
import type { Intake, IssueRecord, SourceRecord, SprintRecord, StatusRecord } from "./source.ts";
import { sprintsOf } from "./sprint-field.ts";
import { spellsOf, sprintIdsOf } from "./sprint-spells.ts";
import type { SprintSetChange } from "./sprint-spells.ts";
import {
  categoryOf,
  instantField,
  isObject,
  nameOf,
  namesOf,
  projectOfKey,
  requiredInstant,
  requiredName,
  RowProblem,
  textOf,
} from "./values.ts";
import type { JsonObject } from "./values.ts";

/** Everything that one Jira issue tells. Throws RowProblem when it cannot be used. */
export function issueRecords(issue: JsonObject, place: string, fields: JiraFields, intake: Intake): SourceRecord[] {
  const values = issue["fields"];
  if (!isObject(values)) throw new RowProblem("the issue has no fields");
  fields.learnNames(issue["names"]);
  const record = readIssue(issue, values, { place, fields, intake });
  const changes = changesOf(issue, place, intake);
  const today = fields.sprintValues(values).flatMap((value) => sprintsOf(value, place, intake));
  const history = changes.filter((change) => change.field === "sprint").map(setChange);
  if (fields.isFlagged(values) && !changes.some((change) => change.field === "flagged")) {
    intake.warn("issues flagged today whose changelog does not say since when; their blocked time is unknown", place);
  }
  const project = values["project"];
  const sprintIds = today.map((sprint) => sprint.id);
  return [
    ...(isObject(project) && nameOf(project["name"]) !== null ? [projectRecord(record.projectKey, project, place)] : []),
    ...today,
    ...changes.flatMap((change) => sketches(change, place)),
    record,
    ...changes.map((change): SourceRecord => ({ kind: "event", place, issueKey: record.key, ...change })),
    ...spellsOf(history, sprintIds).map((spell): SourceRecord => ({ kind: "sprint_issue", place, issueKey: record.key, ...spell })),
  ];
}

interface Reading {
  readonly place: string;
  readonly fields: JiraFields;
  readonly intake: Intake;
}

function readIssue(issue: JsonObject, values: JsonObject, { place, fields, intake }: Reading): IssueRecord {
  const key = requiredName(issue["key"], "key");
  const project = values["project"];
  const projectKey = (isObject(project) ? nameOf(project["key"]) : null) ?? projectOfKey(key);
  if (projectKey === null) throw new RowProblem("the issue names no project");
  const status = isObject(values["status"]) ? values["status"] : {};
  return {
    kind: "issue",
    place,
    key,
    trackerId: nameOf(issue["id"]),
    projectKey,
    type: labelOf(values["issuetype"]),
    priority: labelOf(values["priority"]),
    status: nameOf(status["name"]),
    statusId: nameOf(status["id"]),
    statusCategory: categoryOfStatus(status),
    resolution: labelOf(values["resolution"]),
    summary: textOf(values["summary"]),
    description: documentText(values["description"]),
    storyPoints: fields.storyPoints(values, place, intake),
    assignee: personOf(values["assignee"]),
    reporter: personOf(values["reporter"]),
    createdAt: requiredInstant(values["created"], "created"),
    updatedAt: instantField(values["updated"], "updated"),
    resolvedAt: instantField(values["resolutiondate"], "resolutiondate"),
    epicKey: fields.epicKey(values),
    labels: namesOf(values["labels"]),
    components: namesOf(values["components"]),
    fixVersions: namesOf(values["fixVersions"]),
    affectsVersions: namesOf(values["versions"]),
  };
}

function labelOf(value: unknown): string | null {
  return isObject(value) ? nameOf(value["name"]) : nameOf(value);
}

function categoryOfStatus(status: JsonObject): StatusRecord["category"] {
  const category = status["statusCategory"];
  return isObject(category) ? categoryOf(category["key"]) : categoryOf(category);
}

/** A status of the tracker's list; null when the object is none. */
export function statusRecord(status: JsonObject, place: string): StatusRecord | null {
  const name = nameOf(status["name"]);
  if (name === null || !("statusCategory" in status)) return null;
  return { kind: "status", place, id: nameOf(status["id"]), name, category: categoryOfStatus(status) };
}

/** A project of the tracker's list or of an issue. */
export function projectRecord(key: string, project: JsonObject, place: string): SourceRecord {
  return { kind: "project", place, key, name: nameOf(project["name"]) };
}

/** Text of a description: as it is, or the text nodes of Jira Cloud's document format, a line per block. */
export function documentText(value: unknown): string | null {
  if (!isObject(value)) return textOf(value);
  const lines: string[] = [""];
  const walk = (node: unknown): void => {
    if (!isObject(node)) return;
    if (node["type"] === "hardBreak") lines.push("");
    if (typeof node["text"] === "string") lines.push(`${lines.pop() ?? ""}${node["text"]}`);
    const content = node["content"];
    if (!Array.isArray(content)) return;
    for (const child of content) walk(child);
    if (content.some((child) => isObject(child) && "text" in child)) lines.push("");
  };
  walk(value);
  return textOf(lines.join("\n").trim());
}

function setChange(change: JiraChange): SprintSetChange {
  return { at: change.at, from: sprintIdsOf(change.fromId), to: sprintIdsOf(change.toId) };
}

/** Sprints that only the history names, as far as it does: a set of one has the one name. */
function sketches(change: JiraChange, place: string): SprintRecord[] {
  if (change.field !== "sprint") return [];
  return (
    [
      [change.fromId, change.from],
      [change.toId, change.to],
    ] as const
  ).flatMap(([set, names]) => {
    const ids = sprintIdsOf(set);
    return ids.map((id): SprintRecord => ({
      kind: "sprint",
      place,
      id,
      boardId: null,
      projectKey: null,
      name: ids.length === 1 ? names : null,
      state: null,
      startAt: null,
      endAt: null,
      completeAt: null,
    }));
  });
}
