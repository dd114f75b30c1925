import { basename, relative } from "node:path";
import { inputFiles } from "./input-files.ts";
import { readItems } from "./json-items.ts";
import { JiraFields } from "./jira-fields.ts";
import { issueRecords, projectRecord, statusRecord } from "./jira-issue.ts";
import { readText } from "./read-lines.ts";
import type { Intake, Source, SourceRecord } from "./source.ts";
import { sprintOf } from "./sprint-field.ts";
import { isObject, nameOf, requiredName, RowProblem } from "./values.ts";
import type { JsonObject } from "./values.ts";

export interface JiraJsonOptions {
  /** The field with story points, id or name, where the operator says so. */
  readonly storyPointsField?: string | null;
}

/**
 * Jira's REST JSON, Server, Data Center, Cloud or an archive of it: a file or a folder (read through, by name) of
 * `.json`, `.ndjson` or `.jsonl`, plain or .gz. A file holds issues (one, an array, search pages, one a line) and may
 * hold the tracker's lists of statuses, projects, a project's statuses, sprints and fields, which are told apart by
 * shape. A list of fields has to come before the issues: files named `field…` are read first.
 */
export function jiraJsonSource(path: string, options: JiraJsonOptions = {}): Source {
  return { kind: "jira", read: (intake) => readFiles(path, new JiraFields(options.storyPointsField ?? null), intake) };
}

async function* readFiles(path: string, fields: JiraFields, intake: Intake): AsyncGenerator<SourceRecord> {
  const files = inputFiles(path, [".json", ".ndjson", ".jsonl"]);
  const ordered = files.toSorted((a, b) => Number(isFieldFile(b)) - Number(isFieldFile(a)));
  for (const file of ordered) {
    const place = relative(path, file) || basename(file);
    if (await isPage(file)) await learnNames(file, fields);
    for await (const item of readItems(file, () => intake.refuse(place, "the file ends inside a value"))) {
      if (item.kind === "item") yield* readItem(item.text, `${place}:${item.number}`, fields, intake);
    }
  }
}

function isFieldFile(file: string): boolean {
  return basename(file).toLowerCase().startsWith("field");
}

/** A page names its custom fields after its issues, so its names are read ahead. */
async function isPage(file: string): Promise<boolean> {
  for await (const chunk of readText(file)) return /^\s*\{/.test(chunk) && /"issues"\s*:\s*\[/.test(chunk);
  return false;
}

async function learnNames(file: string, fields: JiraFields): Promise<void> {
  for await (const item of readItems(file, () => undefined)) {
    if (item.kind !== "envelope" || !item.text.includes('"names"')) continue;
    const page = parsed(item.text);
    if (isObject(page)) fields.learnNames(page["names"]);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readItem(text: string, place: string, fields: JiraFields, intake: Intake): SourceRecord[] {
  const item = parsed(text);
  if (!isObject(item)) {
    intake.refuse(place, "not JSON");
    return [];
  }
  if (text.includes("\ufffd")) intake.warn("rows with characters that were not UTF-8 (replaced by U+FFFD)", place);
  try {
    return readObject(item, place, fields, intake);
  } catch (error) {
    if (!(error instanceof RowProblem)) throw error;
    intake.refuse(nameOf(item["key"]) === null ? place : `${place} ${nameOf(item["key"])}`, error.message);
    return [];
  }
}

/** Tells by its shape what an object is. Throws RowProblem when it is nothing we read. */
function readObject(item: JsonObject, place: string, fields: JiraFields, intake: Intake): SourceRecord[] {
  if ("fields" in item) return issueRecords(item, place, fields, intake);
  const statuses = item["statuses"];
  if (Array.isArray(statuses)) return statuses.filter(isObject).flatMap((status) => statusRecord(status, place) ?? []);
  if (isField(item)) {
    fields.learn(requiredName(item["id"], "id"), requiredName(item["name"], "name"));
    return [];
  }
  const sprint = "state" in item ? sprintOf(item, place, intake) : null;
  const record = statusRecord(item, place) ?? sprint ?? projectOf(item, place);
  if (record !== null) return [record];
  if (isIssueType(item)) return [];
  throw new RowProblem("no issue, status, sprint, project or field of Jira");
}

function isField(item: JsonObject): boolean {
  return "schema" in item || "clauseNames" in item;
}

function projectOf(item: JsonObject, place: string): SourceRecord | null {
  const key = nameOf(item["key"]);
  return key === null || nameOf(item["name"]) === null ? null : projectRecord(key, item, place);
}

/** Lists of issue types are often exported along; they tell nothing that the issues do not. */
function isIssueType(item: JsonObject): boolean {
  return typeof item["subtask"] === "boolean" && nameOf(item["name"]) !== null;
}
