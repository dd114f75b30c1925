import { must } from "../../src/must.ts";
import type { Member } from "./memberships.ts";
import { aggregate, mean, ratio, sum } from "./numbers.ts";
import { days, type Data, type Fact, type Row } from "./rows.ts";
import { componentScores } from "./score.ts";

/** What a metric is, by METRICS' definition. */
export interface Metric {
  readonly fact: Fact;
  /** Where a row stands in time; absent for spans and states. */
  readonly time?: (row: Row) => number | null;
  readonly where?: (row: Row) => boolean;
  readonly gap: 0 | null;
  /** The number of one group's rows; at least one. */
  readonly number: (rows: readonly Row[], agg: string, data: Data) => number | null;
}

type Read = (row: Row) => number | null;

const one: Read = () => 1;
const created: Read = ({ life }) => life.createdMs;
const resolved: Read = ({ life }) => life.resolvedMs;
const isResolved = ({ life }: Row): boolean => life.resolvedMs !== null;
const isBug = ({ life }: Row): boolean => life.isBug;
const isEscaped = ({ life }: Row): boolean => life.isEscaped;
const leadTime: Read = ({ life }) => days(life.createdMs, life.resolvedMs);
const isOf =
  (category: string) =>
  ({ visit }: Row): boolean =>
    visit?.category === category;

/** One number per row, aggregated. */
const ofRows =
  (value: Read) =>
  (rows: readonly Row[], agg: string): number | null =>
    aggregate(agg, rows.map(value));

/** One ratio over all rows, or the mean of each row's. */
const ratioOf =
  (top: Read, bottom: Read) =>
  (rows: readonly Row[], agg: string): number | null =>
    agg === "pooled"
      ? ratio(aggregate("sum", rows.map(top)), aggregate("sum", rows.map(bottom)))
      : aggregate(
          agg,
          rows.map((row) => ratio(top(row), bottom(row))),
        );

const count = <T>(rows: readonly T[], holds: (row: T) => boolean): number => rows.filter(holds).length;

type Members = readonly Member[];

function bySprint(rows: readonly Row[]): Members[] {
  const members = rows.map((row) => must(row.member, "a membership"));
  return [...Map.groupBy(members, (member) => member.sprintId).values()];
}

/** One number per sprint of the group, from its members in the group. */
function sprintNumber(value: (members: Members) => number | null): Metric {
  return { fact: "members", time: closed, gap: 0, number: (rows, agg) => aggregate(agg, bySprint(rows).map(value)) };
}

function sprintRatio(top: (members: Members) => number | null, bottom: (members: Members) => number | null): Metric {
  const number = (rows: readonly Row[], agg: string): number | null => {
    const sprints = bySprint(rows);
    if (agg !== "pooled")
      return aggregate(
        agg,
        sprints.map((members) => ratio(top(members), bottom(members))),
      );
    return ratio(aggregate("sum", sprints.map(top)), aggregate("sum", sprints.map(bottom)));
  };
  return { fact: "members", time: closed, gap: null, number };
}

const closed: Read = ({ member }) => member?.closedMs ?? null;

// Members resolved before the start are left out.
export const isCommitted = (one: Member): boolean => one.isCommitted && !one.wasResolvedBefore;
export const isAdded = (one: Member): boolean => one.isAdded && !one.wasResolvedBefore;
export const isRemoved = (one: Member): boolean => one.isRemoved && !one.wasResolvedBefore;
export const isCounted = (one: Member): boolean => one.isFinal && !one.wasResolvedBefore;
export const isCompleted = (one: Member): boolean => one.isCompleted;
const isAtAll = (one: Member): boolean => one.isCommitted || one.isAdded || one.isFinal;

const isEstimated = (members: Members): boolean => members.some((one) => one.life.record.storyPoints !== null);

/** Points of some members; null for a sprint in which no member has an estimate. */
const points =
  (which: (one: Member) => boolean) =>
  (members: Members): number | null =>
    isEstimated(members) ? (sum(members.filter(which).map((one) => one.life.record.storyPoints ?? 0)) ?? 0) : null;

/** Of a sprint of nothing but members resolved before it began: 0, as the tracker's own chart has it. */
const donePoints = (members: Members): number | null => (count(members, isCounted) === 0 ? 0 : points(isCompleted)(members));

const howMany =
  (which: (one: Member) => boolean) =>
  (members: Members): number =>
    count(members, which);
const size =
  (which: (one: Member) => boolean) =>
  (members: Members): number | null =>
    isEstimated(members) ? points(which)(members) : count(members, which);

const inProgress: Omit<Metric, "number"> = { fact: "states", gap: 0, where: isOf("in_progress") };
const DAY_MS = 86_400_000;

/** Neither created nor touched in the 14 days before the instant. */
function isStuck({ life, visit, instantMs, touchedMs }: Row): boolean {
  const atMs = must(instantMs, "an instant");
  return visit?.category === "in_progress" && atMs - life.createdMs > 14 * DAY_MS && touchedMs.every((ms) => atMs - ms > 14 * DAY_MS);
}

export const spillover = sprintRatio(
  howMany((one) => isCounted(one) && !one.isCompleted),
  howMany(isCounted),
);
export const churn = sprintRatio((members) => count(members, isAdded) + count(members, isRemoved), howMany(isCommitted));
export const accuracy = sprintRatio(
  (members) => Math.abs((size(isCompleted)(members) ?? 0) - (size(isCommitted)(members) ?? 0)),
  size(isCommitted),
);

