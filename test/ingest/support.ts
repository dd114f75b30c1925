import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import { IntakeLog } from "../../src/ingest/intake.ts";
import type { Source, SourceRecord } from "../../src/ingest/source.ts";

/** A folder of the shared real data; null where this checkout has none, which CI does not accept. */
export function sharedData(path: string): string | null {
  const folder = resolve(import.meta.dirname, "../../../shared/data", path);
  if (existsSync(folder)) return folder;
  if (process.env["CI"] === "true") throw new Error(`the shared data is required where CI=true: ${path}`);
  return null;
}

/** Files in a folder that goes when the test is done. */
export function temporaryFiles(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "metricgate-ingest-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** All that a source yields, by kind, with what it refused. */
export async function readAll(source: Source) {
  const log = new IntakeLog();
  const records: SourceRecord[] = [];
  for await (const record of source.read(log)) records.push(record);
  const of = <K extends SourceRecord["kind"]>(kind: K) =>
    records.filter((record): record is Extract<SourceRecord, { kind: K }> => record.kind === kind);
  return { log, records, of, warnings: log.warnings.map(({ message }) => message) };
}

/** A source of given records. */
export function sourceOf(records: Iterable<SourceRecord>): Source {
  return {
    kind: "neutral",
    async *read() {
      yield* records;
    },
  };
}

/** A file of this suite's own samples. */
export function fixture(name: string): string {
  return resolve(import.meta.dirname, "../fixtures/ingest", name);
}

/** NDJSON. */
export function lines(...rows: readonly unknown[]): string {
  return rows.map((row) => JSON.stringify(row)).join("\n");
}
