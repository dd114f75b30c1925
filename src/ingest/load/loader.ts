import type { IntakeLog } from "../intake.ts";
import type { EventRecord, IssueRecord, ProjectRecord, SourceRecord, SprintIssueRecord, SprintRecord, StatusRecord } from "../source.ts";
import type { IssueEntry, Numbering } from "./numbering.ts";
import type { Target } from "./scope.ts";
import { SprintSightings } from "./sprint-sightings.ts";
import { EventYears, writeRows } from "./write-rows.ts";
import type { Row } from "./write-rows.ts";

/** Rows by kind. */
export interface Counts {
  readonly projects: number;
  readonly sprints: number;
  readonly issues: number;
  readonly events: number;
  readonly sprintIssues: number;
  readonly statuses: number;
}

type MutableCounts = { -readonly [Kind in keyof Counts]: number };

function noCounts(): MutableCounts {
  return { projects: 0, sprints: 0, issues: 0, events: 0, sprintIssues: 0, statuses: 0 };
}

/** A batch is written when it holds this many rows or characters of text: bounds memory, not correctness. */
const BATCH_ROWS = 5_000;
const BATCH_CHARS = 2_000_000;

interface Batch {
  readonly projects: Map<string, Row>;
  readonly replaced: number[];
  readonly issues: Row[];
  readonly events: Row[];
  readonly sprintIssues: Row[];
}

function emptyBatch(): Batch {
  return { projects: new Map(), replaced: [], issues: [], events: [], sprintIssues: [] };
}

/** Takes a source's records, numbers them, and writes them in batches. */
export class Loader {
  readonly read: MutableCounts = noCounts();
  readonly stored: MutableCounts = noCounts();
  readonly statuses: StatusRecord[] = [];
  /** Numbers of the issues this run has read. */
  readonly issueNumbers: number[] = [];
  newIssues = 0;
  /** Newest instant seen, ISO UTC; null while nothing was read. */
  newestInstant: string | null = null;
  readonly #target: Target;
  readonly #numbering: Numbering;
  readonly #log: IntakeLog;
  readonly #sprints = new SprintSightings();
  readonly #eventYears = new EventYears();
  readonly #projects: Set<string>;
  readonly #spells = new Map<number, Map<number, number>>();
  #batch: Batch = emptyBatch();
  #chars = 0;
  #rows = 0;

  constructor(target: Target, numbering: Numbering, projects: Iterable<string>, log: IntakeLog) {
    this.#target = target;
    this.#numbering = numbering;
    this.#projects = new Set(projects);
    this.#log = log;
  }

  /** Takes one record; writes when the batch is full. */
  async take(record: SourceRecord): Promise<boolean> {
    switch (record.kind) {
      case "issue":
        await this.#takeIssue(record);
        break;
      case "event":
        this.#takeEvent(record);
        break;
      case "sprint_issue":
        this.#takeSprintIssue(record);
        break;
      case "sprint":
        this.#takeSprint(record);
        break;
      case "project":
        this.#takeProject(record);
        break;
      case "status":
        this.read.statuses += 1;
        this.stored.statuses += 1;
        this.statuses.push(record);
        break;
    }
    if (this.#rows < BATCH_ROWS && this.#chars < BATCH_CHARS) return false;
    await this.flush();
    return true;
  }

  /** Writes what is pending. */
  async flush(): Promise<void> {
    const batch = this.#batch;
    await this.#eventYears.ensure(this.#target, batch.events);
    await writeRows(this.#target, {
      ...batch,
      projects: [...batch.projects.values()],
      sprints: this.#sprints.takeChanged(),
    });
    this.stored.issues += batch.issues.length;
    this.stored.events += batch.events.length;
    this.stored.sprintIssues += batch.sprintIssues.length;
    this.stored.sprints = this.#sprints.size;
    this.#batch = emptyBatch();
    this.#chars = 0;
    this.#rows = 0;
  }

