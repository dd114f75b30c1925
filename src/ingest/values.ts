import type { Intake, StatusCategory } from "./source.ts";

/** A JSON object of unknown shape. */
export type JsonObject = { readonly [key: string]: unknown };

/** Narrows to a JSON object; arrays are none. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value that the row cannot do without or that would falsify it; the row is refused with this message. */
export class RowProblem extends Error {
  override readonly name = "RowProblem";
}

/** Text as PostgreSQL can hold it: NUL removed, lone surrogates replaced by U+FFFD. */
export function cleanText(text: string): string {
  const withoutNul = text.includes("\0") ? text.replaceAll("\0", "") : text;
  return withoutNul.isWellFormed() ? withoutNul : withoutNul.toWellFormed();
}

/** Clean text; numbers and booleans as written; null for anything else and for blank text. */
export function textOf(value: unknown): string | null {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") return null;
  const text = cleanText(value);
  return text.trim() === "" ? null : text;
}

/** Longest name, key or id in characters: names are indexed, and an index entry has its limit. */
export const MAX_NAME_CHARS = 500;

/** As `textOf`, without surrounding space, cut at MAX_NAME_CHARS: for ids and names. */
export function nameOf(value: unknown): string | null {
  const name = textOf(value)?.trim() ?? null;
  return name === null || name.length <= MAX_NAME_CHARS ? name : cleanText(`${name.slice(0, MAX_NAME_CHARS - 1)}…`);
}

/** The names in a list of texts or of objects with a `name` (or `value`); without repetition. */
export function namesOf(value: unknown): string[] {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value];
  const names = new Set<string>();
  for (const entry of entries) {
    const name = isObject(entry) ? nameOf(entry["name"] ?? entry["value"]) : nameOf(entry);
    if (name !== null) names.add(name);
  }
  return [...names];
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/** First and last year an instant may have; anything else is a typing error that would cost a partition each. */
export const FIRST_YEAR = 1970;
export const LAST_YEAR = 2199;

/** The parts of a moment, as a calendar and a clock show them; month from 1. */
export interface MomentParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
  /** Minutes by which the clock is ahead of UTC. */
  readonly offsetMinutes: number;
}

/** The moment as ISO UTC, or null when no calendar has it or its year is out of range. */
export function momentOf(parts: MomentParts): string | null {
  const { year, month, day, hour, minute, second } = parts;
  if (hour > 24 || minute > 59 || second > 60) return null;
  const date = Date.UTC(year, month - 1, day);
  const check = new Date(date);
  if (check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day) return null;
  const moment = new Date(date + ((hour * 60 + minute - parts.offsetMinutes) * 60 + second) * 1000 + parts.millisecond);
  return moment.getUTCFullYear() >= FIRST_YEAR && moment.getUTCFullYear() <= LAST_YEAR ? moment.toISOString() : null;
}

function offsetMinutesOf(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const digits = zone.replace(":", "");
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3, 5) || "0");
  return digits.startsWith("-") ? -minutes : minutes;
}

/** ISO 8601 text (any offset, none = UTC) → the same instant as ISO UTC with milliseconds; null when it is none. */
export function instantOf(text: string): string | null {
  const match = ISO.exec(text.trim());
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map((part) => Number(part ?? "0"));
  const millisecond = Number((match[7] ?? "0").padEnd(3, "0").slice(0, 3));
  return momentOf({ year, month, day, hour, minute, second, millisecond, offsetMinutes: offsetMinutesOf(match[8]) });
}

/** An optional instant of a row. Throws RowProblem naming the field when it is there but unreadable. */
export function instantField(value: unknown, field: string): string | null {
  if (value === null || value === undefined || value === "") return null;
  const instant = typeof value === "string" ? instantOf(value) : null;
  if (instant === null) throw new RowProblem(`${field} is not a date: ${shown(value)}`);
  return instant;
}

/** An instant that a row must have. Throws RowProblem. */
export function requiredInstant(value: unknown, field: string): string {
  const instant = instantField(value, field);
  if (instant === null) throw new RowProblem(`${field} is missing`);
  return instant;
}

/** A key or name that a row must have, whole. Throws RowProblem. */
export function requiredName(value: unknown, field: string): string {
  const name = textOf(value)?.trim() ?? null;
  if (name === null) throw new RowProblem(`${field} is missing`);
  if (name.length > MAX_NAME_CHARS) throw new RowProblem(`${field} is longer than ${MAX_NAME_CHARS} characters`);
  return name;
}

/** Story points; numeric text counts as a number, negative and unreadable values as unknown; both are reported. */
export function pointsOf(value: unknown, place: string, intake: Intake): number | null {
  if (value === null || value === undefined || value === "") return null;
  let points = value;
  if (typeof points === "string" && /^\s*[+-]?(\d+([.,]\d+)?|[.,]\d+)\s*$/.test(points)) {
    points = Number(points.replace(",", "."));
    intake.warn("story points given as text were read as numbers", place);
  }
  if (typeof points !== "number" || !Number.isFinite(points)) {
    intake.warn("story points that are no number were read as unknown", place);
    return null;
  }
  if (points < 0) {
    intake.warn("negative story points were read as unknown", place);
    return null;
  }
  return points;
}

const CATEGORIES: ReadonlyMap<string, StatusCategory> = new Map([
  ["new", "new"],
  ["to do", "new"],
  ["todo", "new"],
  ["undefined", "new"],
  ["indeterminate", "in_progress"],
  ["in_progress", "in_progress"],
  ["in progress", "in_progress"],
  ["done", "done"],
  ["complete", "done"],
]);

/** A tracker's word for a status category → ours; null when it is none of them. */
export function categoryOf(value: unknown): StatusCategory | null {
  return typeof value === "string" ? (CATEGORIES.get(value.trim().toLowerCase()) ?? null) : null;
}

/** The project part of an issue key (`ABC-12` → `ABC`), else null. */
export function projectOfKey(key: string): string | null {
  return /^(.+)-\d+$/.exec(key)?.[1] ?? null;
}

/** A value as a report shows it: short, on one line. */
export function shown(value: unknown): string {
  const text = cleanText(typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
