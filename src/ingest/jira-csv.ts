import { basename, relative } from "node:path";
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { csvInstant, orderShownBy } from "./csv-dates.ts";
import type { DayMonthOrder } from "./csv-dates.ts";
import { layoutOf } from "./csv-headers.ts";
import type { CsvField, CsvLayout } from "./csv-headers.ts";
import { inputFiles } from "./input-files.ts";
import { MAX_LINE_CHARS, readText } from "./read-lines.ts";
import type { Intake, IssueRecord, Source, SourceRecord, SprintRecord } from "./source.ts";
import { isSprintField, sprintsOf } from "./sprint-field.ts";
import { categoryOf, nameOf, pointsOf, projectOfKey, requiredName, RowProblem, shown, textOf } from "./values.ts";

export interface JiraCsvOptions {
  /** Header of the story points column, where the operator says so. */
  readonly storyPointsField?: string | null;
}

/**
 * Jira's CSV exports, "current fields" and "all fields": a file or a folder of `.csv`, plain or .gz. Repeated headers
 * are one field with several values; dates carry no zone and are read as UTC. A CSV has no history.
 * Sprints are known by name only, which is their id here. Throws when a file has no header of an issue export.
 */
export function jiraCsvSource(path: string, options: JiraCsvOptions = {}): Source {
  return { kind: "jira", read: (intake) => readFiles(path, options.storyPointsField ?? null, intake) };
}

interface Row {
  readonly cells: readonly string[];
  readonly line: number;
}

/** A file's way of writing. */
interface Sheet {
  readonly layout: CsvLayout;
  readonly order: DayMonthOrder;
  /** Old "current fields" exports list several values in one cell. */
  readonly splitsCells: boolean;
}

async function* readFiles(path: string, storyPointsField: string | null, intake: Intake): AsyncGenerator<SourceRecord> {
  for (const file of inputFiles(path, [".csv"])) {
    const name = relative(path, file) || basename(file);
    const sheet = await studySheet(file, name, storyPointsField, intake);
    intake.warn("dates of CSV exports carry no time zone and were read as UTC", name);
    for await (const row of readRows(file, name, intake)) yield* readRow(row, `${name}:${row.line}`, sheet, intake);
  }
}

async function* readRows(file: string, name: string, intake: Intake): AsyncGenerator<Row> {
  const delimiter = await delimiterOf(file);
  const parser = Readable.from(readText(file)).pipe(
    parse({
      delimiter,
      bom: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      info: true,
      max_record_size: MAX_LINE_CHARS,
    }),
  );
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      yield { cells: record, line: info.lines };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    intake.refuse(name, `the rest of the file is no CSV: ${error.code}`);
  }
}

async function delimiterOf(file: string): Promise<string> {
  for await (const chunk of readText(file)) {
    const header = chunk.slice(0, chunk.search(/\r?\n/) + 1 || undefined);
    const count = (mark: string): number => header.split(mark).length;
    return [",", ";", "\t"].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
  }
  return ",";
}

/** Finds the header and the order of day and month; reads on only until that is proven. */
async function studySheet(file: string, name: string, storyPointsField: string | null, intake: Intake): Promise<Sheet> {
  let layout: CsvLayout | null = null;
  let order: DayMonthOrder | null = null;
  let splitsCells = false;
  let isNumeric = false;
  for await (const { cells } of readRows(file, name, { refuse: () => undefined, warn: () => undefined })) {
    if (layout === null) {
      layout = layoutOf(cells, storyPointsField);
      splitsCells = cells.some((cell) => cell.trim().toLowerCase() === "key");
      continue;
    }
    for (const field of ["created", "updated", "resolved"] as const) {
      const text = cell(cells, layout, field);
      isNumeric ||= /^\d{1,2}[/. -]\d{1,2}[/. -]\d/.test(text);
      order ??= orderShownBy(text);
    }
    if (order !== null) break;
  }
  if (layout === null) throw new Error(`${name} has no header of a Jira issue export (a key and a created column)`);
  if (order === null && isNumeric) intake.warn("numeric dates that could be day/month or month/day were read as day/month", name);
  if (!layout.has("resolved")) intake.warn("an export without a Resolved column: its closed issues have no resolution time", name);
  return { layout, order: order ?? "day_first", splitsCells };
}

function cell(cells: readonly string[], layout: CsvLayout, field: CsvField): string {
  return cells[layout.get(field)?.[0] ?? -1] ?? "";
}

