import type { SourceRecord } from "../../src/ingest/source.ts";
import type { World } from "../oracle/world.ts";

/** What stands in every text of the tenant that must not be seen. */
export const MARK = "bsecret";

/** The same keys, ids and instances; every other text with the mark. */
export function marked(world: World, prefix: string): World {
  const mark = (text: string | null): string | null => (text === null ? null : `${prefix} ${text}`);
  const all = (texts: readonly string[]): string[] => texts.map((text) => `${prefix} ${text}`);
  const markRecord = (record: SourceRecord): SourceRecord => {
    switch (record.kind) {
      case "project":
        return { ...record, name: mark(record.name) };
      case "status":
        return { ...record, name: `${prefix} ${record.name}` };
      case "sprint":
        return { ...record, name: mark(record.name), boardId: mark(record.boardId) };
      case "event":
        return record.field === "status" ? { ...record, from: mark(record.from), to: mark(record.to) } : record;
      case "sprint_issue":
        return record;
      case "issue":
        return {
          ...record,
          type: mark(record.type),
          priority: mark(record.priority),
          status: mark(record.status),
          resolution: mark(record.resolution),
          assignee: mark(record.assignee),
          reporter: mark(record.reporter),
          summary: mark(record.summary),
          epicKey: mark(record.epicKey),
          labels: all(record.labels),
          components: all(record.components),
          fixVersions: all(record.fixVersions),
        };
    }
  };
  return { ...world, instances: world.instances.map((one) => ({ ...one, records: one.records.map(markRecord) })) };
}
