import { addDays, bucketCount } from "./calendar.ts";
import type { Plan } from "./plan.ts";

/** First and last day that a tenant has data of. */
export interface DataSpan {
  readonly firstDay: string;
  readonly lastDay: string;
}

/** What is explained in place of a plan, because a planner can estimate it. */
export interface Probe {
  /** The plan with open ends of its period closed by the data's. */
  readonly closed: Plan;
  /** The same over one bucket: as many rows as there are groups. Null where nothing is grouped or one bucket is asked. */
  readonly groups: Plan | null;
  /** Buckets of the answer; 1 without a grain. */
  readonly buckets: number;
}

/** Closes what the plan leaves to the data: a planner takes a bound it cannot see for one that keeps out nearly everything. */
export function probeOf(plan: Plan, { firstDay, lastDay }: DataSpan): Probe {
  const { grain, compare } = plan.time;
  // A day of slack on both sides: the span is in UTC.
  const from = plan.time.from ?? addDays(firstDay, -1);
  const to = plan.time.to ?? addDays(lastDay, 2);
  const time = plan.time.from === null && plan.time.to === null && grain === null ? plan.time : { ...plan.time, from, to };
  const closed = { ...plan, time };
  const passes = compare === "none" ? 1 : 2;
  const buckets = grain === null ? 1 : Math.max(1, bucketCount(grain, from, to, plan.weekStart));
  const isGrid = buckets > 1 && plan.dimensions.length > 0;
  return {
    closed,
    groups: isGrid
      ? { ...closed, time: { ...time, grain: null, compare: "none", shift: null }, sort: [], having: [], totals: false, valueChecks: [] }
      : null,
    buckets: buckets * passes,
  };
}
