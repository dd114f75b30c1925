import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { IssueRecord, Source, SourceRecord } from "../../src/ingest/source.ts";
import { must } from "../../src/must.ts";

/** Issues of one project with those that people marked as duplicates of each other. */
export interface SearchSet {
  readonly name: string;
  readonly issues: readonly SetIssue[];
  /** An issue and the others of its cluster of duplicates, by key; both ways round. */
  readonly duplicates: readonly { readonly key: string; readonly targets: readonly string[] }[];
}

export interface SetIssue {
  readonly key: string;
  readonly title: string;
  readonly body: string;
  readonly status: string;
  readonly createdAt: string;
  readonly resolvedAt: string | null;
}

type CsvRow = Readonly<Record<string, string>>;

/** Every set of a folder in the shape of gitbugs: `<name>_bugs.csv` beside `<name>_bugs-combined.csv`. */
export function readSets(folder: string): SearchSet[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith("_bugs.csv"))
    .map((file) => readSet(folder, file.replace(/_bugs\.csv$/, "")));
}

function readSet(folder: string, name: string): SearchSet {
  const read = (file: string): CsvRow[] => parse(readFileSync(join(folder, file)), { columns: true, bom: true });
  const issues = read(`${name}_bugs.csv`).map(issueOf);
  const known = new Set(issues.map(({ key }) => key));
  const clusters = new Map<string, Set<string>>();
  for (const row of read(`${name}_bugs-combined.csv`)) {
    const key = row["Issue id"] ?? "";
    for (const other of (row["Duplicate id"] ?? "").split(",").map((id) => id.trim())) {
      if (!known.has(key) || !known.has(other) || key === other) continue;
      const merged = new Set([key, other, ...(clusters.get(key) ?? []), ...(clusters.get(other) ?? [])]);
      for (const member of merged) clusters.set(member, merged);
    }
  }
  const duplicates = [...clusters].map(([key, members]) => ({ key, targets: [...members].filter((member) => member !== key) }));
  return { name, issues, duplicates: duplicates.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}

function issueOf(row: CsvRow): SetIssue {
  const resolved = row["Resolved"] ?? "";
  return {
    key: must(row["Issue id"], "Issue id"),
    title: row["Summary"] ?? "",
    body: row["Description"] ?? "",
    status: row["Status"] ?? "Open",
    createdAt: instantOf(must(row["Created"], "Created")),
    resolvedAt: resolved === "" ? null : instantOf(resolved),
  };
}

/** `30/Sep/21 17:20` as Jira exports it, or an ISO instant. */
function instantOf(text: string): string {
  const [, day, month, year, time] = /^(\d+)\/(\w+)\/(\d+) (\d+:\d+)/.exec(text) ?? [];
  return new Date(day === undefined ? text : `${day} ${month} 20${year} ${time}Z`).toISOString();
}

/** Issues as an importer's source. */
export function sourceOf(issues: readonly SetIssue[], projectKey: string): Source {
  const records: SourceRecord[] = [
    { kind: "project", place: "set", key: projectKey, name: projectKey },
    ...issues.map((issue, index): IssueRecord => ({
      kind: "issue",
      place: `row ${index + 1}`,
      key: issue.key,
      trackerId: null,
      projectKey,
      type: "Bug",
      priority: null,
      status: issue.status,
      statusId: null,
      statusCategory: null,
      resolution: null,
      summary: issue.title,
      description: issue.body,
      storyPoints: null,
      assignee: null,
      reporter: null,
      createdAt: issue.createdAt,
      updatedAt: null,
      resolvedAt: issue.resolvedAt,
      epicKey: null,
      labels: [],
      components: [],
      fixVersions: [],
      affectsVersions: [],
    })),
  ];
  return {
    kind: "neutral",
    read: async function* () {
      yield* records;
    },
  };
}
