import type { Cell } from "../result/result.ts";
import type { Grain } from "../spec/spec.ts";
import { FACES } from "./inter-advances.ts";

// Controls, halves of characters, line separators, what turns the direction of text, and what XML cannot hold.
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/gu;
const MAX_LABEL = 200;

/** Text from the data as it may stand in a picture: on one line, without hidden characters, bounded. */
export function cleanText(text: string): string {
  const clean = text.replace(UNFIT, " ").replace(/\s+/g, " ").trim();
  return clean.length > MAX_LABEL ? `${Array.from(clean).slice(0, MAX_LABEL).join("")}…` : clean;
}

/** A group's name in a picture. */
export function labelOf(cell: Cell): string {
  if (cell === null) return "(none)";
  const text = cleanText(String(cell));
  return text === "" ? "(empty)" : text;
}

/** Names of distinct values, distinct themselves also where only hidden characters told the values apart. */
export function labelsOf(cells: readonly Cell[]): Map<Cell, string> {
  const used = new Map<string, number>();
  return new Map(
    cells.map((cell) => {
      const label = labelOf(cell);
      const times = (used.get(label) ?? 0) + 1;
      used.set(label, times);
      return [cell, times === 1 ? label : `${label} (${times})`];
    }),
  );
}

/** Width in px of text in the bundled typeface. */
export function widthOf(
  text: string,
  { size = 11, isSemiBold = false }: { readonly size?: number; readonly isSemiBold?: boolean } = {},
): number {
  const face = isSemiBold ? FACES.semiBold : FACES.regular;
  let units = 0;
  for (const character of text) units += face.advances.get(character.codePointAt(0) ?? 0) ?? fallbackAdvance(character);
  return (units * size) / face.unitsPerEm;
}

/** Characters that the typeface lacks: wide for those that are wide in any. */
function fallbackAdvance(character: string): number {
  const { unitsPerEm } = FACES.regular;
  return /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Extended_Pictographic}]/u.test(character)
    ? unitsPerEm
    : unitsPerEm * 0.6;
}

/** Text cut to a width in px, with an ellipsis where something is left out. */
export function fitted(text: string, widthPx: number, options: { readonly size?: number; readonly isSemiBold?: boolean } = {}): string {
  if (widthOf(text, options) <= widthPx) return text;
  const characters = Array.from(text);
  while (characters.length > 1 && widthOf(`${characters.join("")}…`, options) > widthPx) characters.pop();
  return `${characters.join("").trimEnd()}…`;
}

/** Text on several lines of at most `widthPx`; what does not fit `maxLines` is cut. */
export function wrapped(
  text: string,
  {
    widthPx,
    maxLines,
    ...font
  }: { readonly widthPx: number; readonly maxLines: number; readonly size?: number; readonly isSemiBold?: boolean },
): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || widthOf(longer, font) <= widthPx) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  const all = [...lines, line];
  const kept = all.slice(0, maxLines);
  if (all.length > maxLines) kept[maxLines - 1] = all.slice(maxLines - 1).join(" ");
  return kept.map((each) => fitted(each, widthPx, font));
}

/** Units in which there are no fractions of one. */
const COUNTED = new Set(["issues", "events"]);

/** How numbers of a unit are written, in d3's language: axes and labels. */
export function formatOf(unit: string | undefined, values: readonly number[]): string {
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (unit === "ratio") return largest > 0 && largest < 0.1 ? ".1%" : ".0%";
  if (unit === "z") return "+.2f";
  if (values.every(Number.isInteger)) return ",d";
  if (largest >= 100) return ",.0f";
  return largest >= 1 ? ",.1f" : ",.2f";
}

/** A number as `formatOf` has it, for text that we write ourselves; a leading + asks for the sign of what is above zero. */
export function numberText(value: number | null, format: string): string {
  if (value === null) return "–";
  const isShare = format.endsWith("%");
  const decimals = Number(/\.(\d)/.exec(format)?.[1] ?? 0);
  const size = Math.abs(isShare ? value * 100 : value);
  const text = formatter(decimals).format(size);
  return `${signOf(value, format, /[1-9]/.test(text))}${text}${isShare ? "%" : ""}`;
}

const formatters = new Map<number, Intl.NumberFormat>();

/** Kept: making one costs a hundred times what using it does. */
function formatter(decimals: number): Intl.NumberFormat {
  const made =
    formatters.get(decimals) ?? new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  formatters.set(decimals, made);
  return made;
}

/** What is written as zero has no sign. */
function signOf(value: number, format: string, isSeen: boolean): string {
  if (!isSeen) return "";
  if (value < 0) return "−";
  return format.startsWith("+") ? "+" : "";
}

export function isCounted(unit: string | undefined): boolean {
  return unit !== undefined && COUNTED.has(unit);
}

const UNIT_WORDS: Readonly<Record<string, string>> = { ratio: "%", z: "standard deviations" };

/** A measure's axis title: what it is, and in what. */
export function measureTitle({ label, unit }: { readonly label: string; readonly unit?: string }): string {
  if (unit === undefined) return cleanText(label);
  const word = UNIT_WORDS[unit] ?? unit;
  return cleanText(label).toLowerCase().includes(word) ? cleanText(label) : `${cleanText(label)} (${word})`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A bucket by its first day, for people. */
export function bucketText(day: string, grain: Grain): string {
  const [year = "", month = "1", date = "1"] = day.split("-");
  const name = MONTHS[Number(month) - 1] ?? "";
  switch (grain) {
    case "year":
      return year;
    case "quarter":
      return `Q${Math.floor((Number(month) - 1) / 3) + 1} ${year}`;
    case "month":
      return `${name} ${year}`;
    case "week":
      return `week of ${Number(date)} ${name} ${year}`;
    case "day":
      return `${Number(date)} ${name} ${year}`;
  }
}

/** 'YYYY-MM-DD' as milliseconds since 1970 in UTC: charts do arithmetic on the calendar, in no zone. */
export function millisecondsOf(day: string): number {
  return Date.parse(`${day.slice(0, 10)}T00:00:00Z`);
}
