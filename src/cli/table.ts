import type { Cell, Result, ResultColumn } from "../result/result.ts";

/** A result as a table for people: numbers to the right, rounded to what can be read. */
export function resultTable({ data }: Result): string {
  const header = data.columns.map((column) =>
    column.unit === undefined || column.unit === "ratio" ? column.name : `${column.name} (${column.unit})`,
  );
  const rows = data.rows.map((row) => row.map((cell, index) => shown(cell, data.columns[index])));
  const totals = data.totals
    ? [data.totals.map((cell, index) => (index === 0 && cell === null ? "total" : cell === null ? "" : shown(cell, data.columns[index])))]
    : [];
  return textTable(
    header,
    [...rows, ...totals],
    data.columns.map((column) => column.type === "number"),
  );
}

/** Rows as aligned columns. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[], right: readonly boolean[] = []): string {
  const widths = header.map((name, index) => Math.max(name.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => (right[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return `${[line(header), rule, ...rows.map(line)].join("\n")}\n`;
}

function shown(cell: Cell, column: ResultColumn | undefined): string {
  if (cell === null) return "–";
  if (typeof cell !== "number") return String(cell).replaceAll(/[\p{Cc}\p{Cf}]/gu, " ");
  if (Number.isInteger(cell)) return String(cell);
  return cell.toFixed(column?.unit === "ratio" || column?.unit === "z" ? 3 : 1);
}
