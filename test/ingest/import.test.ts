import { expect, test } from "vitest";
import { Random } from "../../src/ingest/demo/random.ts";
import { importInto } from "../../src/ingest/import.ts";
import type { ImportProgress } from "../../src/ingest/import.ts";
import { parseMapping } from "../../src/ingest/mapping.ts";
import type { Source, SourceRecord } from "../../src/ingest/source.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { describeOnEachDatabase, describeOnNative } from "../support/databases.ts";
import type { TestDatabase } from "../support/databases.ts";
import { day, event, issue, moves, sprint, status, stay } from "./records.ts";
import { sourceOf } from "./support.ts";
import { dumpOf, rowsOf } from "./warehouse-dump.ts";

let lastTenant = 0;
/** Each test has a tenant of its own. */
function freshTenant(): { readonly id: number } {
  lastTenant += 1;
  return { id: lastTenant };
}

function load(db: TestDatabase, tenant: { readonly id: number }, records: readonly SourceRecord[], rest: object = {}) {
  return importInto(db.database, tenant, { instanceId: "inst1", source: sourceOf(records), ...rest });
}

const SMALL: readonly SourceRecord[] = [
  { kind: "project", place: "p", key: "A", name: "Alpha" },
  status("Waiting", "in_progress"),
  sprint("S1", { startAt: day(1), endAt: day(10), completeAt: day(11), boardId: "4" }),
  issue("A-1", {
    trackerId: "11",
    status: "Done",
    resolvedAt: day(6),
    type: "Bug",
    labels: ["Escaped", "x"],
    summary: "s",
    storyPoints: 3,
    statusCategory: "done",
  }),
  issue("A-2", { trackerId: "12" }),
  ...moves("A-1", "Open", [2, "In Progress"], [3, "Waiting"], [6, "Done"]),
  event("A-1", 4, { field: "flagged", to: "Impediment" }),
  event("A-1", 4.5, { field: "flagged", from: "Impediment" }),
  stay("S1", "A-1", 0.5),
  stay("S1", "A-2", null),
];

