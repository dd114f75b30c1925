import type { SprintIssueRecord, SprintRecord } from "../../src/ingest/source.ts";
import { type Life, msOf, type Tracker } from "./lives.ts";

/** What one issue was to one sprint. */
export interface Member {
  readonly sprint: SprintRecord;
  readonly sprintId: string;
  readonly life: Life;
  /** Canonical time: complete_at, else end_at. */
  readonly closedMs: number | null;
  readonly wasResolvedBefore: boolean;
  readonly isCommitted: boolean;
  readonly isAdded: boolean;
  readonly isRemoved: boolean;
  readonly isFinal: boolean;
  readonly isCompleted: boolean;
  readonly isCarriedOver: boolean;
  readonly reopens: number;
  readonly blockedHours: number;
}

export function membersOf(tracker: Tracker): Member[] {
  const members = tracker.sprints.flatMap((sprint) =>
    tracker.lives.flatMap((life) => {
      const stays = tracker.stays.filter((stay) => stay.sprintId === sprint.id && stay.issueKey === life.record.key);
      return memberOf(sprint, life, stays, tracker) ?? [];
    }),
  );
  const startOf = (member: Member): number => msOf(member.sprint.startAt) ?? Number.NaN;
  return members.map((member) => ({
    ...member,
    isCarriedOver: members.some((other) => other.life === member.life && startOf(other) > startOf(member)),
  }));
}

/** What the stays come to; null where the issue left before the start or came after the end. */
function memberOf(sprint: SprintRecord, life: Life, stays: readonly SprintIssueRecord[], tracker: Tracker): Member | null {
  const closedMs = msOf(sprint.completeAt) ?? msOf(sprint.endAt);
  // Without a start everybody was there from the beginning; without an end it is where the data ends.
  const startMs = msOf(sprint.startAt) ?? Number.NEGATIVE_INFINITY;
  const endMs = closedMs ?? tracker.asOfMs;
  const spells = stays.map((stay) => spellOf(stay, life, startMs)).filter((spell) => spell.isInferred || spell.addedMs <= endMs);
  const isCommitted = spells.some((spell) => spell.addedMs <= startMs && spell.removedMs > startMs);
  const isAdded = !isCommitted && spells.some((spell) => spell.addedMs > startMs);
  if (!isCommitted && !isAdded) return null;
  // To leave at the very end, moved on by the closing of the sprint, is to have been in it.
  const isFinal = spells.some((spell) => spell.removedMs >= endMs && spell.removedMs > startMs);
  const { resolvedMs } = life;
  const isWithin = (ms: number): boolean => ms >= startMs && ms <= endMs;
  const blockedUntilMs = Math.min(endMs, tracker.asOfMs);
  const blockedMs = life.blocked.map((spell) => Math.max(0, Math.min(spell.endMs, blockedUntilMs) - Math.max(spell.startMs, startMs)));
  return {
    sprint,
    sprintId: `${tracker.id} ${sprint.id}`,
    life,
    closedMs,
    wasResolvedBefore: resolvedMs !== null && resolvedMs < startMs,
    isCommitted,
    isAdded,
    isRemoved: !isFinal,
    isFinal,
    isCompleted: isFinal && resolvedMs !== null && isWithin(resolvedMs),
    isCarriedOver: false,
    reopens: life.reopensMs.filter(isWithin).length,
    blockedHours: blockedMs.reduce((sum, ms) => sum + ms, 0) / 3_600_000,
  };
}

/** With unknown `added_at`: an issue created after the start joined at its creation, any other was there. */
function spellOf(stay: SprintIssueRecord, life: Life, startMs: number): { addedMs: number; removedMs: number; isInferred: boolean } {
  const wasThere = startMs === Number.NEGATIVE_INFINITY || (stay.addedAt === null && life.createdMs <= startMs);
  const addedMs = wasThere ? Number.NEGATIVE_INFINITY : (msOf(stay.addedAt) ?? life.createdMs);
  return { addedMs, removedMs: msOf(stay.removedAt) ?? Number.POSITIVE_INFINITY, isInferred: stay.addedAt === null };
}
