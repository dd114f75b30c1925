import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { importInto } from "../../src/ingest/import.ts";
import { jiraJsonSource } from "../../src/ingest/jira-json.ts";
import type { EventRecord } from "../../src/ingest/source.ts";
import { instantOf } from "../../src/ingest/values.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { readAll, sharedData, temporaryFiles } from "./support.ts";
import { rowsOf } from "./warehouse-dump.ts";

/*
 * DevLake read the same raw rows of a Jira Cloud; what it made of them is in its snapshot tables. Where both mean the
 * same thing, our reading equals theirs. Every difference is named in a test below.
 */
const fixtures = sharedData("raw/devlake_jira_cloud_fixtures");

type Row = Readonly<Record<string, string>>;

function table(path: string): Row[] {
  return parse(readFileSync(join(fixtures ?? "", path)), { columns: true });
}

function raw(name: string): string {
  return `[${table(`raw_tables/_raw_jira_api_${name}.csv`)
    .map((row) => row["data"])
    .join(",")}]`;
}

async function readRaw() {
  const files = {
    "issues.json": raw("issues"),
    "sprints.json": raw("sprints"),
    "status.json": raw("status"),
    "projects.json": raw("projects"),
    "types.json": raw("issue_types"),
  };
  return readAll(jiraJsonSource(temporaryFiles(files), { storyPointsField: "customfield_10024" }));
}

const orNull = (text: string | undefined): string | null => (text === undefined || text === "" ? null : text);
const instant = (text: string | undefined): string | null => (text === undefined || text === "" ? null : instantOf(text));
const idIn = (text: string | undefined): string => text?.split(":").at(-1) ?? "";

describe.skipIf(fixtures === null)("DevLake's expected output", () => {
  test("our reading refuses nothing", async () => {
    expect((await readRaw()).log.refused).toEqual([]);
  });

  test("issues", async () => {
    const ours = await readRaw();
    const byId = new Map(ours.of("issue").map((issue) => [issue.trackerId, issue]));
    const theirs = table("snapshot_tables/issues.csv");
    expect(theirs).toHaveLength(30);
    for (const row of theirs) {
      const issue = must(byId.get(idIn(row["id"])), "the issue");
      expect({
        key: issue.key,
        summary: issue.summary?.trim(),
        description: issue.description,
        type: issue.type,
        status: issue.status,
        resolvedAt: issue.resolvedAt,
        createdAt: issue.createdAt,
        updatedAt: issue.updatedAt,
        priority: issue.priority,
        assignee: issue.assignee,
        fixVersions: issue.fixVersions.join(","),
        components: issue.components.join(","),
        epic: issue.epicKey,
      }).toEqual({
        key: row["issue_key"],
        summary: row["title"]?.trim(),
        description: orNull(row["description"]),
        type: row["original_type"],
        status: row["original_status"],
        resolvedAt: instant(row["resolution_date"]),
        createdAt: instant(row["created_date"]),
        updatedAt: instant(row["updated_date"]),
        priority: row["priority"],
        assignee: orNull(row["assignee_name"]),
        fixVersions: row["fix_versions"],
        components: row["component"],
        epic: orNull(row["epic_key"]),
      });
    }
  });

  test("story points: theirs are kept negative or 0 where there are none, ours are unknown then", async () => {
    const ours = await readRaw();
    const byKey = new Map(ours.of("issue").map((issue) => [issue.key, issue.storyPoints]));
    for (const row of table("snapshot_tables/issues.csv")) {
      const theirs = Number(row["story_point"]);
      expect([row["issue_key"], byKey.get(row["issue_key"] ?? "") ?? null]).toEqual([row["issue_key"], theirs > 0 ? theirs : null]);
    }
    expect(ours.warnings).toContain("negative story points were read as unknown");
  });

  test("status category: theirs, where their test does not map it to nonsense; the status list then outvotes it", async () => {
    const ours = await readRaw();
    const category: Readonly<Record<string, string>> = { TODO: "new", DONE: "done" };
    const byKey = new Map(ours.of("issue").map((issue) => [issue.key, issue.statusCategory]));
    const plain = table("snapshot_tables/issues.csv").filter((row) => (row["status"] ?? "") in category);
    expect(plain).toHaveLength(10);
    for (const row of plain)
      expect([row["issue_key"], byKey.get(row["issue_key"] ?? "")]).toEqual([row["issue_key"], category[row["status"] ?? ""]]);
    expect(ours.of("status").find(({ id }) => id === "10068")?.category).toBe("done");
  });

  test("sprints: theirs equal ours, which are two more", async () => {
    const ours = await readRaw();
    const theirs = table("snapshot_tables/sprints.csv");
    const whole = new Map(
      ours
        .of("sprint")
        .filter(({ state }) => state !== null)
        .map((sprint) => [sprint.id, sprint]),
    );
    for (const row of theirs) {
      const sprint = whole.get(idIn(row["id"]));
      expect([sprint?.name, sprint?.state?.toUpperCase(), sprint?.startAt, sprint?.endAt, sprint?.completeAt, sprint?.boardId]).toEqual([
        row["name"],
        row["status"],
        instant(row["started_date"]),
        instant(row["ended_date"]),
        instant(row["completed_date"]),
        idIn(row["original_board_id"]),
      ]);
    }
    // Raw sprint 25 is missing in their table, though the raw rows have it; 175 is only named by issues added later.
    const more = [...whole.keys()].filter((id) => !theirs.some((row) => idIn(row["id"]) === id));
    expect(more.toSorted()).toEqual(["175", "25"]);
  });

  test("memberships: theirs are today's, ours add the ones that ended and two issues their table lacks", async () => {
    const ours = await readRaw();
    const keyOf = new Map(ours.of("issue").map((issue) => [issue.trackerId ?? "", issue.key]));
    const theirs = new Set(
      table("snapshot_tables/sprint_issues.csv").map((row) => `${idIn(row["sprint_id"])} ${keyOf.get(idIn(row["issue_id"])) ?? "?"}`),
    );
    const today = new Set(
      ours
        .of("sprint_issue")
        .filter(({ removedAt }) => removedAt === null)
        .map(({ sprintId, issueKey }) => `${sprintId} ${issueKey}`),
    );
    expect([...theirs].filter((one) => !today.has(one))).toEqual([]);
    // The K5 issues came into the fixture later than the snapshot.
    expect([...today].filter((one) => !theirs.has(one))).toEqual(["175 K5-2", "175 K5-3"]);
  });

  test("changes: one of ours for each of theirs, but for the tracker's bookkeeping, which we leave out", async () => {
    const ours = await readRaw();
    const keyOf = new Map(ours.of("issue").map((issue) => [issue.trackerId ?? "", issue.key]));
    const ignored = new Set(["Rank", "Workflow", "RemoteIssueLink", "WorklogId"]);
    const names: Readonly<Record<string, string>> = {
      "Fix Version": "fix_version",
      Sprint: "sprint",
      "End date": "end_date",
      "Start date": "start_date",
      "Epic Link": "epic_link",
      timeestimate: "time_estimate_s",
      timeoriginalestimate: "time_original_estimate_s",
      timespent: "time_spent_s",
      Parent: "parent",
      issuetype: "type",
    };
    const theirs = table("snapshot_tables/issue_changelogs.csv").filter((row) => !ignored.has(row["field_name"] ?? ""));
    expect(theirs).toHaveLength(689 - 221 - 35 - 6 - 6);
    const line = (...parts: readonly (string | null | undefined)[]): string => parts.map((part) => part ?? "").join(" | ");
    // Their status table was fetched in Chinese.
    const chinese = [
      ["10000", "待办"],
      ["10029", "待开发"],
    ] as const;
    const listed = new Map([...ours.of("status").map(({ id, name }) => [id, name] as const), ...chinese]);
    const mine = ours.of("event").map((event) => line(event.issueKey, event.at, event.field, ...valuesOf(event, listed), event.author));
    const pool = Map.groupBy(mine, (one) => one);
    const missing = theirs
      .map((row) =>
        line(
          keyOf.get(idIn(row["issue_id"])),
          instant(row["created_date"]),
          names[row["field_name"] ?? ""] ?? row["field_name"],
          row["original_from_value"],
          row["original_to_value"],
          row["author_name"],
        ),
      )
      .filter((one) => pool.get(one)?.pop() === undefined);
    expect(missing).toEqual([]);
    // What is left of ours: several values of one history item (DevLake keeps one row per history and field), and K5.
    const left = [...pool.values()].flat();
    expect(
      Object.fromEntries([...Map.groupBy(left, (one) => one.split(" | ")[2] ?? "")].map(([field, some]) => [field, some.length])),
    ).toEqual({ epic_link: 2, fix_version: 20 });
  });
});

