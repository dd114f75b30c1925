import { expect, test } from "vitest";
import { importInto } from "../../../src/ingest/import.ts";
import { parseMapping } from "../../../src/ingest/mapping.ts";
import type { SourceRecord } from "../../../src/ingest/source.ts";
import { describeOnEachDatabase } from "../../support/databases.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { day, event, issue, moves, sprint, stay } from "../records.ts";
import { sourceOf } from "../support.ts";
import { rowsOf } from "../warehouse-dump.ts";

let lastTenant = 100;

async function load(db: TestDatabase, records: readonly SourceRecord[], mapping: string | null = null): Promise<number> {
  lastTenant += 1;
  await importInto(
    db.database,
    { id: lastTenant },
    { instanceId: "inst1", source: sourceOf(records), mapping: mapping === null ? null : parseMapping(mapping) },
  );
  return lastTenant;
}

/** Days since 2024-01-01, as the records count them; null stays. */
const daysOf = (column: string): string => `(extract(epoch from ${column} - timestamptz '2024-01-01Z') / 86400)::float8`;

/** `status category from..to` of an issue's intervals. */
async function livesOf(db: TestDatabase, tenantId: number): Promise<Record<string, string[]>> {
  const rows = await rowsOf(
    db,
    `
    select issue_key, seq, format('%s %s %s..%s', coalesce(s.status, '?'), coalesce(category, '?'), ${daysOf("started_at")}, ${daysOf("ended_at")}) as life
    from warehouse.status_interval s join warehouse.issue i using (tenant_id, issue_no) where tenant_id = $1 order by issue_key, seq`,
    [tenantId],
  );
  return Object.fromEntries(
    [...Map.groupBy(rows, (row) => String(row["issue_key"]))].map(([key, lives]) => [
      key,
      lives.map((row) => `${String(row["seq"])} ${String(row["life"])}`),
    ]),
  );
}

async function factsOf(db: TestDatabase, tenantId: number): Promise<Record<string, unknown>> {
  const rows = await rowsOf(
    db,
    `
    select issue_key, array[${["first_in_progress_at", "first_done_at", "last_done_at", "first_reopened_at"].map(daysOf).join(", ")}, in_progress_seconds / 86400] as facts
    from warehouse.issue where tenant_id = $1 order by issue_key`,
    [tenantId],
  );
  return Object.fromEntries(rows.map((row) => [row["issue_key"], row["facts"]]));
}

const FLAGS = [
  "is_inferred",
  "was_resolved_before",
  "is_committed",
  "is_added",
  "is_removed",
  "is_final",
  "is_completed",
  "is_committed_completed",
  "is_carried_over",
] as const;

/** The flags that are set, by sprint and issue. */
async function membersOf(db: TestDatabase, tenantId: number): Promise<Record<string, string>> {
  const rows = await rowsOf(
    db,
    "select sprint_id || ' ' || issue_key as member, m.* from warehouse.sprint_member m join warehouse.sprint using (tenant_id, sprint_no) join warehouse.issue using (tenant_id, issue_no) where m.tenant_id = $1 order by 1",
    [tenantId],
  );
  return Object.fromEntries(
    rows.map((row) => [
      row["member"],
      FLAGS.filter((flag) => row[flag] === true)
        .map((flag) => flag.replace(/^(is|was)_/, ""))
        .join(" "),
    ]),
  );
}

