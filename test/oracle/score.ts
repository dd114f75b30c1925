import { must } from "../../src/must.ts";
import type { Member } from "./memberships.ts";
import { mean, ratio } from "./numbers.ts";
import type { Data, Row } from "./rows.ts";

/** A (sprint, project) pair's z by component, where known, and their weighted mean. */
export interface PairScore {
  readonly score: number | null;
  readonly components: Readonly<Record<string, number>>;
}

const WEIGHTS: Record<string, number> = { spillover: 0.25, churn: 0.2, accuracy: 0.2, reopens: 0.15, blocked: 0.1, bugs: 0.1 };

/** The pairs that the rows belong to, each held against all closed pairs of its instance. */
export function componentScores(rows: readonly Row[], data: Data): PairScore[] {
  const pairs = pairsOf(rows.map((row) => must(row.member, "a membership")));
  return pairs.map((pair) => {
    const instanceId = must(pair[0], "a member").life.instanceId;
    const baseline = pairsOf(data.members.filter((one) => one.life.instanceId === instanceId && one.sprint.state === "closed")).map(raw);
    return scoreOf(raw(pair), baseline);
  });
}

function pairsOf(members: readonly Member[]): Member[][] {
  return [...Map.groupBy(members, (one) => `${one.sprintId} ${one.life.record.projectKey}`).values()];
}

type Raw = Readonly<Record<string, number | null>>;

function raw(members: readonly Member[]): Raw {
  const kept = members.filter((one) => !one.wasResolvedBefore);
  const counted = kept.filter((one) => one.isFinal);
  const committed = kept.filter((one) => one.isCommitted);
  const completed = counted.filter((one) => one.isCompleted);
  const changed = kept.filter((one) => one.isAdded).length + kept.filter((one) => one.isRemoved).length;
  const isEstimated = members.some((one) => one.life.record.storyPoints !== null);
  const size = (some: readonly Member[]): number => (isEstimated ? total(some, (one) => one.life.record.storyPoints ?? 0) : some.length);
  return {
    spillover: ratio(counted.length - completed.length, counted.length),
    churn: ratio(changed, committed.length),
    accuracy: ratio(Math.abs(size(completed) - size(committed)), size(committed)),
    reopens: ratio(
      total(counted, (one) => one.reopens),
      counted.length,
    ),
    blocked: ratio(
      total(counted, (one) => one.blockedHours),
      counted.length,
    ),
    bugs: ratio(
      total(counted, (one) => (one.life.isBug ? 1 : 0)),
      counted.length,
    ),
  };
}

function total(members: readonly Member[], value: (one: Member) => number): number {
  return members.reduce((all, one) => all + value(one), 0);
}

function scoreOf(own: Raw, baseline: readonly Raw[]): PairScore {
  const components: Record<string, number> = {};
  for (const name of Object.keys(WEIGHTS)) {
    const z = zOf(
      own[name] ?? null,
      baseline.map((pair) => pair[name] ?? null).filter((value) => value !== null),
    );
    if (z !== null) components[name] = z;
  }
  const weigh = (value: (name: string) => number): number => Object.keys(components).reduce((all, name) => all + value(name), 0);
  const weight = weigh((name) => must(WEIGHTS[name], name));
  return {
    components,
    score: ratio(
      weigh((name) => must(WEIGHTS[name], name) * must(components[name], name)),
      weight,
    ),
  };
}

/** How many population standard deviations above the mean, clipped to ±3; against what never varies only its like has a place. */
function zOf(value: number | null, all: readonly number[]): number | null {
  const middle = mean(all);
  if (value === null || middle === null) return null;
  const deviation = Math.sqrt(mean(all.map((one) => (one - middle) ** 2)) ?? 0);
  if (deviation < 1e-12) return Math.abs(value - middle) < 1e-12 ? 0 : null;
  return Math.max(-3, Math.min(3, (value - middle) / deviation));
}