function readRow(row: Row, place: string, sheet: Sheet, intake: Intake): SourceRecord[] {
  if (row.cells.every((text) => text.trim() === "")) return [];
  if (layoutOf(row.cells, null) !== null) return [];
  try {
    return recordsOf(row.cells, place, sheet, intake);
  } catch (error) {
    if (!(error instanceof RowProblem)) throw error;
    intake.refuse(place, error.message);
    return [];
  }
}

/** What trackers print instead of nothing, in the languages of the headers. */
const NOBODY = new Set([
  "unassigned",
  "nicht zugewiesen",
  "non assigné",
  "non affecté",
  "sin asignar",
  "não atribuído",
  "не назначен",
  "未分配",
]);
const UNRESOLVED = new Set([
  "unresolved",
  "nicht erledigt",
  "nicht gelöst",
  "non résolu",
  "non résolue",
  "sin resolver",
  "não resolvido",
  "нет решения",
  "не решено",
  "未解决",
]);

function recordsOf(cells: readonly string[], place: string, sheet: Sheet, intake: Intake): SourceRecord[] {
  const { layout } = sheet;
  const name = (field: CsvField): string | null => nameOf(cell(cells, layout, field));
  const values = (field: CsvField): string[] => valuesOf(cells, field, sheet);
  const key = requiredName(cell(cells, layout, "key"), "the issue key");
  const projectKey = name("project_key") ?? projectOfKey(key);
  if (projectKey === null) throw new RowProblem(`${shown(key)} is no issue key`);
  const instant = (field: CsvField): string | null => {
    const text = name(field);
    const at = text === null ? null : csvInstant(text, sheet.order);
    if (text !== null && at === null) throw new RowProblem(`${field} is not a date: ${shown(text)}`);
    return at;
  };
  const createdAt = instant("created");
  if (createdAt === null) throw new RowProblem("created is missing");
  const issue: IssueRecord = {
    kind: "issue",
    place,
    key,
    trackerId: name("id"),
    projectKey,
    type: name("type"),
    priority: name("priority"),
    status: name("status"),
    statusId: null,
    statusCategory: categoryOf(name("status_category")),
    resolution: unless(UNRESOLVED, name("resolution")),
    summary: textOf(cell(cells, layout, "summary")),
    description: textOf(cell(cells, layout, "description")),
    storyPoints: pointsOf(name("story_points"), place, intake),
    assignee: unless(NOBODY, name("assignee")),
    reporter: name("reporter"),
    createdAt,
    updatedAt: instant("updated"),
    resolvedAt: instant("resolved"),
    epicKey: name("epic"),
    labels: values("labels"),
    components: values("components"),
    fixVersions: values("fix_versions"),
    affectsVersions: values("affects_versions"),
  };
  const projectName = name("project_name");
  const sprints = (layout.get("sprint") ?? []).flatMap((column) => sprintIn(cells[column] ?? "", place, intake));
  return [
    ...(projectName === null ? [] : [{ kind: "project", place, key: projectKey, name: projectName } as const]),
    ...sprints,
    issue,
    ...[...new Set(sprints.map((sprint) => sprint.id))].map(
      (sprintId) => ({ kind: "sprint_issue", place, sprintId, issueKey: key, addedAt: null, removedAt: null }) as const,
    ),
  ];
}

/** A sprint cell: a name, or in old exports the whole `Sprint@…[…]` text. */
function sprintIn(text: string, place: string, intake: Intake): SprintRecord[] {
  const name = nameOf(text);
  if (name === null) return [];
  if (isSprintField(name)) return sprintsOf(name, place, intake);
  const unknown = { boardId: null, projectKey: null, state: null, startAt: null, endAt: null, completeAt: null };
  return [{ kind: "sprint", place, id: name, name, ...unknown }];
}

function unless(words: ReadonlySet<string>, text: string | null): string | null {
  return text === null || words.has(text.toLowerCase()) ? null : text;
}

function valuesOf(cells: readonly string[], field: CsvField, sheet: Sheet): string[] {
  const columns = sheet.layout.get(field) ?? [];
  const splits = columns.length === 1 && (sheet.splitsCells || field === "labels");
  const texts = columns.flatMap((column) => {
    const text = cells[column] ?? "";
    return splits ? text.split(field === "labels" ? /[,\s]+/ : /,\s*/) : [text];
  });
  return [...new Set(texts.flatMap((text) => nameOf(text) ?? []))];
}