describeOnEachDatabase("derived tables", (get) => {
  test("a life with history, cut at its status events", async () => {
    const tenant = await load(get(), [
      issue("A-1", { status: "Done" }),
      ...moves(
        "A-1",
        "Open",
        [1, "In Progress"],
        [3, "Weird"],
        [4, "Done"],
        [6, "Reopened"],
        [7, "In Progress"],
        [9, "Resolved"],
        [10, "Done"],
      ),
    ]);
    expect(await livesOf(get(), tenant)).toEqual({
      "A-1": [
        "1 Open new 0..1",
        "2 In Progress in_progress 1..3",
        "3 Weird ? 3..4",
        "4 Done done 4..6",
        "5 Reopened new 6..7",
        "6 In Progress in_progress 7..9",
        "7 Resolved done 9..10",
        "8 Done done 10..",
      ],
    });
    // Resolved → Done is no entry into done; work after a reopening counts until the last entry.
    expect(await factsOf(get(), tenant)).toEqual({ "A-1": [1, 4, 9, 6, 4] });
  });

  test("first entries need a change: born in progress, born done, not done now", async () => {
    const tenant = await load(get(), [
      issue("A-1", { status: "Done" }),
      ...moves("A-1", "In Progress", [2, "In Review"], [3, "Done"]),
      issue("A-2", { status: "Open" }),
      ...moves("A-2", "Done", [2, "Open"]),
      issue("A-3", { status: "Done", resolvedAt: day(5) }),
      issue("A-4", { status: "Done" }),
      ...moves("A-4", "Open", [2, "Done"]),
    ]);
    expect(await factsOf(get(), tenant)).toEqual({
      "A-1": [null, 3, 3, null, 3],
      "A-2": [null, 0, null, 2, null],
      "A-3": [null, null, null, null, null],
      "A-4": [null, 2, 2, null, 0],
    });
  });

  test("lives without history: done since the resolution, else as it is", async () => {
    const tenant = await load(get(), [
      issue("A-1", { status: "Done", resolvedAt: day(5) }),
      issue("A-2", { status: "Done" }),
      issue("A-3", { status: "Open", resolvedAt: day(5) }),
      issue("A-4", { status: "Done", resolvedAt: day(-3) }),
      issue("A-5", { status: null }),
      event("A-1", 3, { field: "assignee", to: "Ada" }),
    ]);
    expect(await livesOf(get(), tenant)).toEqual({
      "A-1": ["1 ? ? 0..5", "2 Done done 5.."],
      "A-2": ["1 Done done 0.."],
      "A-3": ["1 Open new 0.."],
      "A-4": ["1 Done done 0.."],
      "A-5": ["1 ? ? 0.."],
    });
  });

  test("events at one instant, at and before the creation", async () => {
    const tenant = await load(get(), [
      issue("A-1", { status: "Done" }),
      ...moves("A-1", "Open", [2, "In Progress"], [2, "In Review"], [2, "Done"]),
      issue("A-2", { status: "Done" }),
      ...moves("A-2", "Open", [-2, "In Progress"], [0, "In Review"], [1, "Done"]),
      issue("A-3", { status: "In Progress" }),
      ...moves("A-3", "Open", [-1, "In Progress"]),
    ]);
    expect(await livesOf(get(), tenant)).toEqual({
      "A-1": ["1 Open new 0..2", "2 Done done 2.."],
      "A-2": ["1 In Review in_progress 0..1", "2 Done done 1.."],
      "A-3": ["1 In Progress in_progress 0.."],
    });
  });

  test("status ids decide where there are any: a renamed status, a name with two ids", async () => {
    const tenant = await load(get(), [
      { kind: "status", place: "s", id: "3", name: "Working", category: "in_progress" },
      { kind: "status", place: "s", id: "4", name: "Done", category: "new" },
      issue("A-1", { status: "Done", statusId: "6", statusCategory: "done" }),
      event("A-1", 1, { from: "Open", fromId: "1", to: "In Development", toId: "3" }),
      event("A-1", 2, { from: "Working", fromId: "3", to: "Done", toId: "4" }),
      event("A-1", 3, { from: "Done", fromId: "4", to: "Done", toId: "6" }),
      issue("A-2", { status: "Done" }),
      event("A-2", 1, { from: "Open", to: "Done", toId: "4" }),
      issue("A-3", { status: "Working" }),
      issue("A-4", { status: "Done" }),
    ]);
    expect(await livesOf(get(), tenant)).toEqual({
      "A-1": ["1 Open new 0..1", "2 In Development in_progress 1..2", "3 Done new 2..3", "4 Done done 3.."],
      "A-2": ["1 Open new 0..1", "2 Done new 1.."],
      "A-3": ["1 Working in_progress 0.."],
      "A-4": ["1 Done done 0.."],
    });
    expect(await rowsOf(get(), "select issue_key, status_ref from warehouse.issue where tenant_id = $1 order by 1", [tenant])).toEqual([
      { issue_key: "A-1", status_ref: "6" },
      { issue_key: "A-2", status_ref: "4" },
      { issue_key: "A-3", status_ref: "3" },
      { issue_key: "A-4", status_ref: "Done" },
    ]);
  });

  test("blocked: statuses and flags, merged where they overlap or touch", async () => {
    const flag = (key: string, at: number, to: string | null): SourceRecord =>
      event(key, at, { field: "flagged", from: to === null ? "Impediment" : null, to });
    const tenant = await load(
      get(),
      [
        issue("A-1", { status: "Done" }),
        ...moves("A-1", "Open", [1, "Held"], [3, "In Progress"], [8, "Held"], [9, "Done"]),
        flag("A-1", 2, "Impediment"),
        flag("A-1", 4, null),
        flag("A-1", 6, "Impediment"),
        flag("A-1", 8, null),
        issue("A-2", { status: "Open" }),
        flag("A-2", 5, "Impediment"),
        issue("A-3", { status: "Open" }),
        flag("A-3", 2, null),
        flag("A-3", 2, null),
        issue("A-4", { status: "Held" }),
        issue("A-5", { status: "Open" }),
        flag("A-5", -2, "Impediment"),
        flag("A-5", -1, null),
      ],
      "statuses: { Held: { blocked: true } }",
    );
    const rows = await rowsOf(
      get(),
      `select issue_key, seq, ${daysOf("started_at")} as a, ${daysOf("ended_at")} as b from warehouse.blocked_interval join warehouse.issue using (tenant_id, issue_no) where tenant_id = $1 order by 1, 2`,
      [tenant],
    );
    expect(rows.map(({ issue_key, seq, a, b }) => [issue_key, seq, a, b])).toEqual([
      ["A-1", 1, 1, 4],
      ["A-1", 2, 6, 9],
      ["A-2", 1, 5, null],
      ["A-3", 1, 0, 2],
      ["A-4", 1, 0, null],
    ]);
  });

  test("sprint members: who was in at the start, joined, left, and was in at the completion", async () => {
    const resolved = (at: number) => ({ resolvedAt: day(at), status: "Done", statusCategory: "done" as const });
    const keys = [
      "COMMITTED",
      "DONE",
      "EARLY",
      "LATE",
      "ADDED",
      "ADDEDDONE",
      "REMOVED",
      "BRIEF",
      "BACK",
      "BEFORE",
      "AFTER",
      "ATSTART",
      "ATEND",
      "MOVED",
    ];
    const facts: Record<string, object> = {
      DONE: resolved(12),
      EARLY: resolved(9),
      LATE: resolved(21),
      ADDEDDONE: resolved(20),
      REMOVED: resolved(12),
    };
    const tenant = await load(get(), [
      sprint("S1", { startAt: day(10), endAt: day(19), completeAt: day(20) }),
      ...keys.map((key) => issue(`${key}-1`, facts[key])),
      ...["COMMITTED", "DONE", "EARLY", "LATE"].map((key) => stay("S1", `${key}-1`, 5)),
      stay("S1", "ADDED-1", 12),
      stay("S1", "ADDEDDONE-1", 12),
      stay("S1", "REMOVED-1", 5, 15),
      stay("S1", "BRIEF-1", 12, 15),
      stay("S1", "BACK-1", 5, 12),
      stay("S1", "BACK-1", 14),
      stay("S1", "BEFORE-1", 5, 8),
      stay("S1", "AFTER-1", 21),
      stay("S1", "ATSTART-1", 10),
      stay("S1", "ATEND-1", 20),
      stay("S1", "MOVED-1", 5, 20),
    ]);
    expect(await membersOf(get(), tenant)).toEqual({
      "S1 ADDED-1": "added final",
      "S1 ADDEDDONE-1": "added final completed",
      "S1 ATEND-1": "added final",
      "S1 ATSTART-1": "committed final",
      "S1 BACK-1": "committed final",
      "S1 BRIEF-1": "added removed",
      "S1 COMMITTED-1": "committed final",
      "S1 DONE-1": "committed final completed committed_completed",
      "S1 EARLY-1": "resolved_before committed final",
      "S1 LATE-1": "committed final",
      "S1 MOVED-1": "committed final",
      "S1 REMOVED-1": "committed removed",
    });
  });

  test("unknown added_at: created after the start is added, even after the completion; any other is committed", async () => {
    const tenant = await load(get(), [
      sprint("S1", { startAt: day(10), completeAt: day(20) }),
      issue("A-1", { createdAt: day(0) }),
      issue("A-2", { createdAt: day(10) }),
      issue("A-3", { createdAt: day(11) }),
      issue("A-4", { createdAt: day(25) }),
      issue("A-5", { createdAt: day(3) }),
      ...[1, 2, 3, 4].map((number) => stay("S1", `A-${number}`, null)),
      stay("S1", "A-5", null, 15),
    ]);
    expect(await membersOf(get(), tenant)).toEqual({
      "S1 A-1": "inferred committed final",
      "S1 A-2": "inferred committed final",
      "S1 A-3": "inferred added final",
      "S1 A-4": "inferred added final",
      "S1 A-5": "inferred committed removed",
    });
  });

  test("carried over: also in a sprint that starts later", async () => {
    const tenant = await load(get(), [
      sprint("S1", { startAt: day(0), completeAt: day(10) }),
      sprint("S2", { startAt: day(10), completeAt: day(20) }),
      sprint("S3", { startAt: day(20), state: "active", endAt: day(30) }),
      sprint("S4", { state: "future" }),
      issue("A-1"),
      issue("A-2"),
      issue("A-3", { updatedAt: day(24) }),
      stay("S1", "A-1", -1),
      stay("S2", "A-1", 10),
      stay("S3", "A-2", 15),
      stay("S2", "A-2", 5),
      stay("S4", "A-2", 15),
      stay("S4", "A-3", 15),
      stay("S1", "A-3", -1),
      stay("S2", "A-3", 5, 8),
    ]);
    expect(await membersOf(get(), tenant)).toEqual({
      "S1 A-1": "committed final carried_over",
      "S2 A-1": "committed final",
      "S2 A-2": "committed final carried_over",
      "S3 A-2": "committed final",
      "S4 A-2": "committed final",
      "S1 A-3": "committed final",
      "S4 A-3": "committed final",
    });
  });

  test("sprints without completion, end or start go as far as they are known", async () => {
    const done = (at: number) => ({ resolvedAt: day(at), status: "Done", statusCategory: "done" as const });
    const tenant = await load(get(), [
      sprint("ENDED", { startAt: day(10), endAt: day(20) }),
      sprint("OPEN", { startAt: day(10), state: "active" }),
      sprint("NOSTART", { completeAt: day(20) }),
      sprint("FUTURE", { state: "future", startAt: day(90), endAt: day(99) }),
      issue("A-1", { ...done(22), updatedAt: day(30) }),
      issue("A-2", done(15)),
      ...["ENDED", "OPEN", "NOSTART"].flatMap((id) => [stay(id, "A-1", 12), stay(id, "A-2", 12)]),
      stay("FUTURE", "A-1", 25),
      stay("NOSTART", "A-1", 3, 4),
    ]);
    expect(await membersOf(get(), tenant)).toEqual({
      "ENDED A-1": "added final carried_over",
      "ENDED A-2": "added final completed",
      "OPEN A-1": "added final completed carried_over",
      "OPEN A-2": "added final completed",
      "NOSTART A-1": "committed final",
      "NOSTART A-2": "committed final completed committed_completed",
      "FUTURE A-1": "resolved_before committed final",
    });
  });

  test("reopenings and blocked hours count between start and completion", async () => {
    const flag = (at: number, to: string | null): SourceRecord =>
      event("A-1", at, { field: "flagged", from: to === null ? "Impediment" : null, to });
    const tenant = await load(get(), [
      sprint("S1", { startAt: day(10), completeAt: day(20) }),
      sprint("S2", { startAt: day(20), state: "active", endAt: day(40) }),
      issue("A-1", { status: "Open" }),
      ...moves("A-1", "Done", [9, "Open"], [11, "Done"], [12, "Open"], [13, "Done"], [20, "Open"], [21, "Done"], [30, "Open"]),
      flag(8, "Impediment"),
      flag(11, null),
      flag(18, "Impediment"),
      flag(22, null),
      flag(28, "Impediment"),
      stay("S1", "A-1", 5),
      stay("S2", "A-1", 20),
    ]);
    expect(
      await rowsOf(
        get(),
        "select sprint_id, reopen_events, blocked_hours from warehouse.sprint_member join warehouse.sprint using (tenant_id, sprint_no) where tenant_id = $1 order by 1",
        [tenant],
      ),
    ).toEqual([
      { sprint_id: "S1", reopen_events: 2, blocked_hours: 72 },
      // The open flag counts until the newest instant of the data, day 30.
      { sprint_id: "S2", reopen_events: 2, blocked_hours: 96 },
    ]);
  });
});
