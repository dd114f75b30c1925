import { mappingKey } from "./mapping.ts";
import type { Mapping } from "./mapping.ts";
import type { StatusCategory } from "./source.ts";
import { wellKnownCategory } from "./well-known-statuses.ts";

/** Who said which category a status has. */
export type StatusOrigin = "operator" | "tracker" | "well_known" | "unmapped";

/** A row of the status map. */
export interface MappedStatus {
  readonly ref: string;
  readonly name: string;
  readonly category: StatusCategory | null;
  readonly isBlocked: boolean;
  readonly origin: StatusOrigin;
}

/** How many issues say that a status has a category, and when the newest of them was updated (epoch seconds). */
export interface CategoryVote {
  readonly ref: string;
  readonly category: StatusCategory;
  readonly issues: number;
  readonly newest: number;
}

/** What is known about statuses before their categories are settled. */
export interface StatusEvidence {
  /** Every status met, by ref: the tracker's id where known, else the name. */
  readonly names: ReadonlyMap<string, string>;
  /** Categories of the tracker's own status list. */
  readonly listed: ReadonlyMap<string, StatusCategory>;
  readonly votes: readonly CategoryVote[];
  /** The map as an earlier import left it. */
  readonly stored: ReadonlyMap<string, MappedStatus>;
  /** Null: this import brings none, what an operator said before holds. */
  readonly mapping: Mapping | null;
}

/** A status about whose category the tracker's own issues disagree. */
export interface StatusDisagreement {
  readonly ref: string;
  readonly name: string;
  readonly chosen: StatusCategory;
  readonly votes: readonly CategoryVote[];
}

export interface StatusMap {
  readonly statuses: readonly MappedStatus[];
  readonly disagreements: readonly StatusDisagreement[];
}

/** Settles each status's category: operator, tracker (list, then its issues), tracker by name, well-known name, none. */
export function settleStatuses(evidence: StatusEvidence): StatusMap {
  const votesOf = Map.groupBy(evidence.votes, (vote) => vote.ref);
  const disagreements: StatusDisagreement[] = [];
  const byRef = new Map<string, StatusCategory>();
  for (const [ref, name] of evidence.names) {
    const votes = votesOf.get(ref) ?? [];
    const category = evidence.listed.get(ref) ?? elected(votes) ?? storedTracker(evidence, ref);
    if (category === null) continue;
    byRef.set(ref, category);
    if (votes.length > 1 && !evidence.listed.has(ref)) disagreements.push({ ref, name, chosen: category, votes });
  }
  const byName = categoriesByName(evidence, byRef);
  const statuses = [...evidence.names].map(([ref, name]) => settle(ref, name, evidence, { byRef, byName }));
  return { statuses, disagreements };
}

/** The majority's category; among equals that of the most recently updated issue. */
function elected(votes: readonly CategoryVote[]): StatusCategory | null {
  const [first] = votes.toSorted((a, b) => b.issues - a.issues || b.newest - a.newest);
  return first?.category ?? null;
}

function storedTracker(evidence: StatusEvidence, ref: string): StatusCategory | null {
  const stored = evidence.stored.get(ref);
  return stored?.origin === "tracker" ? stored.category : null;
}

/** Category of a name where all statuses of that name agree. */
function categoriesByName(
  evidence: StatusEvidence,
  byRef: ReadonlyMap<string, StatusCategory>,
): ReadonlyMap<string, StatusCategory | null> {
  const byName = new Map<string, StatusCategory | null>();
  for (const [ref, category] of byRef) {
    const name = mappingKey(evidence.names.get(ref) ?? ref);
    byName.set(name, byName.has(name) && byName.get(name) !== category ? null : category);
  }
  return byName;
}

interface TrackerCategories {
  readonly byRef: ReadonlyMap<string, StatusCategory>;
  readonly byName: ReadonlyMap<string, StatusCategory | null>;
}

function settle(ref: string, name: string, evidence: StatusEvidence, tracker: TrackerCategories): MappedStatus {
  const stored = evidence.stored.get(ref);
  const operator = operatorSays(ref, name, evidence);
  const isBlocked = operator?.isBlocked ?? (evidence.mapping === null && stored?.isBlocked === true);
  if (operator !== null && operator.category !== null) return { ref, name, category: operator.category, isBlocked, origin: "operator" };
  const trackers = tracker.byRef.get(ref) ?? tracker.byName.get(mappingKey(name)) ?? null;
  if (trackers !== null) return { ref, name, category: trackers, isBlocked, origin: "tracker" };
  const wellKnown = wellKnownCategory(name);
  if (wellKnown !== null) return { ref, name, category: wellKnown, isBlocked, origin: "well_known" };
  return { ref, name, category: null, isBlocked, origin: "unmapped" };
}

function operatorSays(
  ref: string,
  name: string,
  evidence: StatusEvidence,
): { readonly category: StatusCategory | null; readonly isBlocked: boolean } | null {
  if (evidence.mapping !== null) {
    return evidence.mapping.statuses.get(mappingKey(ref)) ?? evidence.mapping.statuses.get(mappingKey(name)) ?? null;
  }
  const stored = evidence.stored.get(ref);
  return stored?.origin === "operator" ? stored : null;
}
