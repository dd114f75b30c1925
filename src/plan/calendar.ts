import type { Grain, Range, SpecTime } from "../spec/spec.ts";

/** A day of the calendar as 'YYYY-MM-DD'; arithmetic is on the calendar, so no zone is involved. */
type Day = string;

const MINUTE_MS = 60_000;
const formatters = new Map<string, Intl.DateTimeFormat>();
const latest = new Map<string, { readonly minute: number; readonly day: Day }>();

/**
 * Today in `timezone`, a canonical zone name: there are some hundred, so their formatters are kept, and each one's latest day, which
 * holds for its minute (offsets from UTC are whole minutes since 1972).
 */
export function dayIn(timezone: string, now: Date): Day {
  const minute = Math.floor(now.getTime() / MINUTE_MS);
  const known = latest.get(timezone);
  if (known?.minute === minute) return known.day;
  const formatter =
    formatters.get(timezone) ?? new Intl.DateTimeFormat("en-CA", { timeZone: timezone, year: "numeric", month: "2-digit", day: "2-digit" });
  formatters.set(timezone, formatter);
  const day = formatter.format(now);
  latest.set(timezone, { minute, day });
  return day;
}

export function addDays(day: Day, days: number): Day {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** As PostgreSQL adds months: the day of the month is cut to the month's last. */
export function addMonths(day: Day, months: number): Day {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  const first = new Date(Date.UTC(2000, 0, 1));
  first.setUTCFullYear(year, month - 1 + months, 1);
  const last = new Date(first);
  last.setUTCMonth(last.getUTCMonth() + 1, 0);
  first.setUTCDate(Math.min(date, last.getUTCDate()));
  return first.toISOString().slice(0, 10);
}

/** First day of the bucket that holds `day`. */
export function startOf(grain: Grain, day: Day, weekStart: number): Day {
  const [year = "", month = "01"] = day.split("-");
  if (grain === "day") return day;
  if (grain === "year") return `${year}-01-01`;
  if (grain === "month") return `${year}-${month}-01`;
  if (grain === "quarter") return `${year}-${String(Math.floor((Number(month) - 1) / 3) * 3 + 1).padStart(2, "0")}-01`;
  const isoDay = new Date(`${day}T00:00:00Z`).getUTCDay() || 7;
  return addDays(day, -((isoDay - weekStart + 7) % 7));
}

export function addGrain(grain: Grain, day: Day, count: number): Day {
  if (grain === "day") return addDays(day, count);
  if (grain === "week") return addDays(day, 7 * count);
  return addMonths(day, count * { month: 1, quarter: 3, year: 12 }[grain]);
}

/** First day and day after the last of a named range. `last_7_days` and the like end with today; `this_…` and `last_…` are whole. */
export function rangeDays(range: Range, today: Day, weekStart: number): { from: Day | null; to: Day | null } {
  const tomorrow = addDays(today, 1);
  const counted = /^last_(\d+)_(days|months)$/.exec(range);
  if (counted) {
    const count = Number(counted[1]);
    return { from: counted[2] === "days" ? addDays(tomorrow, -count) : addMonths(tomorrow, -count), to: tomorrow };
  }
  const whole = /^(this|last)_(week|month|quarter|year)$/.exec(range);
  if (whole) {
    const grain = whole[2] as Grain;
    const current = startOf(grain, today, weekStart);
    const from = whole[1] === "this" ? current : addGrain(grain, current, -1);
    return { from, to: addGrain(grain, from, 1) };
  }
  return { from: null, to: null };
}

/** Length of [from, to): whole months where both fall on a first of a month, else days. */
export function spanOf(from: Day, to: Day): { months: number } | { days: number } {
  if (from.endsWith("-01") && to.endsWith("-01")) {
    const [fromYear = 0, fromMonth = 0] = from.split("-").map(Number);
    const [toYear = 0, toMonth = 0] = to.split("-").map(Number);
    return { months: (toYear - fromYear) * 12 + toMonth - fromMonth };
  }
  return { days: (Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000 };
}

/** How many buckets [from, to) touches. */
export function bucketCount(grain: Grain, from: Day, to: Day, weekStart: number): number {
  const days = (Date.parse(to) - Date.parse(startOf(grain, from, weekStart))) / 86_400_000;
  return Math.ceil(days / { day: 1, week: 7, month: 28, quarter: 90, year: 365 }[grain]);
}

/** How far back the compared period of a spec lies; weeks keep their days by going back 52 of them. */
export function shiftOf(time: SpecTime, from: Day | null, to: Day | null): { months: number } | { days: number } | null {
  if (time.compare === "none") return null;
  if (time.compare === "previous_year") return time.grain === "week" ? { days: 364 } : { months: 12 };
  return from === null || to === null ? null : spanOf(from, to);
}
