/** Where a status stands in an issue's life; null where nobody knows. */
export type StatusCategory = "new" | "in_progress" | "done";

/** Trackers that an import can read. */
export type InstanceKind = "neutral" | "jira" | "github";

/** Where a record stands in the input: file name and line, row or key. For reports only. */
interface Placed {
  readonly place: string;
}

export interface ProjectRecord extends Placed {
  readonly kind: "project";
  readonly key: string;
  readonly name: string | null;
}

/** A sprint as one sighting tells it; several sightings of one id complete each other. Instants are ISO UTC. */
export interface SprintRecord extends Placed {
  readonly kind: "sprint";
  readonly id: string;
  readonly boardId: string | null;
  readonly projectKey: string | null;
  readonly name: string | null;
  readonly state: string | null;
  readonly startAt: string | null;
  readonly endAt: string | null;
  readonly completeAt: string | null;
}

export interface IssueRecord extends Placed {
  readonly kind: "issue";
  readonly key: string;
  readonly trackerId: string | null;
  readonly projectKey: string;
  readonly type: string | null;
  readonly priority: string | null;
  readonly status: string | null;
  /** The tracker's id of the status, where the input has it. */
  readonly statusId: string | null;
  /** The tracker's own opinion, not yet the mapped one. */
  readonly statusCategory: StatusCategory | null;
  readonly resolution: string | null;
  readonly summary: string | null;
  readonly description: string | null;
  readonly storyPoints: number | null;
  readonly assignee: string | null;
  readonly reporter: string | null;
  readonly createdAt: string;
  readonly updatedAt: string | null;
  readonly resolvedAt: string | null;
  readonly epicKey: string | null;
  readonly labels: readonly string[];
  readonly components: readonly string[];
  readonly fixVersions: readonly string[];
  readonly affectsVersions: readonly string[];
}

/** One field change. Events of one instant keep the order in which a source yields them. */
export interface EventRecord extends Placed {
  readonly kind: "event";
  readonly issueKey: string;
  readonly at: string;
  readonly field: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly fromId: string | null;
  readonly toId: string | null;
  readonly author: string | null;
}

/** One spell of an issue in a sprint; null `addedAt` is unknown, null `removedAt` is still in or unknown. */
export interface SprintIssueRecord extends Placed {
  readonly kind: "sprint_issue";
  readonly sprintId: string;
  readonly issueKey: string;
  readonly addedAt: string | null;
  readonly removedAt: string | null;
}

/** An entry of the tracker's own list of statuses. */
export interface StatusRecord extends Placed {
  readonly kind: "status";
  readonly id: string | null;
  readonly name: string;
  readonly category: StatusCategory | null;
}

/** What every source speaks. */
export type SourceRecord = ProjectRecord | SprintRecord | IssueRecord | EventRecord | SprintIssueRecord | StatusRecord;

/** Takes what a reader cannot use. Neither call stops the run. */
export interface Intake {
  /** The row is left out. */
  refuse(place: string, reason: string): void;
  /** The row is used, with a reservation; equal messages are counted, `place` is kept of the first. */
  warn(message: string, place?: string): void;
}

/**
 * The port of every input. An issue's events and memberships come after the issue; everything else comes in any order.
 * Yields in bounded memory; throws only where the input as a whole cannot be read (no such file, broken archive).
 */
export interface Source {
  readonly kind: InstanceKind;
  read(intake: Intake): AsyncIterable<SourceRecord>;
}
