import type { Grain } from "../spec/spec.ts";
import { type Context, firstInstantOf } from "./context.ts";
import { type Sql, sql, value } from "./fragment.ts";

/**
 * A pass over the facts: the buckets of the asked period, those of the period compared with, or one bucket over everything
 * for the totals. Each has a spine (one row a bucket) and its edges (one row of sorted arrays).
 */
export type Pass = "current" | "previous" | "total" | "total_previous";

const STEP: Record<Grain, string> = { day: "1 day", week: "7 days", month: "1 month", quarter: "3 months", year: "1 year" };

/** Whether the first and the last bucket have to be found in the data. */
export function needsBounds({ plan }: Context): boolean {
  return plan.time.grain !== null && (plan.time.from === null || plan.time.to === null);
}

/**
 * Rows of a spine. Buckets are made in local time, so that they follow DST; their edges are instants.
 * Columns: spine_i, spine_bucket (date), spine_first and spine_next (local), spine_start and spine_end (instants),
 * spine_instant and spine_cover (state is taken just before spine_cover), spine_partial.
 */
export function spineRows(context: Context, pass: Pass): Sql {
  if (pass === "current") return withInstants(context, currentBuckets(context));
  if (pass === "total") {
    // Without buckets nothing counts: a missing end would reach to the end of the data.
    const edge = (side: Sql): Sql => sql`coalesce(${side}, '-infinity'::timestamp)`;
    return withInstants(
      context,
      sql`select 1 as spine_i, null::date as spine_bucket, ${edge(sql`min(spine_first)`)} as spine_first, ${edge(sql`max(spine_next)`)} as spine_next, false as spine_cut from current_spine`,
    );
  }
  const first = movedBack(context, sql`spine_first`);
  const next = movedBack(context, sql`spine_next`);
  // A day is held against one day, also where the earlier month is longer.
  const end = mayLeaveGaps(context, pass) ? sql`least(${next}, ${first} + (spine_next - spine_first))` : next;
  const source = pass === "previous" ? sql`current_spine` : sql`total_spine`;
  return withInstants(
    context,
    sql`select spine_i, spine_bucket, ${first} as spine_first, ${end} as spine_next, false as spine_cut from ${source}`,
  );
}

/**
 * A local time as far back as the plan compares. A day that the earlier month does not have (the 31st, or 29 February) becomes the
 * day after that month's last, so that its bucket is empty rather than a second 28 February.
 */
function movedBack({ plan }: Context, local: Sql): Sql {
  const { shift } = plan.time;
  if (shift === null) throw new Error("the plan compares nothing");
  if ("days" in shift) return sql`(${local} - ${value(`${shift.days} days`, "interval")})`;
  const months = value(`${shift.months} months`, "interval");
  return sql`(${local} - ${months} + case when ${local} - ${months} + ${months} <> ${local} then interval '1 day' else interval '0' end)`;
}

/** Whether the buckets compared with may leave days between them: those that a month has more than the asked one. */
export function mayLeaveGaps({ plan }: Context, pass: Pass): boolean {
  const { grain, shift } = plan.time;
  return pass === "previous" && (grain === "day" || grain === "week") && shift !== null && "months" in shift;
}

/** The buckets of the asked period in local time; the first and last cut to the period. */
function currentBuckets(context: Context): Sql {
  const { grain, from, to } = context.plan.time;
  const lower = from === null ? sql`'-infinity'::timestamp` : value(from, "timestamp");
  const upper = to === null ? sql`'infinity'::timestamp` : value(to, "timestamp");
  if (grain === null) {
    return sql`select 1 as spine_i, null::date as spine_bucket, ${lower} as spine_first, ${upper} as spine_next, false as spine_cut`;
  }
  const step = value(STEP[grain], "interval");
  const localBound = (side: Sql): Sql => sql`((select ${side} from bounds) at time zone ${context.timezone})`;
  const first = truncated(context, grain, from === null ? localBound(sql`lo`) : lower);
  const last = to === null ? localBound(sql`hi`) : sql`(${upper} - interval '1 microsecond')`;
  return sql`select (row_number() over (order by bucket))::int as spine_i, bucket::date as spine_bucket,
    greatest(bucket, ${lower}) as spine_first, least(bucket + ${step}, ${upper}) as spine_next,
    bucket < ${lower} or bucket + ${step} > ${upper} as spine_cut
  from generate_series(${first}, ${last}, ${step}) as bucket`;
}

/** Start of the bucket that holds a local time; weeks start on the tenant's day. */
function truncated({ plan }: Context, grain: Grain, local: Sql): Sql {
  const name = value(grain, "text");
  if (grain !== "week" || plan.weekStart === 1) return sql`date_trunc(${name}, ${local})`;
  const days = value(`${plan.weekStart - 1} days`, "interval");
  return sql`(date_trunc(${name}, ${local} - ${days}) + ${days})`;
}

function withInstants(context: Context, buckets: Sql): Sql {
  return sql`select b.*, e.spine_start, e.spine_end, least(e.spine_end, s.data_as_of) as spine_instant,
    least(e.spine_end, s.data_as_of + interval '1 microsecond') as spine_cover,
    b.spine_cut or e.spine_end > s.data_as_of as spine_partial
  from (${buckets}) as b
  cross join lateral (select ${firstInstantOf(context, sql`b.spine_first`)} as spine_start, ${firstInstantOf(context, sql`b.spine_next`)} as spine_end) as e
  left join state as s on true`;
}

/** The spine's edges as sorted arrays, so that a row finds its bucket by binary search (width_bucket). */
export function edgeRows(spine: Sql): Sql {
  return sql`select array_agg(spine_start order by spine_i) as starts, array_agg(spine_end order by spine_i) as ends, array_agg(spine_cover order by spine_i) as covers,
    min(spine_start) as lo, max(spine_end) as hi, count(*)::int as n from ${spine}`;
}

/** Name of a pass's spine or edges. */
export function passName(pass: Pass, part: "spine" | "edges"): Sql {
  const names: Record<Pass, { spine: Sql; edges: Sql }> = {
    current: { spine: sql`current_spine`, edges: sql`current_edges` },
    previous: { spine: sql`previous_spine`, edges: sql`previous_edges` },
    total: { spine: sql`total_spine`, edges: sql`total_edges` },
    total_previous: { spine: sql`total_previous_spine`, edges: sql`total_previous_edges` },
  };
  return names[pass][part];
}

/** Whether a pass has more than one bucket to tell apart. */
export function hasBuckets({ plan }: Context, pass: Pass): boolean {
  return plan.time.grain !== null && (pass === "current" || pass === "previous");
}

/** Whether rows are held to a period at all. */
export function isBounded({ plan }: Context): boolean {
  return plan.time.grain !== null || plan.time.from !== null || plan.time.to !== null;
}