const METRICS: Record<string, Metric> = {
  issues_created: { fact: "issues", time: created, gap: 0, number: ofRows(one) },
  issues_closed: { fact: "issues", time: resolved, where: isResolved, gap: 0, number: ofRows(one) },
  bug_count: { fact: "issues", time: created, where: isBug, gap: 0, number: ofRows(one) },
  bugs_closed: { fact: "issues", time: resolved, where: (row) => isBug(row) && isResolved(row), gap: 0, number: ofRows(one) },
  bug_ratio: { fact: "issues", time: created, gap: null, number: ratioOf((row) => (isBug(row) ? 1 : 0), one) },
  bug_lead_time: { fact: "issues", time: resolved, where: (row) => isBug(row) && isResolved(row), gap: null, number: ofRows(leadTime) },
  story_points_closed: { fact: "issues", time: resolved, where: isResolved, gap: 0, number: ofRows(({ life }) => life.record.storyPoints) },
  lead_time: { fact: "issues", time: resolved, where: isResolved, gap: null, number: ofRows(leadTime) },
  cycle_time: {
    fact: "issues",
    time: ({ life }) => life.lastDoneMs,
    gap: null,
    where: ({ life }) => life.firstInProgressMs !== null && life.lastDoneMs !== null,
    number: ofRows(({ life }) => days(life.firstInProgressMs, life.lastDoneMs)),
  },
  flow_efficiency: {
    fact: "issues",
    time: ({ life }) => life.lastDoneMs,
    where: ({ life }) => life.lastDoneMs !== null,
    gap: null,
    number: ratioOf(
      ({ life }) => life.inProgressMs,
      ({ life }) => (life.lastDoneMs === null ? null : life.lastDoneMs - life.createdMs),
    ),
  },
  reopened_issues: {
    fact: "issues",
    time: ({ life }) => life.reopensMs[0] ?? null,
    where: ({ life }) => life.reopensMs.length > 0,
    gap: 0,
    number: ofRows(one),
  },
  reopen_rate: {
    fact: "issues",
    time: ({ life }) => life.firstDoneMs,
    where: ({ life }) => life.firstDoneMs !== null,
    gap: null,
    number: ratioOf(({ life }) => (life.reopensMs.length > 0 ? 1 : 0), one),
  },
  escaped_defects: { fact: "issues", time: created, where: isEscaped, gap: 0, number: ofRows(one) },
  defect_escape_rate: { fact: "issues", time: created, where: isBug, gap: null, number: ratioOf((row) => (isEscaped(row) ? 1 : 0), one) },
  status_changes: { fact: "moves", time: ({ move }) => move?.ms ?? null, gap: 0, number: ofRows(one) },
  reopened_count: {
    fact: "moves",
    time: ({ move }) => move?.ms ?? null,
    where: ({ move }) => move?.fromCategory === "done" && move.toCategory !== "done",
    gap: 0,
    number: ofRows(one),
  },
  time_in_status: { fact: "visits", where: ({ visit }) => visit?.status !== null, gap: 0, number: ofRows(({ hours }) => hours) },
  blocked_hours: { fact: "blocked", gap: 0, number: ofRows(({ hours }) => hours) },
  wip: { ...inProgress, number: ofRows(one) },
  backlog_open: { fact: "states", gap: 0, where: ({ visit }) => visit?.category !== "done", number: ofRows(one) },
  stuck_count: { fact: "states", gap: 0, where: isStuck, number: ofRows(one) },
  work_item_age: {
    fact: "states",
    gap: null,
    where: (row) =>
      isOf("in_progress")(row) && row.life.firstInProgressMs !== null && row.life.firstInProgressMs <= must(row.instantMs, "an instant"),
    number: ofRows(({ life, instantMs }) => days(life.firstInProgressMs, instantMs)),
  },
  committed_issues: sprintNumber(howMany(isCommitted)),
  committed_points: sprintNumber(points(isCommitted)),
  completed_issues: sprintNumber(howMany(isCompleted)),
  completed_points: sprintNumber(donePoints),
  planned_points: sprintNumber(points((one) => one.isFinal)),
  added_issues: sprintNumber(howMany(isAdded)),
  removed_issues: sprintNumber(howMany(isRemoved)),
  velocity: sprintNumber(donePoints),
  velocity_issues: sprintNumber(howMany(isCompleted)),
  spillover_ratio: spillover,
  carry_over_ratio: sprintRatio(
    howMany((one) => one.isCarriedOver && isAtAll(one)),
    howMany(isAtAll),
  ),
  scope_churn_ratio: churn,
  accuracy_abs: accuracy,
  say_do_ratio: sprintRatio(
    howMany((one) => isCommitted(one) && one.isCompleted),
    howMany(isCommitted),
  ),
  say_do_with_added: sprintRatio(howMany(isCompleted), howMany(isCommitted)),
  sprint_problematic_score: { fact: "members", time: closed, gap: null, number: score },
};

/** Scores of the (sprint, project) pairs of the group, aggregated; `<component>_z` is the mean of that component. */
function score(rows: readonly Row[], agg: string, data: Data): number | null {
  const pairs = componentScores(rows, data);
  const component = /^(.*)_z$/.exec(agg)?.[1];
  if (component !== undefined) return mean(pairs.flatMap((pair) => pair.components[component] ?? []));
  return aggregate(
    agg,
    pairs.map((pair) => pair.score),
  );
}

export function metricOf(name: string): Metric {
  return must(METRICS[name], `the evaluator's ${name}`);
}

export const METRIC_NAMES: readonly string[] = [...Object.keys(METRICS), "net_flow"];
