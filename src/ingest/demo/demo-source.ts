import type { IssueRecord, Source, SourceRecord, StatusRecord } from "../source.ts";
import { isoOf, sprintSpans } from "./calendar.ts";
import type { SprintSpan } from "./calendar.ts";
import { Random } from "./random.ts";
import type { Story, TeamStory } from "./story.ts";
import { TeamSimulation } from "./team-simulation.ts";
import type { DemoChange, DemoIssue } from "./team-simulation.ts";
import { PEOPLE } from "./words.ts";

export interface DemoOptions {
  readonly story: Story;
  /** The demo's present; nothing in it is newer. */
  readonly now: Date;
  /** Months of history; 15 by default, so that a year can be compared with what was before. */
  readonly months?: number;
  /** How many times the story's teams exist; 1 is some 350 issues per team and 15 months. */
  readonly scale?: number;
  readonly seed?: string;
}

/** A simulated tracker as a source: equal options give equal records. Holds one team at a time. */
export function demoSource(options: DemoOptions): Source {
  return { kind: "neutral", read: () => readDemo(options) };
}

const PLACE = "demo";

const STATUSES: readonly (readonly [string, StatusRecord["category"]])[] = [
  ["To Do", "new"],
  ["Reopened", "new"],
  ["In Progress", "in_progress"],
  ["In Review", "in_progress"],
  ["Done", "done"],
];

async function* readDemo({ story, now, months = 15, scale = 1, seed = "metricgate" }: DemoOptions): AsyncGenerator<SourceRecord> {
  for (const [name, category] of STATUSES) yield { kind: "status", place: PLACE, id: null, name, category };
  const spans = sprintSpans(now.getTime(), months);
  for (let copy = 0; copy < scale; copy += 1) {
    for (const [index, team] of story.teams.entries()) {
      const own = copy === 0 ? team : { ...team, projectKey: `${team.projectKey}${copy + 1}`, name: `${team.name} ${copy + 1}` };
      const board = copy * story.teams.length + index + 1;
      yield* teamRecords({ team: own, board, spans, nowMs: now.getTime() }, new Random(`${seed} ${story.name} ${own.projectKey}`));
    }
  }
}

interface TeamWorld {
  readonly team: TeamStory;
  readonly board: number;
  readonly spans: readonly SprintSpan[];
  readonly nowMs: number;
}

function* teamRecords(world: TeamWorld, random: Random): Generator<SourceRecord> {
  const { team, board, spans, nowMs } = world;
  const first = (board * 7) % PEOPLE.length;
  const people = [...PEOPLE.slice(first), ...PEOPLE.slice(0, first)].slice(0, 7);
  const simulation = new TeamSimulation(team, people, random, nowMs);
  simulation.run(spans);
  yield { kind: "project", place: PLACE, key: team.projectKey, name: team.name };
  for (const [index, span] of spans.entries()) yield sprintRecord(world, index, span);
  for (const issue of simulation.issues) if (issue.createdMs <= nowMs) yield* issueRecords(issue, world);
}

function sprintId(board: number, index: number | string): string {
  return `${board}-${Number(index) + 1}`;
}

function sprintRecord({ team, board, nowMs }: TeamWorld, index: number, span: SprintSpan): SourceRecord {
  const state = span.completeMs <= nowMs ? "closed" : span.startMs <= nowMs ? "active" : "future";
  return {
    kind: "sprint",
    place: PLACE,
    id: sprintId(board, index),
    boardId: String(board),
    projectKey: null,
    name: `${team.name} Sprint ${index + 1}`,
    state,
    startAt: isoOf(span.startMs),
    endAt: isoOf(span.endMs),
    completeAt: state === "closed" ? isoOf(span.completeMs) : null,
  };
}

function* issueRecords(issue: DemoIssue, world: TeamWorld): Generator<SourceRecord> {
  const changes = issue.changes.toSorted((a, b) => a.ms - b.ms);
  const record = issueRecord(issue, changes, world);
  yield record;
  for (const change of changes) yield eventRecord(change, record.key, world.board);
  for (const stay of issue.stays) {
    if (stay.addedMs > world.nowMs) continue;
    const removedAt = stay.removedMs === null || stay.removedMs > world.nowMs ? null : isoOf(stay.removedMs);
    const sprint = sprintId(world.board, stay.sprint);
    yield { kind: "sprint_issue", place: PLACE, sprintId: sprint, issueKey: record.key, addedAt: isoOf(stay.addedMs), removedAt };
  }
}

function issueRecord(issue: DemoIssue, changes: readonly DemoChange[], { team, board }: TeamWorld): IssueRecord {
  const last = lastOf(changes, "status");
  const resolvedAt = last?.to === "Done" ? isoOf(last.ms) : null;
  return {
    kind: "issue",
    place: PLACE,
    key: `${team.projectKey}-${issue.number}`,
    trackerId: `${board * 100_000 + issue.number}`,
    projectKey: team.projectKey,
    type: issue.type,
    priority: issue.priority,
    status: last?.to ?? "To Do",
    statusId: null,
    statusCategory: null,
    resolution: resolvedAt === null ? null : "Done",
    summary: issue.summary,
    description: issue.description,
    storyPoints: issue.points,
    assignee: lastOf(changes, "assignee")?.to ?? null,
    reporter: issue.reporter,
    createdAt: isoOf(issue.createdMs),
    updatedAt: isoOf(Math.max(issue.createdMs, ...changes.map(({ ms }) => ms))),
    resolvedAt,
    epicKey: issue.epic === null ? null : `${team.projectKey}-${issue.epic}`,
    labels: issue.labels,
    components: [issue.component],
    fixVersions: resolvedAt === null ? [] : [issue.version],
    affectsVersions: issue.type === "Bug" ? [issue.version] : [],
  };
}

function lastOf(changes: readonly DemoChange[], field: DemoChange["field"]): DemoChange | undefined {
  return changes.findLast((change) => change.field === field);
}

function eventRecord(change: DemoChange, issueKey: string, board: number): SourceRecord {
  const isSprint = change.field === "sprint";
  const id = (value: string | null): string | null => (isSprint && value !== null ? sprintId(board, value) : null);
  return {
    kind: "event",
    place: PLACE,
    issueKey,
    at: isoOf(change.ms),
    field: change.field,
    from: isSprint ? id(change.from) : change.from,
    to: isSprint ? id(change.to) : change.to,
    fromId: id(change.from),
    toId: id(change.to),
    author: change.author,
  };
}
