import { expect, test } from "vitest";
import { importInto } from "../../../src/ingest/import.ts";
import type { SourceRecord } from "../../../src/ingest/source.ts";
import { describeOnEachDatabase } from "../../support/databases.ts";
import { day, event, issue, moves, sprint, stay } from "../records.ts";
import { sourceOf } from "../support.ts";
import { dumpOf, rowsOf } from "../warehouse-dump.ts";

/** Enough for several batches by rows and by text, with events and memberships far from their issues. */
function* many(): Generator<SourceRecord> {
  yield sprint("S1", { startAt: day(1), completeAt: day(20) });
  for (let number = 1; number <= 4000; number += 1)
    yield issue(`A-${number}`, { description: number % 1000 === 0 ? "x".repeat(1_100_000) : null, status: "Done" });
  for (let number = 1; number <= 4000; number += 1)
    yield* moves(`A-${number}`, "Open", [number / 500, "In Progress"], [number / 500 + 1, "Done"]);
  for (let number = 1; number <= 4000; number += 1) yield stay("S1", `A-${number}`, null);
}

describeOnEachDatabase("loading in batches", (get) => {
  test("cuts nothing apart, and twice is the same", async () => {
    const progress: number[] = [];
    const run = () =>
      importInto(
        get().database,
        { id: 1 },
        { instanceId: "big", source: sourceOf(many()), onProgress: ({ read }) => progress.push(read.issues) },
      );
    expect(await run()).toMatchObject({
      newIssues: 4000,
      stored: { issues: 4000, events: 8000, sprintIssues: 4000, sprints: 1 },
      refusedCount: 0,
    });
    expect(progress.length).toBeGreaterThan(4);
    expect(
      await rowsOf(
        get(),
        "select count(*)::int as n, count(*) filter (where has_history)::int as told, sum(in_progress_seconds) / 86400 as days, max(length(description)) as longest from warehouse.issue",
      ),
    ).toMatchObject([{ n: 4000, told: 4000, longest: 1_100_000 }]);
    const before = await dumpOf(get(), 1);
    await run();
    expect(await dumpOf(get(), 1)).toBe(before);
  }, 120_000);

  test("events of far-away years get their partitions; a year out of range stops the run", async () => {
    const at = (issueKey: string, instant: string): SourceRecord => ({ ...event(issueKey, 0, { to: "Done" }), at: instant });
    await importInto(
      get().database,
      { id: 2 },
      { instanceId: "i", source: sourceOf([issue("A-1"), at("A-1", "1970-01-01T00:00:00.000Z"), at("A-1", "2199-12-31T23:59:59.000Z")]) },
    );
    expect(
      await rowsOf(get(), "select tableoid::regclass::text as partition from warehouse.issue_event where tenant_id = 2 order by at"),
    ).toEqual([{ partition: "warehouse.issue_event_1970" }, { partition: "warehouse.issue_event_2199" }]);
    const far = importInto(
      get().database,
      { id: 3 },
      { instanceId: "i", source: sourceOf([issue("A-1"), at("A-1", "2200-01-01T00:00:00.000Z")]) },
    );
    await expect(far).rejects.toThrow("no events in the year 2200");
  });
});