/** DevLake writes its own ids for sprints and people, and today's names for statuses that are still listed. */
function valuesOf(event: EventRecord, listed: ReadonlyMap<string | null, string>): (string | null)[] {
  const { field, from, to, fromId, toId } = event;
  const known = (kind: string, id: string | null): string | null => (id === null ? null : `jira:${kind}:2:${id}`);
  if (field === "sprint") return [known("JiraSprint", fromId), known("JiraSprint", toId)];
  if (field === "assignee") return [known("JiraAccount", fromId), known("JiraAccount", toId)];
  if (field === "status") return [listed.get(fromId) ?? from, listed.get(toId) ?? to];
  return [from, to];
}

describe.skipIf(fixtures === null)("DevLake's raw rows in the warehouse", () => {
  describeOnEachDatabase("sprint 7", (get) => {
    test("has the members that the neutral form of the same data gives", async () => {
      const files = { "issues.json": raw("issues"), "sprints.json": raw("sprints"), "status.json": raw("status") };
      const report = await importInto(get().database, { id: 1 }, { instanceId: "ee", source: jiraJsonSource(temporaryFiles(files)) });
      expect([report.refusedCount, report.unmappedStatuses.map(({ name }) => name).toSorted()]).toEqual([0, ["Inbox", "Ready for Dev"]]);
      const [row] = await rowsOf(
        get(),
        `
        select count(*) filter (where is_committed)::int as committed, count(*) filter (where is_added)::int as added, count(*) filter (where is_removed)::int as removed,
          count(*) filter (where is_final)::int as final, count(*) filter (where is_completed)::int as completed
        from warehouse.sprint_member join warehouse.sprint using (tenant_id, sprint_no) where sprint_id = '7'`,
      );
      expect(row).toEqual({ committed: 16, added: 13, removed: 2, final: 27, completed: 21 });
    });
  });
});
