/** Milliseconds. */
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const SPRINT_DAYS = 14;
/** A month as the stories count it. */
export const MONTH = 30.44 * DAY;

/** Start of a sprint of the demo: a Monday, 09:00 UTC. */
export interface SprintSpan {
  readonly startMs: number;
  /** Planned end: Friday of the second week, 16:00. */
  readonly endMs: number;
  /** When the team really closed it: within the hours after. */
  readonly completeMs: number;
}

/** The sprints that begin within `months` before `nowMs`, and the one that follows the running one. */
export function sprintSpans(nowMs: number, months: number): SprintSpan[] {
  const firstMs = mondayBefore(nowMs - months * MONTH);
  const spans: SprintSpan[] = [];
  for (let startMs = firstMs; startMs < nowMs + SPRINT_DAYS * DAY; startMs += SPRINT_DAYS * DAY) {
    const endMs = startMs + 11 * DAY + 7 * HOUR;
    spans.push({ startMs, endMs, completeMs: endMs + HOUR + ((startMs / DAY) % 50) * 60_000 });
  }
  return spans;
}

function mondayBefore(ms: number): number {
  const midnight = Math.floor(ms / DAY) * DAY;
  const weekday = (new Date(midnight).getUTCDay() + 6) % 7;
  return midnight - weekday * DAY + 9 * HOUR;
}

/** The same moment, moved out of nights and weekends; never earlier, but two moments may change places. */
export function workingTime(ms: number): number {
  let moved = ms;
  const hour = Math.floor((moved % DAY) / HOUR);
  if (hour >= 18) moved += 15 * HOUR;
  else if (hour < 8) moved += (9 - hour) * HOUR;
  const weekday = new Date(moved).getUTCDay();
  if (weekday === 6) moved += 2 * DAY;
  if (weekday === 0) moved += DAY;
  return moved;
}

/** ISO UTC of whole seconds. */
export function isoOf(ms: number): string {
  return new Date(Math.round(ms / 1000) * 1000).toISOString();
}
