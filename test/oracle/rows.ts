import type { Life, Move, Tracker, Visit } from "./lives.ts";
import type { Member } from "./memberships.ts";

/** Which records a metric counts. */
export type Fact = "issues" | "moves" | "visits" | "blocked" | "states" | "members";

/** One counted thing: an issue, with the move, visit or membership that is counted of it. */
export interface Row {
  readonly life: Life;
  readonly member: Member | null;
  readonly move: Move | null;
  /** The status that the row is about, where it is not the present one. */
  readonly visit: Visit | null;
  /** When a visit or blocked spell began. */
  readonly startMs: number | null;
  /** Hours inside the window, of visits and blocked spells. */
  readonly hours: number | null;
  /** When a state was looked at. */
  readonly instantMs: number | null;
  /** The events before then. */
  readonly touchedMs: readonly number[];
}

/** A span of time to look at. */
export interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

export interface Data {
  readonly trackers: readonly Tracker[];
  readonly members: readonly Member[];
  /** Newest instant of all trackers. */
  readonly asOfMs: number;
}

const row = (life: Life, rest: Partial<Row> = {}): Row => ({
  life,
  member: null,
  move: null,
  visit: null,
  startMs: null,
  hours: null,
  instantMs: null,
  touchedMs: [],
  ...rest,
});

/** All rows of a fact; spans are cut to the window, states are those at its end. Event rows are not yet placed in time. */
export function rowsOf(fact: Fact, data: Data, window: Window): Row[] {
  if (fact === "members") return data.members.map((member) => row(member.life, { member }));
  return data.trackers.flatMap((tracker) => tracker.lives.flatMap((life) => rowsOfLife(fact, life, { tracker, data, window })));
}

function rowsOfLife(fact: Fact, life: Life, { tracker, data, window }: { tracker: Tracker; data: Data; window: Window }): Row[] {
  if (fact === "issues") return [row(life)];
  if (fact === "moves") return life.moves.map((move) => row(life, { move }));
  if (fact === "visits")
    return life.visits.flatMap((visit) => spans(visit, window, tracker.asOfMs).map((hours) => row(life, { visit, hours })));
  if (fact === "blocked") return life.blocked.flatMap((spell) => spans(spell, window, tracker.asOfMs).map((hours) => row(life, { hours })));
  const instantMs = Math.min(window.endMs, data.asOfMs);
  // What happens at the very end of a window belongs to the next one; what happens last of all belongs to the data's end.
  const isIn = (ms: number): boolean => (window.endMs <= data.asOfMs ? ms < instantMs : ms <= instantMs);
  const visit = life.visits.find((one) => isIn(one.startMs) && !isIn(one.endMs));
  return visit === undefined ? [] : [row(life, { visit, instantMs, touchedMs: life.touchedMs.filter(isIn) })];
}

/** The hours of a span inside the window, if it reaches into it; what has not ended is known up to `asOfMs`. */
function spans(span: { startMs: number; endMs: number }, window: Window, asOfMs: number): number[] {
  const endMs = span.endMs === Number.POSITIVE_INFINITY ? asOfMs : span.endMs;
  const ms = Math.min(endMs, window.endMs) - Math.max(span.startMs, window.startMs);
  return ms > 0 ? [ms / 3_600_000] : [];
}

/** The visits or blocked spells that reach into a window, be it without length: what gives a period its first and last day. */
export function spansInto(fact: Fact, data: Data, window: Window): Row[] {
  return data.trackers.flatMap((tracker) => {
    const asOfMs = fact === "states" ? data.asOfMs : tracker.asOfMs;
    return tracker.lives.flatMap((life) => {
      const spans =
        fact === "blocked" ? life.blocked.map((spell) => ({ ...spell, visit: null })) : life.visits.map((visit) => ({ ...visit, visit }));
      return spans
        .filter(({ startMs, endMs }) => startMs < window.endMs && (endMs === Number.POSITIVE_INFINITY ? asOfMs : endMs) > window.startMs)
        .map(({ startMs, visit }) => row(life, { startMs, visit }));
    });
  });
}

/** What a dimension or filter field can be of a row; instants in ms. */
export type FieldValue = string | number | null | readonly string[];

const FIELDS: Record<string, (row: Row) => FieldValue> = {
  instance_id: ({ life }) => life.instanceId,
  project_key: ({ life }) => life.record.projectKey,
  project_name: ({ life }) => life.projectName,
  issue_type: ({ life }) => life.record.type,
  priority: ({ life }) => life.record.priority,
  status: ({ life, visit }) => (visit === null ? life.record.status : visit.status),
  status_category: ({ life, visit }) => (visit === null ? life.category : visit.category),
  resolution: ({ life }) => life.record.resolution,
  assignee: ({ life }) => life.record.assignee,
  reporter: ({ life }) => life.record.reporter,
  label: ({ life }) => life.record.labels,
  component: ({ life }) => life.record.components,
  fix_version: ({ life }) => life.record.fixVersions,
  epic_key: ({ life }) => life.record.epicKey,
  issue_key: ({ life }) => life.record.key,
  from_status: ({ move }) => move?.from ?? null,
  to_status: ({ move }) => move?.to ?? null,
  sprint_id: ({ member }) => member?.sprint.id ?? null,
  sprint_name: ({ member }) => member?.sprint.name ?? null,
  sprint_state: ({ member }) => member?.sprint.state ?? null,
  board_id: ({ member }) => member?.sprint.boardId ?? null,
  created_at: ({ life }) => life.createdMs,
  resolved_at: ({ life }) => life.resolvedMs,
  updated_at: ({ life }) => instant(life.record.updatedAt),
  sprint_start_at: ({ member }) => instant(member?.sprint.startAt),
  sprint_complete_at: ({ member }) => instant(member?.sprint.completeAt),
  story_points: ({ life }) => life.record.storyPoints,
  lead_time_days: ({ life }) => days(life.createdMs, life.resolvedMs),
  // Of an issue whose work began after it was last done, the field is unknown.
  cycle_time_days: ({ life }) =>
    (life.lastDoneMs ?? 0) < (life.firstInProgressMs ?? 0) ? null : days(life.firstInProgressMs, life.lastDoneMs),
  summary: ({ life }) => life.record.summary,
};

const instant = (text: string | null | undefined): number | null => (text === null || text === undefined ? null : Date.parse(text));

export function days(fromMs: number | null, toMs: number | null): number | null {
  return fromMs === null || toMs === null ? null : (toMs - fromMs) / 86_400_000;
}

export function fieldOf(row: Row, name: string): FieldValue {
  const read = FIELDS[name];
  if (read === undefined) throw new Error(`the evaluator has no field ${name}`);
  return read(row);
}
