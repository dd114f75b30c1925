import type { Compare, Grain, Range } from "../../src/spec/spec.ts";

/** Local calendar days as 'YYYY-MM-DD' and what they are in instants (ms since 1970), read from Intl alone. */
const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const seen = new Map<string, string>();

/** The day that a clock on the wall of `zone` shows at an instant. */
export function localDate(ms: number, zone: string): string {
  const key = `${zone} ${ms}`;
  const known = seen.get(key);
  if (known !== undefined) return known;
  const format =
    formats.get(zone) ?? new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  formats.set(zone, format);
  const date = format.format(ms);
  seen.set(key, date);
  return date;
}

const starts = new Map<string, number>();

/** The first instant at which the wall clock shows `date` or a later day. */
export function startOfDay(date: string, zone: string): number {
  const key = `${zone} ${date}`;
  const known = starts.get(key);
  if (known !== undefined) return known;
  let before = utc(date) - 2 * DAY_MS;
  let after = utc(date) + 2 * DAY_MS;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (localDate(middle, zone) >= date) after = middle;
    else before = middle;
  }
  starts.set(key, after);
  return after;
}

const utc = (date: string): number => Date.parse(`${date}T00:00:00Z`);
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export function addDays(date: string, days: number): string {
  return dateOf(utc(date) + days * DAY_MS);
}

/** Months later; the 31st becomes the last day of a shorter month. */
export function addMonths(date: string, months: number): string {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  const lastDay = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return dateOf(Date.UTC(year, month - 1 + months, Math.min(day, lastDay)));
}

export function daysBetween(from: string, to: string): number {
  return Math.round((utc(to) - utc(from)) / DAY_MS);
}

/** First day of the calendar unit that `date` is in; `weekStart` is an ISO day, 1 Monday … 7 Sunday. */
export function floorTo(date: string, grain: Grain, weekStart: number): string {
  if (grain === "day") return date;
  if (grain === "week") return addDays(date, -((new Date(utc(date)).getUTCDay() - weekStart + 14) % 7));
  if (grain === "month") return `${date.slice(0, 7)}-01`;
  if (grain === "year") return `${date.slice(0, 4)}-01-01`;
  const quarter = Math.floor((Number(date.slice(5, 7)) - 1) / 3);
  return `${date.slice(0, 4)}-${String(quarter * 3 + 1).padStart(2, "0")}-01`;
}

export function nextUnit(date: string, grain: Grain): string {
  if (grain === "day") return addDays(date, 1);
  if (grain === "week") return addDays(date, 7);
  return addMonths(date, grain === "month" ? 1 : grain === "quarter" ? 3 : 12);
}

/** A span of days, `to` exclusive; null is without end. */
export interface Days {
  readonly from: string | null;
  readonly to: string | null;
}

/** What a named range means on the day `today`. */
export function rangeDays(range: Range, today: string, weekStart: number): Days {
  const tomorrow = addDays(today, 1);
  const rolling = /^last_(\d+)_(days|months)$/.exec(range);
  if (rolling?.[2] === "days") return { from: addDays(tomorrow, -Number(rolling[1])), to: tomorrow };
  if (rolling) return { from: addMonths(tomorrow, -Number(rolling[1])), to: tomorrow };
  if (range === "all") return { from: null, to: null };
  const [which, unit] = range.split("_") as ["this" | "last", Grain];
  const start = floorTo(today, unit, weekStart);
  if (which === "this") return { from: start, to: nextUnit(start, unit) };
  return { from: floorTo(addDays(start, -1), unit, weekStart), to: start };
}

/** A column of time in an answer: its label and the days it covers. */
export interface Bucket {
  readonly label: string | null;
  readonly days: Days;
}

/** Every bucket of a bounded span; the first and last are cut where the span cuts them. */
export function bucketsOf(from: string, to: string, grain: Grain, weekStart: number): Bucket[] {
  const buckets: Bucket[] = [];
  for (let start = floorTo(from, grain, weekStart); start < to; start = nextUnit(start, grain)) {
    const end = nextUnit(start, grain);
    buckets.push({ label: start, days: { from: start < from ? from : start, to: end > to ? to : end } });
  }
  return buckets;
}

/**
 * Moves a span back to the one it is compared with. A day that the earlier month lacks is empty; a bucket of days or weeks is
 * held against as many days, not against those the earlier month has more.
 */
export function earlier(span: Days, whole: Days, compare: Compare, grain: Grain | null): Days {
  const { move, byMonths } = mover(whole, compare, grain);
  const moved = { from: span.from === null ? null : move(span.from), to: span.to === null ? null : move(span.to) };
  const isDays = byMonths && (grain === "day" || grain === "week");
  if (!isDays || span.from === null || span.to === null || moved.from === null || moved.to === null) return moved;
  const sameLength = addDays(moved.from, daysBetween(span.from, span.to));
  return { from: moved.from, to: moved.to < sameLength ? moved.to : sameLength };
}

function mover({ from, to }: Days, compare: Compare, grain: Grain | null): { move: (date: string) => string; byMonths: boolean } {
  if (compare === "previous_year") return grain === "week" ? byDays(364) : byWholeMonths(12);
  if (from === null || to === null) throw new Error("a period without bounds has none before it");
  if (!from.endsWith("-01") || !to.endsWith("-01")) return byDays(daysBetween(from, to));
  return byWholeMonths((Number(to.slice(0, 4)) - Number(from.slice(0, 4))) * 12 + Number(to.slice(5, 7)) - Number(from.slice(5, 7)));
}

const byDays = (days: number) => ({ move: (date: string) => addDays(date, -days), byMonths: false });

const byWholeMonths = (months: number) => ({
  move: (date: string): string => {
    const moved = addMonths(date, -months);
    return addMonths(moved, months) === date ? moved : addDays(moved, 1);
  },
  byMonths: true,
});

/** The days as instants; without end they are infinite. */
export function instants({ from, to }: Days, zone: string): { readonly startMs: number; readonly endMs: number } {
  return {
    startMs: from === null ? Number.NEGATIVE_INFINITY : startOfDay(from, zone),
    endMs: to === null ? Number.POSITIVE_INFINITY : startOfDay(to, zone),
  };
}
