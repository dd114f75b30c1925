import type { Mapping } from "../../src/ingest/mapping.ts";
import type { EventRecord, IssueRecord, SourceRecord, SprintIssueRecord, SprintRecord, StatusCategory } from "../../src/ingest/source.ts";

/** One tracker as neutral records, with what its operator says about it. */
export interface InstanceWorld {
  readonly id: string;
  readonly records: readonly SourceRecord[];
  readonly mapping: Mapping | null;
}

/** A stay of an issue in one status; `endMs` infinite while it lasts. */
export interface Visit {
  readonly startMs: number;
  readonly endMs: number;
  readonly status: string | null;
  readonly category: StatusCategory | null;
}

export interface Move {
  readonly ms: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly fromCategory: StatusCategory | null;
  readonly toCategory: StatusCategory | null;
}

/** An issue with everything that its events tell, in plain values. Instants are ms; null is unknown. */
export interface Life {
  readonly id: string;
  readonly instanceId: string;
  readonly record: IssueRecord;
  readonly projectName: string | null;
  readonly category: StatusCategory | null;
  readonly createdMs: number;
  readonly resolvedMs: number | null;
  readonly isBug: boolean;
  readonly isEscaped: boolean;
  readonly moves: readonly Move[];
  readonly touchedMs: readonly number[];
  readonly visits: readonly Visit[];
  readonly blocked: readonly { readonly startMs: number; readonly endMs: number }[];
  readonly firstInProgressMs: number | null;
  readonly firstDoneMs: number | null;
  readonly lastDoneMs: number | null;
  readonly reopensMs: readonly number[];
  readonly inProgressMs: number | null;
}

/** One tracker, read. */
export interface Tracker {
  readonly id: string;
  readonly lives: readonly Life[];
  readonly sprints: readonly SprintRecord[];
  readonly stays: readonly SprintIssueRecord[];
  /** Newest instant of its issues, events and memberships. */
  readonly asOfMs: number;
}

const WELL_KNOWN: Record<string, StatusCategory> = {
  open: "new",
  "to do": "new",
  reopened: "new",
  "in progress": "in_progress",
  "in review": "in_progress",
  "patch available": "in_progress",
  resolved: "done",
  closed: "done",
  done: "done",
};

export const msOf = (text: string | null): number | null => (text === null ? null : Date.parse(text));

export function readTracker(world: InstanceWorld): Tracker {
  const of = <K extends SourceRecord["kind"]>(kind: K) =>
    world.records.filter((one): one is Extract<SourceRecord, { kind: K }> => one.kind === kind);
  const listed = new Map(of("status").map((one) => [one.name, one.category]));
  const categoryOf = (status: string | null): StatusCategory | null => {
    if (status === null) return null;
    const said = world.mapping?.statuses.get(status.toLowerCase())?.category ?? null;
    return said ?? listed.get(status) ?? WELL_KNOWN[status.toLowerCase()] ?? null;
  };
  const isBlocked = (status: string | null): boolean =>
    status !== null && world.mapping?.statuses.get(status.toLowerCase())?.isBlocked === true;
  const names = new Map(of("project").map((one) => [one.key, one.name]));
  const bugTypes = world.mapping?.bugTypes ?? ["Bug", "Defect"];
  const marks = (world.mapping?.escapeLabels ?? ["escaped", "escaped-defect", "production", "customer"]).map((label) =>
    label.toLowerCase(),
  );
  const lives = of("issue").map((record): Life => {
    const events = of("event").filter((event) => event.issueKey === record.key);
    const isBug = record.type !== null && bugTypes.includes(record.type);
    return {
      id: `${world.id} ${record.key}`,
      instanceId: world.id,
      record,
      projectName: names.get(record.projectKey) ?? null,
      isBug,
      isEscaped: isBug && record.labels.some((label) => marks.includes(label.toLowerCase())),
      ...history(record, events, categoryOf, isBlocked),
    };
  });
  const instantsOf = (one: SourceRecord): (string | null)[] => {
    if (one.kind === "issue") return [one.createdAt, one.updatedAt, one.resolvedAt];
    if (one.kind === "event") return [one.at];
    return one.kind === "sprint_issue" ? [one.addedAt, one.removedAt] : [];
  };
  const asOfMs = Math.max(...world.records.flatMap(instantsOf).map((text) => msOf(text) ?? Number.NEGATIVE_INFINITY));
  return { id: world.id, lives, sprints: of("sprint"), stays: of("sprint_issue"), asOfMs };
}

type CategoryOf = (status: string | null) => StatusCategory | null;

