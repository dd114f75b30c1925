import type { SprintRecord } from "../source.ts";
import type { Row } from "./write-rows.ts";

/** The sprints of a run: every issue of a sprint brings it again; only what is new is written. */
export class SprintSightings {
  readonly #known = new Map<string, Row>();
  readonly #changed = new Map<string, Row>();

  get size(): number {
    return this.#known.size;
  }

  /** Adds a sighting; true when the sprint is seen for the first time. */
  see(record: SprintRecord, sprintNo: number): boolean {
    const known = this.#known.get(record.id);
    const merged = merge(known, record, sprintNo);
    if (merged !== known) {
      this.#known.set(record.id, merged);
      this.#changed.set(record.id, merged);
    }
    return known === undefined;
  }

  /** The sprints that changed since the last call. */
  takeChanged(): Row[] {
    const rows = [...this.#changed.values()];
    this.#changed.clear();
    return rows;
  }
}

/** A sighting with a state is whole and wins; one without (from a changelog) only fills gaps. */
function merge(known: Row | undefined, record: SprintRecord, sprintNo: number): Row {
  const seen: Row = {
    sprint_no: sprintNo,
    sprint_id: record.id,
    board_id: record.boardId,
    project_key: record.projectKey,
    name: record.name,
    state: record.state,
    start_at: record.startAt,
    end_at: record.endAt,
    complete_at: record.completeAt,
  };
  if (known === undefined) return seen;
  const merged: Record<string, unknown> = { ...known };
  let isChanged = false;
  for (const [column, value] of Object.entries(seen)) {
    if (value === null || value === merged[column]) continue;
    if (record.state === null && merged[column] !== null) continue;
    merged[column] = value;
    isChanged = true;
  }
  return isChanged ? merged : known;
}
