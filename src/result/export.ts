import { safeCsv, safeCsvRows } from "./csv.ts";
import type { Result } from "./result.ts";

/** Files that a result can be taken away as, and their media types. */
export const EXPORT_TYPES = {
  csv: "text/csv; charset=utf-8",
  json: "application/json",
  parquet: "application/vnd.apache.parquet",
} as const;

export type ExportFormat = keyof typeof EXPORT_TYPES;

/** Writes one result as a file, page by page; the same pages make the same bytes. */
export interface ExportWriter {
  /** The bytes that the next page adds. */
  page(page: Result): Uint8Array;
  /** The bytes after the last page. */
  end(): Uint8Array;
  /** Goes on as if so many rows had been written; absent where what comes later depends on their bytes. */
  skip?(rows: number): void;
}

const encoder = new TextEncoder();

/** A writer for a result with this first page, which is not written by that yet. */
export async function exportWriter(format: ExportFormat, { data, meta }: Result): Promise<ExportWriter> {
  // How long an answer is cached counts down, and a file must not change.
  const first = { data, meta: { ...meta, cache_ttl: 0 } };
  if (format === "csv") return csvWriter();
  if (format === "json") return jsonWriter(first);
  // Loaded when somebody asks for it.
  const { parquetWriter } = await import("./parquet.ts");
  return parquetWriter(first);
}

function csvWriter(): ExportWriter {
  let isBegun = false;
  return {
    page: ({ data: { columns, rows } }) => {
      const names = columns.map(({ name }) => name);
      const text = isBegun ? safeCsvRows(rows) : safeCsv(names, rows);
      isBegun = true;
      return encoder.encode(text);
    },
    end: () => new Uint8Array(),
    skip: () => {
      isBegun = true;
    },
  };
}

/** The envelope of CONTRACT.md section 5 with all rows. */
function jsonWriter({ data, meta }: Result): ExportWriter {
  const { rows: _rows, truncated: _truncated, next_cursor: _cursor, ...rest } = data;
  let before = `{"success":true,"data":${JSON.stringify(rest).slice(0, -1)},"rows":[`;
  let written = 0;
  return {
    page: ({ data: { rows } }) => {
      const text = before + rows.map((row) => JSON.stringify(row)).join(",");
      written += rows.length;
      before = written === 0 ? "" : ",";
      return encoder.encode(text);
    },
    end: () => encoder.encode(`],"truncated":${written < data.total},"next_cursor":null},"meta":${JSON.stringify(meta)}}`),
    skip: (rows) => {
      written = rows;
      before = ",";
    },
  };
}
