import type { Target } from "./scope.ts";

/** What a run knows about one issue. */
export interface IssueEntry {
  readonly issueNo: number;
  /** Stored by an earlier run (or earlier in this one): its events and memberships must go first. */
  isStored: boolean;
  /** Null until this run has read it; then its `updated_at` (created_at where unknown). */
  readUpdatedAt: string | null;
  events: number;
}

/**
 * The tenant's own numbers for issues and sprints. They stay over re-imports; new ones continue from the tenant's
 * highest, which the import's lock makes safe.
 */
export class Numbering {
  readonly issues = new Map<string, IssueEntry>();
  readonly sprints = new Map<string, number>();
  readonly #keyOfTrackerId = new Map<string, string>();
  #nextIssueNo = 1;
  #nextSprintNo = 1;

  static async load(target: Target): Promise<Numbering> {
    const { client, tenantId, instanceId } = target;
    const numbering = new Numbering();
    const highest = await client.query<{ issue_no: number; sprint_no: number }>(
      `select (select coalesce(max(issue_no), 0)::float8 from warehouse.issue where tenant_id = $1) as issue_no,
              (select coalesce(max(sprint_no), 0)::float8 from warehouse.sprint where tenant_id = $1) as sprint_no`,
      [tenantId],
    );
    numbering.#nextIssueNo = (highest.rows[0]?.issue_no ?? 0) + 1;
    numbering.#nextSprintNo = (highest.rows[0]?.sprint_no ?? 0) + 1;
    const issues = await client.query<{ issue_no: number; issue_key: string; tracker_id: string | null }>(
      "select issue_no::float8, issue_key, tracker_id from warehouse.issue where tenant_id = $1 and instance_id = $2",
      [tenantId, instanceId],
    );
    for (const row of issues.rows) {
      numbering.issues.set(row.issue_key, { issueNo: row.issue_no, isStored: true, readUpdatedAt: null, events: 0 });
      if (row.tracker_id !== null) numbering.#keyOfTrackerId.set(row.tracker_id, row.issue_key);
    }
    const sprints = await client.query<{ sprint_no: number; sprint_id: string }>(
      "select sprint_no::float8, sprint_id from warehouse.sprint where tenant_id = $1 and instance_id = $2",
      [tenantId, instanceId],
    );
    for (const row of sprints.rows) numbering.sprints.set(row.sprint_id, row.sprint_no);
    return numbering;
  }

  /** The issue's entry; a stored issue that now comes under another key (moved between projects) keeps its number. */
  issue(key: string, trackerId: string | null): { readonly entry: IssueEntry; readonly movedFrom: string | null } {
    const known = this.issues.get(key);
    if (known !== undefined) return { entry: known, movedFrom: null };
    const oldKey = trackerId === null ? undefined : this.#keyOfTrackerId.get(trackerId);
    const moved = oldKey === undefined ? undefined : this.issues.get(oldKey);
    if (oldKey !== undefined && moved !== undefined && moved.readUpdatedAt === null) {
      this.issues.delete(oldKey);
      this.issues.set(key, moved);
      return { entry: moved, movedFrom: oldKey };
    }
    const entry: IssueEntry = { issueNo: this.#nextIssueNo, isStored: false, readUpdatedAt: null, events: 0 };
    this.#nextIssueNo += 1;
    this.issues.set(key, entry);
    return { entry, movedFrom: null };
  }

  /** The sprint's number, a new one where it has none yet. */
  sprint(id: string): number {
    const known = this.sprints.get(id);
    if (known !== undefined) return known;
    const sprintNo = this.#nextSprintNo;
    this.#nextSprintNo += 1;
    this.sprints.set(id, sprintNo);
    return sprintNo;
  }
}