describeOnEachDatabase("import", (get) => {
  test("reports and stores what it read, and says how fresh it is", async () => {
    const tenant = freshTenant();
    const seen: Observation[] = [];
    const progress: ImportProgress[] = [];
    const report = await load(get(), tenant, SMALL, {
      observe: (one: Observation) => seen.push(one),
      onProgress: (one: ImportProgress) => progress.push(one),
    });
    const counts = { projects: 1, sprints: 1, issues: 2, events: 5, sprintIssues: 2, statuses: 1 };
    expect(report).toMatchObject({
      instanceId: "inst1",
      read: counts,
      stored: counts,
      newIssues: 2,
      refusedCount: 0,
      warnings: [],
      unmappedStatuses: [],
      dataAsOf: day(6),
      dataVersion: 1,
    });
    expect(seen).toMatchObject([{ kind: "import_finished", tenantId: tenant.id, instanceId: "inst1", issues: 2, refused: 0 }]);
    expect(progress).toEqual([{ stage: "deriving", read: counts }]);
    expect(
      await rowsOf(get(), "select data_version::int, data_as_of from warehouse.tenant_state where tenant_id = $1", [tenant.id]),
    ).toMatchObject([{ data_version: 1 }]);
    expect(await rowsOf(get(), "select kind, bug_types from warehouse.instance where tenant_id = $1", [tenant.id])).toEqual([
      { kind: "neutral", bug_types: ["Bug", "Defect"] },
    ]);
    expect(
      await rowsOf(
        get(),
        "select is_bug, is_escaped, has_history, in_progress_seconds / 86400 as days from warehouse.issue where tenant_id = $1 order by issue_no",
        [tenant.id],
      ),
    ).toEqual([
      { is_bug: true, is_escaped: true, has_history: true, days: 4 },
      { is_bug: false, is_escaped: false, has_history: false, days: null },
    ]);
  });

  test("twice changes nothing but the version", async () => {
    const tenant = freshTenant();
    await load(get(), tenant, SMALL);
    const before = await dumpOf(get(), tenant.id);
    const report = await load(get(), tenant, SMALL);
    expect(report).toMatchObject({ newIssues: 0, dataVersion: 2 });
    expect(await dumpOf(get(), tenant.id)).toBe(before);
  });

  test("the order of the records does not matter beyond an issue before its own", async () => {
    const [one, two] = [freshTenant(), freshTenant()];
    const owned = SMALL.filter((record) => record.kind === "event" || record.kind === "sprint_issue");
    await load(get(), one, SMALL);
    await load(get(), two, [
      ...SMALL.filter((record) => record.kind === "issue"),
      ...SMALL.filter((record) => record.kind === "sprint"),
      ...owned,
      ...SMALL.filter((record) => !["issue", "sprint", "event", "sprint_issue"].includes(record.kind)),
    ]);
    const withoutTenant = (dump: string): string => dump.replaceAll(/"tenant_id": \d+/g, "");
    expect(withoutTenant(await dumpOf(get(), two.id))).toBe(withoutTenant(await dumpOf(get(), one.id)));
  });

  test("a failure half way leaves nothing, not even partitions' rows or a version", async () => {
    const tenant = freshTenant();
    const broken: Source = {
      kind: "neutral",
      async *read() {
        yield* SMALL;
        for (let number = 10; number < 6000; number += 1) yield issue(`A-${number}`);
        throw new Error("the archive ends here");
      },
    };
    const nothing = await dumpOf(get(), tenant.id);
    await expect(importInto(get().database, tenant, { instanceId: "inst1", source: broken })).rejects.toThrow("the archive ends here");
    expect(await dumpOf(get(), tenant.id)).toBe(nothing);
    await load(get(), tenant, SMALL);
    const before = await dumpOf(get(), tenant.id);
    await expect(importInto(get().database, tenant, { instanceId: "inst1", source: broken })).rejects.toThrow("the archive ends here");
    expect(await dumpOf(get(), tenant.id)).toBe(before);
  });

  test("an update replaces the issues it has, with their events and memberships, and keeps the others", async () => {
    const tenant = freshTenant();
    await load(get(), tenant, SMALL);
    const numbers = "select issue_key, issue_no::int from warehouse.issue where tenant_id = $1 order by issue_no";
    const before = await rowsOf(get(), numbers, [tenant.id]);
    const report = await load(get(), tenant, [
      issue("A-1", { trackerId: "11", status: "Open", updatedAt: day(9), summary: "changed" }),
      issue("A-3", { trackerId: "13" }),
      ...moves("A-1", "Open", [2, "In Progress"], [8, "Open"]),
    ]);
    expect(report).toMatchObject({ newIssues: 1, dataAsOf: day(9), dataVersion: 2, stored: { issues: 2, events: 2 } });
    expect((await rowsOf(get(), numbers, [tenant.id])).slice(0, 2)).toEqual(before);
    expect(
      await rowsOf(
        get(),
        "select summary, status_category, last_done_at, in_progress_seconds, is_bug from warehouse.issue where tenant_id = $1 and issue_key = 'A-1'",
        [tenant.id],
      ),
    ).toEqual([{ summary: "changed", status_category: "new", last_done_at: null, in_progress_seconds: null, is_bug: false }]);
    expect(
      await rowsOf(
        get(),
        "select status, started_at, ended_at is null as is_open from warehouse.status_interval where tenant_id = $1 and issue_no = 1 order by seq",
        [tenant.id],
      ),
    ).toMatchObject([{ status: "Open" }, { status: "In Progress" }, { status: "Open", is_open: true }]);
    expect(await rowsOf(get(), "select issue_no::int from warehouse.sprint_member where tenant_id = $1", [tenant.id])).toEqual([
      { issue_no: 2 },
    ]);
    expect(await rowsOf(get(), "select count(*)::int as n from warehouse.blocked_interval where tenant_id = $1", [tenant.id])).toEqual([
      { n: 0 },
    ]);
  });

  test("an issue that moved to another project keeps its number", async () => {
    const tenant = freshTenant();
    await load(get(), tenant, SMALL);
    const report = await load(get(), tenant, [
      issue("B-9", { trackerId: "11", projectKey: "B" }),
      issue("B-10", { trackerId: "11", projectKey: "B" }),
    ]);
    expect(report.newIssues).toBe(1);
    expect(report.warnings.map(({ message }) => message)).toEqual([
      "issues that came under a new key and kept their number",
      "projects made because an issue names them",
    ]);
    expect(
      await rowsOf(get(), "select issue_key, issue_no::int from warehouse.issue where tenant_id = $1 order by issue_no", [tenant.id]),
    ).toEqual([
      { issue_key: "B-9", issue_no: 1 },
      { issue_key: "A-2", issue_no: 2 },
      { issue_key: "B-10", issue_no: 3 },
    ]);
  });

  test("instances of a tenant do not touch each other", async () => {
    const tenant = freshTenant();
    await load(get(), tenant, SMALL);
    await importInto(get().database, tenant, { instanceId: "inst2", kind: "jira", source: sourceOf(SMALL) });
    expect(
      await rowsOf(
        get(),
        "select instance_id, count(*)::int as n, min(issue_no)::int as first from warehouse.issue where tenant_id = $1 group by 1 order by 1",
        [tenant.id],
      ),
    ).toEqual([
      { instance_id: "inst1", n: 2, first: 1 },
      { instance_id: "inst2", n: 2, first: 3 },
    ]);
    expect(await rowsOf(get(), "select count(*)::int as n from warehouse.sprint_member where tenant_id = $1", [tenant.id])).toEqual([
      { n: 4 },
    ]);
  });

  test("tenants do not touch each other", async () => {
    const [one, two] = [freshTenant(), freshTenant()];
    await load(get(), one, SMALL);
    const before = await dumpOf(get(), one.id);
    await load(get(), two, [issue("A-1", { trackerId: "11", summary: "other" }), ...SMALL.filter((record) => record.kind === "sprint")]);
    expect(await dumpOf(get(), one.id)).toBe(before);
    expect(await rowsOf(get(), "select issue_no::int, summary from warehouse.issue where tenant_id = $1", [two.id])).toEqual([
      { issue_no: 1, summary: "other" },
    ]);
  });

  test("the ingest login cannot write into another tenant from inside a tenant's transaction", async () => {
    const [one, two] = [freshTenant(), freshTenant()];
    await load(get(), one, SMALL);
    const seen = await get().database.session("ingest", async (client) => {
      await client.query(`BEGIN; SET LOCAL app.tenant_id = '${two.id}'`);
      const { rowCount } = await client.query("update warehouse.issue set summary = 'taken' where tenant_id = $1", [one.id]);
      await client.query("COMMIT");
      return rowCount;
    });
    expect(seen).toBe(0);
  });

  test("rows that fit nowhere are refused with a reason", async () => {
    const report = await load(get(), freshTenant(), [
      ...SMALL,
      event("A-99", 1, { to: "Done" }),
      stay("S1", "A-99", 1),
      stay("S9", "A-1", 1),
      stay("S1", "A-1", 5, 4),
    ]);
    expect(report.refused).toEqual([
      { place: "test:A-99", reason: "event of an issue that this input does not have: A-99" },
      { place: "test:S1", reason: "membership of an issue that this input does not have: A-99" },
      { place: "test:S9", reason: "membership in a sprint that is unknown: S9" },
      { place: "test:S1", reason: `membership that ends (${day(4)}) before it begins (${day(5)})` },
    ]);
    expect([report.refusedCount, report.read.events, report.stored.events]).toEqual([4, 6, 5]);
  });

  test("an issue twice in one input: the more recently updated row counts, with what follows it", async () => {
    const tenant = freshTenant();
    const report = await load(get(), tenant, [
      issue("A-1", { summary: "first", updatedAt: day(2) }),
      ...moves("A-1", "Open", [1, "Done"]),
      issue("A-1", { summary: "newer", updatedAt: day(3) }),
      ...moves("A-1", "Open", [2, "In Progress"]),
      issue("A-1", { summary: "older", updatedAt: day(1) }),
    ]);
    expect(report.refused).toEqual([{ place: "test:A-1", reason: "issue A-1 occurs twice; the more recently updated row was kept" }]);
    expect(await rowsOf(get(), "select summary from warehouse.issue where tenant_id = $1", [tenant.id])).toEqual([{ summary: "newer" }]);
    expect(await rowsOf(get(), "select to_value from warehouse.issue_event where tenant_id = $1", [tenant.id])).toEqual([
      { to_value: "In Progress" },
    ]);
    expect(report.newIssues).toBe(1);
  });

  test("oddities are counted", async () => {
    const report = await load(get(), freshTenant(), [issue("A-1", { resolvedAt: day(-1), statusCategory: "done", status: "X" })]);
    expect(report.warnings).toEqual([
      { message: "issues resolved before they were created", count: 1, place: "test:A-1" },
      { message: "projects made because an issue names them", count: 1, place: "test:A-1" },
    ]);
  });

  test("a later sighting of a sprint completes it; one without a state only fills gaps", async () => {
    const tenant = freshTenant();
    const read = () =>
      rowsOf(
        get(),
        "select name, state, board_id, start_at is null as no_start, end_at is null as no_end, complete_at is null as no_completion from warehouse.sprint where tenant_id = $1",
        [tenant.id],
      );
    await load(get(), tenant, [
      sprint("1", { name: "old name", state: null }),
      sprint("1", { name: "S1", state: "active", startAt: day(1), endAt: day(5) }),
      sprint("1", { name: "other", state: null, boardId: "4" }),
      issue("A-1"),
    ]);
    expect(await read()).toEqual([{ name: "S1", state: "active", board_id: "4", no_start: false, no_end: false, no_completion: true }]);
    await load(get(), tenant, [sprint("1", { name: null, state: null, completeAt: day(6) }), issue("A-1")]);
    expect(await read()).toEqual([{ name: "S1", state: "active", board_id: "4", no_start: false, no_end: false, no_completion: false }]);
    await load(get(), tenant, [sprint("1", { name: "S1", state: "active", startAt: day(2) }), issue("A-1")]);
    expect(await read()).toEqual([{ name: "S1", state: "active", board_id: "4", no_start: false, no_end: true, no_completion: true }]);
  });

  test("a mapping decides categories, blocked statuses, bug types and escape labels, and can be taken up later", async () => {
    const tenant = freshTenant();
    const facts = () =>
      rowsOf(
        get(),
        "select is_bug, is_escaped, status_category, first_in_progress_at is not null as started, (select count(*)::int from warehouse.blocked_interval b where b.tenant_id = i.tenant_id) as blocked from warehouse.issue i where tenant_id = $1 and issue_key = 'A-1'",
        [tenant.id],
      );
    const records = [...SMALL, issue("A-4", { status: "Inbox" })];
    const first = await load(get(), tenant, records);
    expect(first.unmappedStatuses).toEqual([{ ref: "Inbox", name: "Inbox" }]);
    expect(await facts()).toEqual([{ is_bug: true, is_escaped: true, status_category: "done", started: true, blocked: 1 }]);
    const mapping = parseMapping(
      "{ statuses: { in progress: new, Waiting: { category: new, blocked: true }, Done: in_progress, Inbox: new, Nowhere: done }, bug_types: [Fault], escape_labels: [none] }",
    );
    // Only another issue comes, but the meaning of statuses and labels changed for all.
    const second = await load(get(), tenant, [issue("A-4", { status: "Inbox" })], { mapping });
    expect(second.unmappedStatuses).toEqual([]);
    expect(second.warnings.map(({ message }) => message)).toEqual(["the mapping names a status that the data does not have: nowhere"]);
    expect(await facts()).toEqual([{ is_bug: false, is_escaped: false, status_category: "in_progress", started: true, blocked: 1 }]);
    expect(
      await rowsOf(
        get(),
        "select extract(epoch from ended_at - started_at) / 86400 as days from warehouse.blocked_interval where tenant_id = $1",
        [tenant.id],
      ),
    ).toMatchObject([{ days: expect.toSatisfy((days: unknown) => Number(days) === 3) }]);
    const stored = await dumpOf(get(), tenant.id);
    await load(get(), tenant, [issue("A-4", { status: "Inbox" })]);
    expect(await dumpOf(get(), tenant.id)).toBe(stored);
  });

  test("an empty input is an empty instance", async () => {
    expect(await load(get(), freshTenant(), [])).toMatchObject({ dataAsOf: null, dataVersion: 1, newIssues: 0 });
  });

  test("hostile text is data", async () => {
    const tenant = freshTenant();
    const text = `'); drop table warehouse.issue; -- {"a":1} \\u0000 $1 \u2028 😀`;
    await load(get(), tenant, [issue("A-1", { summary: text, description: text, labels: [text, "{a,b}"], status: text })]);
    expect(
      await rowsOf(get(), "select summary, description, labels, status from warehouse.issue where tenant_id = $1", [tenant.id]),
    ).toEqual([{ summary: text, description: text, labels: [text, "{a,b}"], status: text }]);
  });

  test("names at the limit fit into every index", async () => {
    const random = new Random("names");
    const name = () => Array.from({ length: 500 }, () => String.fromCodePoint(random.int(0x4e00, 0x9fff))).join("");
    const label = name();
    const report = await load(get(), freshTenant(), [
      sprint(name()),
      issue(name(), {
        projectKey: name(),
        status: name(),
        labels: [label, name()],
        components: [name()],
        fixVersions: [name()],
        trackerId: name(),
      }),
    ]);
    expect(report).toMatchObject({ newIssues: 1, refusedCount: 0 });
  });

  test("an instance id is short and has no space", async () => {
    for (const instanceId of ["", "two words", "x".repeat(101)]) {
      await expect(importInto(get().database, freshTenant(), { instanceId, source: sourceOf([]) })).rejects.toThrow("an instance id is");
    }
  });

  test("a tenant id that is no positive integer goes nowhere", async () => {
    await expect(load(get(), { id: 1.5 }, [])).rejects.toThrow("a tenant id is a positive integer");
  });
});

describeOnNative("imports at the same time", (get) => {
  test("a second import into the tenant is told to wait; another tenant's is not", async () => {
    const [one, two] = [freshTenant(), freshTenant()];
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: reading, resolve: started } = Promise.withResolvers<void>();
    const slow: Source = {
      kind: "neutral",
      async *read() {
        yield issue("A-1");
        started();
        await gate;
      },
    };
    const first = importInto(get().database, one, { instanceId: "inst1", source: slow });
    await reading;
    await expect(load(get(), one, SMALL)).rejects.toMatchObject({ code: "BUSY" });
    expect(await load(get(), two, SMALL)).toMatchObject({ newIssues: 2 });
    open();
    expect(await first).toMatchObject({ newIssues: 1 });
  });
});
