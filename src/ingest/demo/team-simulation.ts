import { DAY, HOUR, isoOf, MONTH, workingTime } from "./calendar.ts";
import type { SprintSpan } from "./calendar.ts";
import { issueText } from "./issue-text.ts";
import type { DemoType } from "./issue-text.ts";
import type { Random } from "./random.ts";
import type { TeamPace, TeamStory } from "./story.ts";

/** A change of an issue; `value` null clears. */
export interface DemoChange {
  readonly ms: number;
  readonly field: "status" | "assignee" | "flagged" | "sprint";
  readonly from: string | null;
  readonly to: string | null;
  readonly author: string;
}

export interface DemoIssue {
  readonly number: number;
  readonly type: DemoType;
  readonly summary: string;
  readonly description: string;
  readonly points: number | null;
  readonly priority: string;
  readonly reporter: string;
  readonly component: string;
  readonly labels: readonly string[];
  readonly version: string;
  readonly epic: number | null;
  readonly createdMs: number;
  readonly changes: DemoChange[];
  readonly stays: { readonly sprint: number; readonly addedMs: number; removedMs: number | null }[];
  /** When somebody starts it; null while it waits. */
  startedMs: number | null;
  doneMs: number;
}

const POINTS = [1, 2, 2, 3, 3, 5, 5, 8] as const;
/** Calendar days of work per point, median. */
const DAYS_PER_POINT = 1.25;
/** Working days of one person in a sprint, as the plan counts them. */
const PERSON_DAYS = 10;

/**
 * One team's months: each sprint it plans against its capacity, takes in bugs and changes of scope, and works the
 * queue with as many people as it has. Late work is carried over; nothing is decided by a metric.
 */
export class TeamSimulation {
  readonly issues: DemoIssue[] = [];
  readonly #team: TeamStory;
  readonly #people: readonly string[];
  readonly #random: Random;
  readonly #nowMs: number;
  readonly #freeMs: number[] = [];
  #epic: DemoIssue | null = null;

  constructor(team: TeamStory, people: readonly string[], random: Random, nowMs: number) {
    this.#team = team;
    this.#people = people;
    this.#random = random;
    this.#nowMs = nowMs;
  }

  run(spans: readonly SprintSpan[]): void {
    for (const [sprint, span] of spans.entries()) {
      if (span.startMs > this.#nowMs) break;
      this.#sprint(sprint, span, spans[sprint - 1] ?? null);
    }
  }

  #sprint(sprint: number, span: SprintSpan, previous: SprintSpan | null): void {
    const pace = this.#team.pace((this.#nowMs - span.startMs) / MONTH);
    if (sprint % 6 === 0) this.#epic = this.#create("Epic", span.startMs - 2 * DAY, pace);
    const carried = previous === null ? [] : this.issues.filter((issue) => isIn(issue, sprint - 1) && issue.doneMs > previous.completeMs);
    for (const issue of carried) this.#join(issue, sprint, (previous?.completeMs ?? 0) + 2_000);
    let plannedDays = carried.reduce((days, issue) => days + (issue.startedMs === null ? daysOf(issue) : 1), 0);
    const capacityDays = pace.people * PERSON_DAYS * pace.optimism;
    while (plannedDays < capacityDays) {
      const issue = this.#create(this.#random.chance(0.7) ? "Story" : "Task", span.startMs - this.#random.skewed(12, 0.9) * DAY, pace);
      this.#join(issue, sprint, span.startMs - this.#random.int(1, 20) * HOUR);
      plannedDays += daysOf(issue);
    }
    this.#changeScope(sprint, span, pace);
    this.#work(sprint, span, pace);
  }

