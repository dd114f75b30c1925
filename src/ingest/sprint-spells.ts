/** A change of an issue's whole set of sprints. */
export interface SprintSetChange {
  readonly at: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** One stay in a sprint; null `addedAt` unknown, null `removedAt` not left. */
export interface SprintSpell {
  readonly sprintId: string;
  readonly addedAt: string | null;
  readonly removedAt: string | null;
}

/** The ids in a changelog's set: `"10, 12, 13"`, empty or absent for none. */
export function sprintIdsOf(set: string | null): string[] {
  return (set ?? "")
    .split(",")
    .map((id) => id.trim())
    .filter((id) => /^\d+$/.test(id));
}

/**
 * The stays that a history of sets tells (oldest first), completed by the sprints that the issue names today.
 * A sprint in the first set, or named today without a trace in the history, was joined at an unknown time.
 */
export function spellsOf(changes: readonly SprintSetChange[], today: readonly string[]): SprintSpell[] {
  const open = new Map<string, string | null>((changes[0]?.from ?? []).map((id) => [id, null]));
  const spells = changes.flatMap((change) => applyChange(open, change));
  for (const [sprintId, addedAt] of open) spells.push({ sprintId, addedAt, removedAt: null });
  const told = new Set(spells.map((spell) => spell.sprintId));
  for (const sprintId of new Set(today)) if (!told.has(sprintId)) spells.push({ sprintId, addedAt: null, removedAt: null });
  return spells;
}

/** Moves the open stays (by sprint, since when) from one set to the next; returns those that end. */
function applyChange(open: Map<string, string | null>, { at, from, to }: SprintSetChange): SprintSpell[] {
  const ended: SprintSpell[] = [];
  for (const id of new Set([...from, ...open.keys()])) {
    if (to.includes(id)) continue;
    ended.push({ sprintId: id, addedAt: open.get(id) ?? null, removedAt: at });
    open.delete(id);
  }
  for (const id of to) if (!open.has(id)) open.set(id, from.includes(id) ? null : at);
  return ended;
}
