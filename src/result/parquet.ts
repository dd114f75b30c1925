import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { ExportWriter } from "./export.ts";
import type { Cell, ColumnType, Result, ResultColumn } from "./result.ts";

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];

/** How each type of column is kept: dates and instants as such, numbers as doubles. */
const KEPT_AS: Readonly<Record<ColumnType, Pick<SchemaElement, "type" | "converted_type">>> = {
  string: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  number: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
  date: { type: "INT32", converted_type: "DATE" },
  timestamp: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
};

/** Where the numbers come from is kept in the file, as `metricgate`. Each page is a group of rows of its own. */
export function parquetWriter({ data: { columns }, meta }: Result): ExportWriter {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: "root", num_children: columns.length },
      ...columns.map(({ name, type }): SchemaElement => ({ name, repetition_type: "OPTIONAL", ...KEPT_AS[type] })),
    ],
    kvMetadata: [{ key: "metricgate", value: JSON.stringify(meta) }],
    createdBy: "metricgate",
  });
  const taken = (): Uint8Array => {
    const written = bytes.getBytes().slice();
    // What was handed over is not held; `offset` still counts it.
    bytes.index = 0;
    return written;
  };
  return {
    page: ({ data: { rows } }) => {
      if (rows.length > 0)
        void writer.write({
          columnData: columns.map((column, at) => ({ name: column.name, data: rows.map((row) => kept(row[at] ?? null, column)) })),
          rowGroupSize: rows.length,
        });
      return taken();
    },
    end: () => {
      void writer.finish();
      return taken();
    },
  };
}

function kept(cell: Cell, { type }: ResultColumn): Cell | Date {
  if (cell === null) return null;
  if (type === "date" || type === "timestamp") return new Date(String(cell));
  return type === "string" ? String(cell) : cell;
}