  #takeProject(record: ProjectRecord): void {
    this.read.projects += 1;
    this.#addProject(record.key, record.name);
  }

  #addProject(key: string, name: string | null): void {
    if (!this.#projects.has(key)) this.stored.projects += 1;
    this.#projects.add(key);
    this.#batch.projects.set(key, { project_key: key, name });
    this.#rows += 1;
  }

  #takeSprint(record: SprintRecord): void {
    if (this.#sprints.see(record, this.#numbering.sprint(record.id))) this.read.sprints += 1;
    this.#rows += 1;
  }

  async #takeIssue(record: IssueRecord): Promise<void> {
    this.read.issues += 1;
    const { entry, movedFrom } = this.#numbering.issue(record.key, record.trackerId);
    const updatedAt = record.updatedAt ?? record.createdAt;
    if (entry.readUpdatedAt !== null) {
      if (updatedAt <= entry.readUpdatedAt) {
        this.#log.refuse(record.place, `issue ${record.key} occurs twice; the more recently updated row was kept`);
        return;
      }
      this.#log.warn("issues that occur twice; the more recently updated row was kept", record.place);
      await this.flush();
    }
    if (movedFrom !== null) this.#log.warn("issues that came under a new key and kept their number", record.place);
    if (record.resolvedAt !== null && record.resolvedAt < record.createdAt) {
      this.#log.warn("issues resolved before they were created", record.place);
    }
    if (!this.#projects.has(record.projectKey)) {
      this.#log.warn("projects made because an issue names them", record.place);
      this.#addProject(record.projectKey, null);
    }
    this.#addIssue(record, entry);
    entry.readUpdatedAt = updatedAt;
    this.#saw(record.createdAt, record.updatedAt, record.resolvedAt);
  }

  #addIssue(record: IssueRecord, entry: IssueEntry): void {
    if (entry.readUpdatedAt === null) {
      this.issueNumbers.push(entry.issueNo);
      if (!entry.isStored) this.newIssues += 1;
    }
    if (entry.isStored) this.#batch.replaced.push(entry.issueNo);
    this.#spells.delete(entry.issueNo);
    entry.isStored = true;
    entry.events = 0;
    this.#batch.issues.push(issueRow(record, entry.issueNo));
    this.#rows += 1;
    this.#chars += 500 + (record.description?.length ?? 0) + (record.summary?.length ?? 0);
  }

  #takeEvent(record: EventRecord): void {
    this.read.events += 1;
    const entry = this.#numbering.issues.get(record.issueKey);
    if (entry === undefined || entry.readUpdatedAt === null) {
      this.#log.refuse(record.place, `event of an issue that this input does not have: ${record.issueKey}`);
      return;
    }
    entry.events += 1;
    this.#batch.events.push({
      issue_no: entry.issueNo,
      at: record.at,
      seq: entry.events,
      field: record.field,
      from_value: record.from,
      to_value: record.to,
      from_ref: record.fromId,
      to_ref: record.toId,
      author: record.author,
    });
    this.#rows += 1;
    this.#chars += 200 + (record.from?.length ?? 0) + (record.to?.length ?? 0);
    this.#saw(record.at);
  }

  #takeSprintIssue(record: SprintIssueRecord): void {
    this.read.sprintIssues += 1;
    const entry = this.#numbering.issues.get(record.issueKey);
    const sprintNo = this.#numbering.sprints.get(record.sprintId);
    if (entry === undefined || entry.readUpdatedAt === null) {
      this.#log.refuse(record.place, `membership of an issue that this input does not have: ${record.issueKey}`);
      return;
    }
    if (sprintNo === undefined) {
      this.#log.refuse(record.place, `membership in a sprint that is unknown: ${record.sprintId}`);
      return;
    }
    if (record.addedAt !== null && record.removedAt !== null && record.removedAt < record.addedAt) {
      this.#log.refuse(record.place, `membership that ends (${record.removedAt}) before it begins (${record.addedAt})`);
      return;
    }
    const spells = this.#spells.get(entry.issueNo) ?? new Map<number, number>();
    this.#spells.set(entry.issueNo, spells);
    const spell = (spells.get(sprintNo) ?? 0) + 1;
    spells.set(sprintNo, spell);
    const { addedAt: added_at, removedAt: removed_at } = record;
    this.#batch.sprintIssues.push({ sprint_no: sprintNo, issue_no: entry.issueNo, spell, added_at, removed_at });
    this.#rows += 1;
    this.#saw(record.addedAt, record.removedAt);
  }

  #saw(...instants: readonly (string | null)[]): void {
    for (const instant of instants) {
      if (instant !== null && (this.newestInstant === null || instant > this.newestInstant)) this.newestInstant = instant;
    }
  }
}

function issueRow(record: IssueRecord, issueNo: number): Row {
  return {
    issue_no: issueNo,
    issue_key: record.key,
    tracker_id: record.trackerId,
    project_key: record.projectKey,
    issue_type: record.type,
    priority: record.priority,
    status: record.status,
    status_ref: record.statusId,
    status_category: record.statusCategory,
    resolution: record.resolution,
    summary: record.summary,
    description: record.description,
    story_points: record.storyPoints,
    assignee: record.assignee,
    reporter: record.reporter,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    resolved_at: record.resolvedAt,
    epic_key: record.epicKey,
    labels: record.labels,
    components: record.components,
    fix_versions: record.fixVersions,
    affects_versions: record.affectsVersions,
  };
}
