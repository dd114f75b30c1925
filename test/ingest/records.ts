import type { EventRecord, IssueRecord, SourceRecord, SprintIssueRecord, SprintRecord } from "../../src/ingest/source.ts";

/** Records with what a test does not care about left unknown. Days count from 2024-01-01; `day(1.5)` is noon of the second. */
export function day(number: number): string {
  return new Date(Date.UTC(2024, 0, 1) + number * 86_400_000).toISOString();
}

export function issue(key: string, rest: Partial<IssueRecord> = {}): IssueRecord {
  return {
    kind: "issue",
    place: `test:${key}`,
    key,
    trackerId: null,
    projectKey: key.split("-")[0] ?? key,
    type: "Story",
    priority: null,
    status: "Open",
    statusId: null,
    statusCategory: null,
    resolution: null,
    summary: null,
    description: null,
    storyPoints: null,
    assignee: null,
    reporter: null,
    createdAt: day(0),
    updatedAt: null,
    resolvedAt: null,
    epicKey: null,
    labels: [],
    components: [],
    fixVersions: [],
    affectsVersions: [],
    ...rest,
  };
}

export function event(issueKey: string, at: number, rest: Partial<EventRecord>): EventRecord {
  return {
    kind: "event",
    place: `test:${issueKey}`,
    issueKey,
    at: day(at),
    field: "status",
    from: null,
    to: null,
    fromId: null,
    toId: null,
    author: null,
    ...rest,
  };
}

/** A life as `moves("A-1", "Open", [1, "In Progress"], [2, "Done"])`. */
export function moves(issueKey: string, start: string, ...steps: readonly (readonly [at: number, to: string])[]): EventRecord[] {
  let from = start;
  return steps.map(([at, to]) => {
    const record = event(issueKey, at, { from, to });
    from = to;
    return record;
  });
}

export function sprint(id: string, rest: Partial<SprintRecord> = {}): SprintRecord {
  return {
    kind: "sprint",
    place: `test:${id}`,
    id,
    boardId: null,
    projectKey: null,
    name: id,
    state: "closed",
    startAt: null,
    endAt: null,
    completeAt: null,
    ...rest,
  };
}

export function stay(sprintId: string, issueKey: string, added: number | null, removed: number | null = null): SprintIssueRecord {
  const at = (number: number | null): string | null => (number === null ? null : day(number));
  return { kind: "sprint_issue", place: `test:${sprintId}`, sprintId, issueKey, addedAt: at(added), removedAt: at(removed) };
}

export function status(name: string, category: "new" | "in_progress" | "done" | null, id: string | null = null): SourceRecord {
  return { kind: "status", place: `test:${name}`, id, name, category };
}
