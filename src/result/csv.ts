import type { Cell } from "./result.ts";

/** Rows as CSV (RFC 4180) that a spreadsheet opens as text: a cell that could be read as a formula gets an apostrophe. */
export function safeCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return safeCsvRows([header, ...rows]);
}

/** As `safeCsv`, further rows of a file that has its header. */
export function safeCsvRows(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map((cell) => quoted(guarded(cell))).join(",")}\r\n`).join("");
}

/** Numbers stay as they are, negative ones too. */
function guarded(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  return /^[\s\p{Cc}]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/u.test(cell) && !/^[+-]?\d+(\.\d+)?$/.test(cell) ? `'${cell}` : cell;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