function history(
  record: IssueRecord,
  events: readonly EventRecord[],
  categoryOf: CategoryOf,
  isBlocked: (status: string | null) => boolean,
) {
  const createdMs = Date.parse(record.createdAt);
  const resolvedMs = msOf(record.resolvedAt);
  const category = categoryOf(record.status);
  const moves = inOrder(events, "status").map((event): Move => ({
    ms: Date.parse(event.at),
    from: event.from,
    to: event.to,
    fromCategory: categoryOf(event.from),
    toCategory: categoryOf(event.to),
  }));
  const visits = visitsOf({ createdMs, resolvedMs, status: record.status, category }, moves, categoryOf);
  const entries = (wanted: StatusCategory) =>
    moves.filter((move) => move.fromCategory !== wanted && move.toCategory === wanted).map((move) => move.ms);
  const lastDoneMs = category === "done" ? (entries("done").at(-1) ?? null) : null;
  const inProgress = visits.filter((visit) => visit.category === "in_progress");
  return {
    category,
    createdMs,
    resolvedMs,
    moves,
    visits,
    touchedMs: events.map((event) => Date.parse(event.at)),
    blocked: blockedOf(
      createdMs,
      visits.filter((visit) => isBlocked(visit.status)),
      inOrder(events, "flagged"),
    ),
    firstInProgressMs: entries("in_progress")[0] ?? null,
    firstDoneMs: moves[0]?.fromCategory === "done" ? createdMs : (entries("done")[0] ?? null),
    lastDoneMs,
    reopensMs: moves.filter((move) => move.fromCategory === "done" && move.toCategory !== "done").map((move) => move.ms),
    inProgressMs:
      lastDoneMs === null || moves.length === 0
        ? null
        : total(inProgress.map((visit) => Math.max(0, Math.min(visit.endMs, lastDoneMs) - visit.startMs))),
  };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** By instant; events of one instant in the order in which they were told. */
function inOrder(events: readonly EventRecord[], field: string): EventRecord[] {
  return events.filter((event) => event.field === field).toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

interface Now {
  readonly createdMs: number;
  readonly resolvedMs: number | null;
  readonly status: string | null;
  readonly category: StatusCategory | null;
}

/** The life cut at its moves, from creation on. Without moves: done from the resolution on, or the present status throughout. */
function visitsOf({ createdMs, resolvedMs, status, category }: Now, moves: readonly Move[], categoryOf: CategoryOf): Visit[] {
  const open = Number.POSITIVE_INFINITY;
  if (moves.length === 0) {
    if (category !== "done" || resolvedMs === null) return [{ startMs: createdMs, endMs: open, status, category }];
    const doneMs = Math.max(createdMs, resolvedMs);
    const unknown: Visit = { startMs: createdMs, endMs: doneMs, status: null, category: null };
    return [unknown, { startMs: doneMs, endMs: open, status, category }].filter((visit) => visit.endMs > visit.startMs);
  }
  const first = moves[0]?.from ?? null;
  const cuts = [{ ms: createdMs, status: first }, ...moves.map((move) => ({ ms: Math.max(move.ms, createdMs), status: move.to }))];
  return cuts
    .map((cut, index) => ({ startMs: cut.ms, endMs: cuts[index + 1]?.ms ?? open, status: cut.status, category: categoryOf(cut.status) }))
    .filter((visit) => visit.endMs > visit.startMs);
}

/** Blocked visits and flagged spells, overlapping ones as one. */
function blockedOf(createdMs: number, visits: readonly Visit[], flags: readonly EventRecord[]): { startMs: number; endMs: number }[] {
  const spells = visits.map(({ startMs, endMs }) => ({ startMs, endMs }));
  const first = flags[0];
  const cuts =
    first === undefined
      ? []
      : [
          { ms: createdMs, isOn: first.from !== null },
          ...flags.map((flag) => ({ ms: Math.max(createdMs, Date.parse(flag.at)), isOn: flag.to !== null })),
        ];
  for (const [index, cut] of cuts.entries()) {
    if (cut.isOn) spells.push({ startMs: cut.ms, endMs: cuts[index + 1]?.ms ?? Number.POSITIVE_INFINITY });
  }
  const merged: { startMs: number; endMs: number }[] = [];
  for (const spell of spells.filter((one) => one.endMs > one.startMs).toSorted((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1);
    if (last !== undefined && spell.startMs <= last.endMs) last.endMs = Math.max(last.endMs, spell.endMs);
    else merged.push({ ...spell });
  }
  return merged;
}