  /** Bugs and late ideas come in while the sprint runs; a few things are taken out again. */
  #changeScope(sprint: number, span: SprintSpan, pace: TeamPace): void {
    const during = (): number => workingTime(span.startMs + this.#random.next() * 9 * DAY);
    for (let left = this.#random.around(pace.bugs); left > 0; left -= 1) {
      const issue = this.#create("Bug", during(), pace);
      if (this.#random.chance(0.8)) this.#join(issue, sprint, issue.createdMs + this.#random.int(1, 5) * HOUR);
    }
    if (this.#random.chance(0.5)) {
      const issue = this.#create("Task", during(), pace);
      this.#join(issue, sprint, issue.createdMs + HOUR);
    }
    const waiting = this.issues.filter((issue) => isIn(issue, sprint) && issue.startedMs === null);
    if (waiting.length === 0 || !this.#random.chance(0.3)) return;
    const issue = this.#random.pick(waiting);
    const stay = issue.stays.at(-1);
    const ms = Math.max(during(), (stay?.addedMs ?? 0) + HOUR);
    if (stay === undefined || ms >= span.endMs) return;
    stay.removedMs = ms;
    this.#change(issue, { ms, field: "sprint", from: String(sprint), to: null, author: this.#lead });
  }

  #work(sprint: number, span: SprintSpan, pace: TeamPace): void {
    while (this.#freeMs.length < pace.people) this.#freeMs.push(span.startMs);
    this.#freeMs.length = pace.people;
    const queue = this.issues.filter((issue) => isIn(issue, sprint) && issue.startedMs === null);
    // Bugs first, then by the order in which they joined.
    queue.sort((a, b) => Number(b.type === "Bug") - Number(a.type === "Bug") || joinedMs(a) - joinedMs(b));
    for (const issue of queue) {
      const person = this.#freeMs.indexOf(Math.min(...this.#freeMs));
      const startMs = workingTime(Math.max(this.#freeMs[person] ?? 0, joinedMs(issue), span.startMs) + this.#random.int(10, 120) * 60_000);
      if (startMs < span.endMs) this.#freeMs[person] = this.#live(issue, startMs, this.#people[person] ?? this.#lead, pace);
    }
  }

  /** Writes an issue's way from its start to done; returns when its assignee is free again. */
  #live(issue: DemoIssue, startMs: number, assignee: string, pace: TeamPace): number {
    const random = this.#random;
    const reviewer = random.pick(this.#people.filter((person) => person !== assignee));
    this.#change(issue, { ms: startMs, field: "assignee", from: null, to: assignee, author: this.#lead });
    this.#status(issue, startMs + 1_000, ["To Do", "In Progress"], assignee);
    issue.startedMs = startMs;
    let workDays = daysOf(issue) * random.skewed(0.85, 0.35);
    if (random.chance(0.08)) {
      const flaggedMs = startMs + workDays * 0.4 * DAY;
      const blockedDays = random.skewed(1.5, 0.7);
      this.#change(issue, { ms: flaggedMs, field: "flagged", from: null, to: "Impediment", author: assignee });
      this.#change(issue, { ms: flaggedMs + blockedDays * DAY, field: "flagged", from: "Impediment", to: null, author: assignee });
      workDays += blockedDays;
    }
    const reviewMs = workingTime(startMs + workDays * DAY);
    this.#status(issue, reviewMs, ["In Progress", "In Review"], assignee);
    let doneMs = workingTime(reviewMs + random.skewed(pace.reviewDays, 0.6) * DAY + random.skewed(3, 0.5) * HOUR);
    this.#status(issue, doneMs, ["In Review", "Done"], reviewer);
    if (random.chance(issue.type === "Bug" ? 0.12 : 0.05)) {
      const reopenedMs = workingTime(doneMs + random.skewed(3, 0.6) * DAY);
      this.#status(issue, reopenedMs, ["Done", "Reopened"], issue.reporter);
      const resumedMs = workingTime(reopenedMs + DAY / 2);
      this.#status(issue, resumedMs, ["Reopened", "In Progress"], assignee);
      doneMs = workingTime(resumedMs + random.skewed(1.5, 0.4) * DAY);
      this.#status(issue, doneMs, ["In Progress", "Done"], reviewer);
    }
    issue.doneMs = doneMs;
    return reviewMs;
  }

  #create(type: DemoType, createdMs: number, pace: TeamPace): DemoIssue {
    const random = this.#random;
    const { topic } = this.#team;
    const monthsAgo = (this.#nowMs - createdMs) / MONTH;
    const issue: DemoIssue = {
      number: this.issues.length + 1,
      type,
      ...issueText(type, topic, random),
      points: type === "Story" || type === "Task" ? random.pick(POINTS) : null,
      priority: type === "Bug" ? random.pick(["Highest", "High", "High", "Medium"]) : random.pick(["High", "Medium", "Medium", "Low"]),
      reporter: random.pick(this.#people),
      component: random.pick(topic.components),
      labels:
        type === "Bug" && random.chance(pace.escapedShare)
          ? ["production"]
          : random.chance(0.2)
            ? [random.pick(["customer-request", "tech-debt", "quick-win"])]
            : [],
      version: `${8 - Math.floor(monthsAgo / 2.5)}.0`,
      epic: type === "Epic" ? null : (this.#epic?.number ?? null),
      createdMs: workingTime(createdMs),
      changes: [],
      stays: [],
      startedMs: null,
      doneMs: Number.POSITIVE_INFINITY,
    };
    this.issues.push(issue);
    if (type === "Epic") this.#liveAsEpic(issue);
    return issue;
  }

  #liveAsEpic(epic: DemoIssue): void {
    epic.startedMs = workingTime(epic.createdMs + 3 * DAY);
    epic.doneMs = workingTime(epic.startedMs + this.#random.int(90, 130) * DAY);
    this.#status(epic, epic.startedMs, ["To Do", "In Progress"], this.#lead);
    this.#status(epic, epic.doneMs, ["In Progress", "Done"], this.#lead);
  }

  #join(issue: DemoIssue, sprint: number, ms: number): void {
    const addedMs = Math.max(ms, issue.createdMs);
    const before = issue.stays.at(-1);
    issue.stays.push({ sprint, addedMs, removedMs: null });
    this.#change(issue, {
      ms: addedMs,
      field: "sprint",
      from: before === undefined ? null : String(before.sprint),
      to: String(sprint),
      author: this.#lead,
    });
  }

  #status(issue: DemoIssue, ms: number, [from, to]: readonly [string, string], author: string): void {
    this.#change(issue, { ms, field: "status", from, to, author });
  }

  #change(issue: DemoIssue, change: DemoChange): void {
    if (isoOf(change.ms) <= isoOf(this.#nowMs)) issue.changes.push(change);
  }

  get #lead(): string {
    return this.#people[0] ?? "";
  }
}

/** Days of work that an issue is thought to need. */
function daysOf(issue: DemoIssue): number {
  return (issue.points ?? 2) * DAYS_PER_POINT;
}

function isIn(issue: DemoIssue, sprint: number): boolean {
  const stay = issue.stays.at(-1);
  return stay?.sprint === sprint && stay.removedMs === null;
}

function joinedMs(issue: DemoIssue): number {
  return issue.stays.at(-1)?.addedMs ?? 0;
}
