import { basename, relative } from "node:path";
import { CLOSED, eventRecord, OPEN } from "./github-events.ts";
import { inputFiles } from "./input-files.ts";
import { readItems } from "./json-items.ts";
import type { EventRecord, Intake, IssueRecord, Source, SourceRecord } from "./source.ts";
import { instantField, isObject, nameOf, namesOf, requiredInstant, RowProblem, textOf } from "./values.ts";
import type { JsonObject } from "./values.ts";

/**
 * GitHub's REST JSON: a file or a folder of `.json`, `.ndjson` or `.jsonl`, plain or .gz, with issues (each may carry
 * an `events` or `timeline` list) and entries of the repository's issue events, told apart by shape. Files named
 * `event…` or `timeline…` are read last, because an event must follow its issue.
 *
 * Pull requests are left out and counted: their flow is no issue's flow. A milestone is a fix version: nobody commits
 * to it at a start, so it is no sprint. The type is GitHub's issue type, else Bug where a label says so, else Issue.
 */
export function githubJsonSource(path: string): Source {
  return { kind: "github", read: (intake) => readFiles(path, intake) };
}

async function* readFiles(path: string, intake: Intake): AsyncGenerator<SourceRecord> {
  yield { kind: "status", place: "GitHub", ...OPEN, category: "new" };
  yield { kind: "status", place: "GitHub", ...CLOSED, category: "done" };
  const files = inputFiles(path, [".json", ".ndjson", ".jsonl"]);
  for (const file of files.toSorted((a, b) => Number(isEventFile(a)) - Number(isEventFile(b)))) {
    const place = relative(path, file) || basename(file);
    for await (const item of readItems(file, () => intake.refuse(place, "the file ends inside a value"))) {
      if (item.kind === "item") yield* readItem(item.text, `${place}:${item.number}`, intake);
    }
  }
}

function isEventFile(file: string): boolean {
  return /^(event|timeline)/i.test(basename(file));
}

function readItem(text: string, place: string, intake: Intake): SourceRecord[] {
  try {
    const item: unknown = JSON.parse(text);
    if (!isObject(item)) throw new RowProblem("not a JSON object");
    return readObject(item, place, intake);
  } catch (error) {
    if (error instanceof SyntaxError) intake.refuse(place, "not JSON");
    else if (error instanceof RowProblem) intake.refuse(place, error.message);
    else throw error;
    return [];
  }
}

function readObject(item: JsonObject, place: string, intake: Intake): SourceRecord[] {
  if (typeof item["event"] === "string") return readEvent(item, place);
  if ("open_issues" in item && "title" in item) return [];
  if (!("number" in item) || !("title" in item)) throw new RowProblem("no issue or event of GitHub");
  if (isPullRequest(item)) {
    intake.warn("pull requests are no issues and were left out", place);
    return [];
  }
  return issueRecords(item, place);
}

function isPullRequest(issue: JsonObject): boolean {
  const isLinked = issue["pull_request"] !== undefined && issue["pull_request"] !== null;
  return isLinked || (nameOf(issue["html_url"])?.includes("/pull/") ?? false);
}

/** An entry of the repository's events; it brings its issue along, or its URL. */
function readEvent(event: JsonObject, place: string): SourceRecord[] {
  const issue = isObject(event["issue"]) ? event["issue"] : { url: event["issue_url"] ?? event["url"] };
  if (isPullRequest(issue)) return [];
  return [eventRecord(event, keyOf(issue).key, place) ?? []].flat();
}

/** `owner/name` and `owner/name#12`, from whichever URL names them. Throws RowProblem. */
function keyOf(issue: JsonObject): { readonly repository: string; readonly key: string } {
  const url = nameOf(issue["html_url"]) ?? nameOf(issue["url"]) ?? "";
  const match = /(?:github[^/]*\/|\/repos\/|\/)([^/]+\/[^/]+)\/issues\/(\d+)/.exec(url);
  const repositoryUrl = /([^/]+\/[^/]+)$/.exec(nameOf(issue["repository_url"]) ?? "")?.[1];
  const repository = match?.[1] ?? repositoryUrl;
  const number = match?.[2] ?? nameOf(issue["number"]);
  if (repository === undefined || number === null) throw new RowProblem("no URL names the issue's repository");
  return { repository, key: `${repository}#${number}` };
}

const BUG_LABEL = /^(type[:/ ]+|kind[:/ ]+)?(bug|defect)$/i;

function issueRecords(issue: JsonObject, place: string): SourceRecord[] {
  const { repository, key } = keyOf(issue);
  const labels = namesOf(issue["labels"]);
  const isClosed = nameOf(issue["state"]) === "closed";
  const status = isClosed ? CLOSED : OPEN;
  const closedAt = instantField(issue["closed_at"], "closed_at");
  const record: IssueRecord = {
    kind: "issue",
    place,
    key,
    trackerId: nameOf(issue["id"]),
    projectKey: repository,
    type: isObject(issue["type"]) ? nameOf(issue["type"]["name"]) : labels.some((label) => BUG_LABEL.test(label)) ? "Bug" : "Issue",
    priority: null,
    status: status.name,
    statusId: status.id,
    statusCategory: isClosed ? "done" : "new",
    resolution: isClosed ? nameOf(issue["state_reason"]) : null,
    summary: textOf(issue["title"]),
    description: textOf(issue["body"]),
    storyPoints: null,
    assignee: loginOf(issue["assignee"]),
    reporter: loginOf(issue["user"]),
    createdAt: requiredInstant(issue["created_at"], "created_at"),
    updatedAt: instantField(issue["updated_at"], "updated_at"),
    resolvedAt: isClosed ? closedAt : null,
    epicKey: null,
    labels,
    components: [],
    fixVersions: isObject(issue["milestone"]) ? namesOf(issue["milestone"]["title"]) : [],
    affectsVersions: [],
  };
  return [record, ...eventsOf(issue, record)];
}

function loginOf(user: unknown): string | null {
  return isObject(user) ? nameOf(user["login"]) : null;
}

/** The events the issue carries, oldest first; where they stop before the last closing, that is added from closed_at. */
function eventsOf(issue: JsonObject, record: IssueRecord): EventRecord[] {
  const list = issue["timeline"] ?? issue["events"];
  if (!Array.isArray(list)) return [];
  const events = list
    .filter(isObject)
    .flatMap((event) => eventRecord(event, record.key, record.place) ?? [])
    .toSorted((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
  const last = events.findLast((event) => event.field === "status");
  if (last === undefined || last.toId === record.statusId || record.resolvedAt === null) return events;
  const { key: issueKey, place, resolvedAt: at } = record;
  return [
    ...events,
    {
      kind: "event",
      place,
      issueKey,
      at,
      field: "status",
      from: OPEN.name,
      to: CLOSED.name,
      fromId: OPEN.id,
      toId: CLOSED.id,
      author: null,
    },
  ];
}
