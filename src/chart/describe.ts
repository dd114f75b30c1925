import type { Choice } from "./choose.ts";
import { type Field, type Frame, numberAt } from "./field.ts";
import { bucketText, formatOf, labelOf, measureTitle, numberText } from "./words.ts";

/** A chart in words: its kind, what it is of, and for each measure the ends of its range and the newest. */
export function describe(frame: Frame, { type, roles }: Choice, title: string): string {
  const shown = roles.y.filter(({ role }) => role === "measure").slice(0, 3);
  const kind = type.replaceAll("_", " ");
  const sentences = shown.map((field) => rangeOf(frame, field)).filter((sentence) => sentence !== "");
  return [
    `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)} chart: ${title}.`,
    `${frame.rows.length} ${frame.rows.length === 1 ? "row" : "rows"}.`,
    ...sentences,
  ].join(" ");
}

function rangeOf(frame: Frame, field: Field): string {
  const found = frame.rows.flatMap((row, index) => {
    const value = numberAt(row, field);
    return value === null ? [] : [{ value, index }];
  });
  const [first] = found;
  if (first === undefined) return `${measureTitle(field)} has no values.`;
  const format = formatOf(
    field.unit,
    found.map(({ value }) => value),
  );
  const low = found.reduce((least, one) => (one.value < least.value ? one : least), first);
  const high = found.reduce((most, one) => (one.value > most.value ? one : most), first);
  const said = ({ value, index }: { value: number; index: number }): string => `${numberText(value, format)}${place(frame, index)}`;
  if (found.length === 1) return `${measureTitle(field)}: ${said(first)}.`;
  const time = frame.fields.find(({ role }) => role === "time");
  const isOneSeries = time !== undefined && frame.fields.every(({ role }) => role !== "dimension");
  const last = found.at(-1);
  const newest = isOneSeries && last !== undefined ? `, last ${said(last)}` : "";
  return `${measureTitle(field)} from ${said(low)} to ${said(high)}${newest}.`;
}

/** Which row a number is of. */
function place({ fields, rows, grain }: Frame, index: number): string {
  const names = fields
    .filter(({ role }) => role === "time" || role === "dimension")
    .map((field) => {
      const cell = rows[index]?.[field.index] ?? null;
      return field.role === "time" && grain !== null ? bucketText(String(cell), grain) : labelOf(cell);
    });
  return names.length === 0 ? "" : ` (${names.join(", ")})`;
}
