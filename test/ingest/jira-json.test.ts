import { expect, test } from "vitest";
import { jiraJsonSource } from "../../src/ingest/jira-json.ts";
import type { JiraJsonOptions } from "../../src/ingest/jira-json.ts";
import { documentText } from "../../src/ingest/jira-issue.ts";
import { gzipSync } from "node:zlib";
import { readAll, temporaryFiles } from "./support.ts";

const FIELDS = {
  project: { id: "1", key: "SHIP", name: "Shipping" },
  issuetype: { name: "Bug" },
  status: { id: "3", name: "In Progress", statusCategory: { key: "indeterminate" } },
  created: "2024-01-01T10:00:00.000+0100",
};

function issue(key: string, fields: object = {}, rest: object = {}): object {
  return { id: `id-${key}`, key, fields: { ...FIELDS, ...fields }, ...rest };
}

function history(id: string, created: string, ...items: object[]): object {
  return { id, created, author: { displayName: "Ada" }, items };
}

async function read(files: Record<string, unknown>, options: JiraJsonOptions = {}) {
  const texts = Object.entries(files).map(([name, content]) => [name, typeof content === "string" ? content : JSON.stringify(content)]);
  return readAll(jiraJsonSource(temporaryFiles(Object.fromEntries(texts)), options));
}

test("one issue: every field in neutral words", async () => {
  const { of, log } = await read({
    "one.json": issue("SHIP-1", {
      priority: { name: "High" },
      resolution: { name: "Fixed" },
      resolutiondate: "2024-02-01T00:00:00.000+0000",
      updated: "2024-02-02T00:00:00.000+0000",
      summary: "Boxes\0 fall",
      description: "off the belt",
      assignee: { name: "ada", displayName: "Ada" },
      reporter: { accountId: "x1" },
      labels: ["belt"],
      components: [{ name: "Conveyor" }],
      fixVersions: [{ name: "1.0" }],
      versions: [{ name: "0.9" }],
      parent: { key: "SHIP-9", fields: { issuetype: { name: "Epic" } } },
    }),
  });
  expect(log.refused).toEqual([]);
  expect(of("project")).toEqual([{ kind: "project", place: "one.json:1", key: "SHIP", name: "Shipping" }]);
  expect(of("issue")).toEqual([
    {
      kind: "issue",
      place: "one.json:1",
      key: "SHIP-1",
      trackerId: "id-SHIP-1",
      projectKey: "SHIP",
      type: "Bug",
      priority: "High",
      status: "In Progress",
      statusId: "3",
      statusCategory: "in_progress",
      resolution: "Fixed",
      summary: "Boxes fall",
      description: "off the belt",
      storyPoints: null,
      assignee: "Ada",
      reporter: "x1",
      createdAt: "2024-01-01T09:00:00.000Z",
      updatedAt: "2024-02-02T00:00:00.000Z",
      resolvedAt: "2024-02-01T00:00:00.000Z",
      epicKey: "SHIP-9",
      labels: ["belt"],
      components: ["Conveyor"],
      fixVersions: ["1.0"],
      affectsVersions: ["0.9"],
    },
  ]);
});

test("arrays, search pages, lines and .gz are read alike", async () => {
  const page = { startAt: 0, total: 2, issues: [issue("SHIP-2"), issue("SHIP-3")] };
  const folder = temporaryFiles({
    "a/array.json": JSON.stringify([issue("SHIP-1")]),
    "b-page.json": JSON.stringify(page),
    "c.ndjson": `${JSON.stringify(issue("SHIP-4"))}\n${JSON.stringify(issue("SHIP-5"))}`,
    "d.jsonl.gz": gzipSync(JSON.stringify(issue("SHIP-6"))),
    "ignored.txt": "nothing",
  });
  const { of } = await readAll(jiraJsonSource(folder));
  expect(of("issue").map(({ key, place }) => [key, place])).toEqual([
    ["SHIP-1", "a/array.json:1"],
    ["SHIP-2", "b-page.json:1"],
    ["SHIP-3", "b-page.json:2"],
    ["SHIP-4", "c.ndjson:1"],
    ["SHIP-5", "c.ndjson:2"],
    ["SHIP-6", "d.jsonl.gz:1"],
  ]);
  const single = await readAll(jiraJsonSource(`${folder}/c.ndjson`));
  expect(single.of("issue").map(({ place }) => place)).toEqual(["c.ndjson:1", "c.ndjson:2"]);
});

test("the changelog: oldest first, our field names, bookkeeping left out, long values cut", async () => {
  const { of } = await read({
    "one.json": issue(
      "SHIP-1",
      {},
      {
        changelog: {
          total: 3,
          histories: [
            history("20", "2024-01-03T00:00:00.000+0000", {
              field: "status",
              fieldId: "status",
              from: "1",
              fromString: "Open",
              to: "3",
              toString: "In Progress",
            }),
            history(
              "11",
              "2024-01-02T00:00:00.000+0000",
              { field: "Fehlerbehebung", fieldId: "fixVersions", to: "9", toString: "1.0" },
              { field: "Rank", toString: "x" },
              { field: "Team Colour", toString: "blue" },
            ),
            history(
              "10",
              "2024-01-02T00:00:00.000+0000",
              { field: "description", toString: "d".repeat(3000) },
              { field: "Flagged", toString: "Impediment" },
              { nothing: 1 },
            ),
          ],
        },
      },
    ),
  });
  expect(of("event").map(({ at, field, from, to, toId }) => [at.slice(8, 10), field, from, to?.length, toId])).toEqual([
    ["02", "description", null, 500, null],
    ["02", "flagged", null, 10, null],
    ["02", "fix_version", null, 3, "9"],
    ["02", "team_colour", null, 4, null],
    ["03", "status", "Open", 11, "3"],
  ]);
  expect(of("event")[0]?.author).toBe("Ada");
});

test("a change without toString is no function", async () => {
  const { of } = await read({
    "one.json": issue(
      "A-1",
      {},
      { changelog: { histories: [history("1", "2024-01-02T00:00:00Z", { field: "assignee", fromString: "Bo" })] } },
    ),
  });
  expect(of("event")[0]).toMatchObject({ field: "assignee", from: "Bo", to: null });
});

test("sprints: what the field says today and what the history told, sets compared by id", async () => {
  const server =
    "com.atlassian.greenhopper.service.sprint.Sprint@1[id=12,rapidViewId=4,state=CLOSED,name=Two, second,startDate=2024-01-15T00:00:00.000Z,endDate=<null>,completeDate=<null>]";
  const { of } = await read({
    "one.json": issue(
      "SHIP-1",
      { customfield_10500: [server] },
      {
        changelog: {
          histories: [
            history("1", "2024-01-02T00:00:00Z", { field: "Sprint", from: "", fromString: "", to: "10", toString: "One" }),
            history("2", "2024-01-16T00:00:00Z", {
              field: "Sprint",
              from: "10",
              fromString: "One",
              to: "10, 12",
              toString: "One, Two, second",
            }),
            history("3", "2024-01-17T00:00:00Z", { field: "Sprint", from: "10, 12", to: "12" }),
          ],
        },
      },
    ),
  });
  expect(of("sprint_issue").map(({ sprintId, addedAt, removedAt }) => [sprintId, addedAt?.slice(0, 10), removedAt?.slice(0, 10)])).toEqual([
    ["10", "2024-01-02", "2024-01-17"],
    ["12", "2024-01-16", undefined],
  ]);
  const sprints = of("sprint");
  expect(sprints[0]).toMatchObject({ id: "12", name: "Two, second", state: "closed", boardId: "4" });
  expect(sprints.filter(({ id }) => id === "10").map(({ name, state }) => [name, state])).toContainEqual(["One", null]);
});

test("archive and agile shapes: sprint and closedSprints beside the fields", async () => {
  const closed = { id: 464, state: "closed", name: "S17", startDate: "2015-08-15T00:30:59.243Z", originBoardId: 114 };
  const { of } = await read({
    "one.json": issue("T-1", { closedSprints: [closed], sprint: { ...closed, id: 465, state: "active" }, epic: { key: "T-7" } }),
  });
  expect(of("sprint_issue").map(({ sprintId, addedAt }) => [sprintId, addedAt])).toEqual([
    ["465", null],
    ["464", null],
  ]);
  expect(of("issue")[0]?.epicKey).toBe("T-7");
});

test("story points: the operator's field, else a named one, else Cloud's usual one, reported", async () => {
  const points = { customfield_1: 3, customfield_2: "8", customfield_10016: 5 };
  const pointsOf = async (files: Record<string, unknown>, options: JiraJsonOptions = {}) => {
    const { of, warnings } = await read(files, options);
    return [of("issue")[0]?.storyPoints, warnings.length];
  };
  const page = { issues: [issue("A-1", points)], names: { customfield_1: "Story Points" } };
  expect(await pointsOf({ "page.json": page })).toEqual([3, 0]);
  expect(await pointsOf({ "page.json": page }, { storyPointsField: "customfield_2" })).toEqual([8, 1]);
  expect(await pointsOf({ "page.json": page }, { storyPointsField: "story POINTS" })).toEqual([3, 0]);
  expect(await pointsOf({ "a.json": issue("A-1", points, { names: { customfield_2: "Story point estimate" } }) })).toEqual([8, 1]);
  const list = [{ id: "customfield_1", name: "Story Points", custom: true, schema: { type: "number" } }];
  expect(await pointsOf({ "a.json": issue("A-1", points), "fields.json": list })).toEqual([3, 0]);
  expect(await pointsOf({ "a.json": issue("A-1", points) })).toEqual([5, 1]);
  expect(await pointsOf({ "a.json": issue("A-1", {}, { names: { customfield_9: "Story Points" } }) })).toEqual([null, 0]);
  expect(await pointsOf({ "a.json": issue("A-1", { customfield_10016: "x" }) })).toEqual([null, 0]);
});

test("epic link by name, Cloud's usual field, or a parent of epic level; not by any other parent", async () => {
  const epicOf = async (fields: object, names = {}) => (await read({ "a.json": issue("A-1", fields, { names }) })).of("issue")[0]?.epicKey;
  expect(await epicOf({ customfield_8: "A-5" }, { customfield_8: "Epic Link" })).toBe("A-5");
  expect(await epicOf({ customfield_10014: "A-6" })).toBe("A-6");
  expect(await epicOf({ customfield_10014: "some text" })).toBeNull();
  expect(await epicOf({ parent: { key: "A-7", fields: { issuetype: { name: "Эпик", hierarchyLevel: 1 } } } })).toBe("A-7");
  expect(await epicOf({ parent: { key: "A-8", fields: { issuetype: { name: "Story" } } } })).toBeNull();
  expect(await epicOf({ parent: { key: "A-8" } })).toBeNull();
});

test("the tracker's lists of statuses, sprints, projects and types are told apart by shape", async () => {
  const { of, log } = await read({
    "1.json": [
      { id: "3", name: "In Progress", statusCategory: { key: "indeterminate" } },
      { id: "4", name: "Odd", statusCategory: { key: "x" } },
    ],
    "2.json": [{ id: "10001", name: "Story", statuses: [{ id: "5", name: "Done", statusCategory: { key: "done" } }, { id: "6" }] }],
    "3.json": { maxResults: 50, values: [{ id: 7, state: "closed", name: "S7", originBoardId: 2 }] },
    "4.json": [{ id: "1", key: "SHIP", name: "Shipping" }],
    "5.json": [{ id: "10001", name: "Story", subtask: false }],
    "6.json": [{ what: "else" }],
  });
  expect(of("status").map(({ id, name, category }) => [id, name, category])).toEqual([
    ["3", "In Progress", "in_progress"],
    ["4", "Odd", null],
    ["5", "Done", "done"],
  ]);
  expect(of("sprint").map(({ id, boardId }) => [id, boardId])).toEqual([["7", "2"]]);
  expect(of("project").map(({ key }) => key)).toEqual(["SHIP"]);
  expect(log.refused).toEqual([{ place: "6.json:1", reason: "no issue, status, sprint, project or field of Jira" }]);
});

test("bad items are refused and the rest is read", async () => {
  const { of, log, warnings } = await read({
    "a.json": `[${JSON.stringify(issue("A-1", { created: "never" }))}, {"key":"A-2","fields":null}, {bad}, ${JSON.stringify(issue("A-3"))}]`,
    "b.json": [
      issue("A-4", {}, { changelog: { total: 9, histories: [{ id: "1", items: [] }, 5] } }),
      issue("", { project: null }),
      issue("nokey", { project: null }),
    ],
    "c.json": '[{"key":"A-5"',
    "d.json": issue("A-6", { flagged: true, status: null, summary: "\ufffd" }),
  });
  expect(of("issue").map(({ key }) => key)).toEqual(["A-3", "A-4", "A-6"]);
  expect(log.refused).toEqual([
    { place: "a.json:1 A-1", reason: "created is not a date: never" },
    { place: "a.json:2 A-2", reason: "the issue has no fields" },
    { place: "a.json:3", reason: "not JSON" },
    { place: "b.json:1", reason: "history: created is missing" },
    { place: "b.json:1", reason: "history: a history that is no object" },
    { place: "b.json:2", reason: "key is missing" },
    { place: "b.json:3 nokey", reason: "the issue names no project" },
    { place: "c.json", reason: "the file ends inside a value" },
  ]);
  expect(warnings).toEqual([
    "issues whose changelog the input cuts short",
    "rows with characters that were not UTF-8 (replaced by U+FFFD)",
    "issues flagged today whose changelog does not say since when; their blocked time is unknown",
  ]);
});

test("a missing path and a folder without JSON are errors", async () => {
  await expect(readAll(jiraJsonSource("/nonexistent"))).rejects.toThrow("no such file or folder");
  await expect(read({ "a.txt": "" })).rejects.toThrow("no .json, .ndjson, .jsonl file");
});

test("Cloud's document format becomes text", () => {
  const doc = {
    type: "doc",
    content: [
      {
        type: "paragraph",
        content: [
          { type: "text", text: "Hello " },
          { type: "text", text: "world" },
          { type: "hardBreak" },
          { type: "text", text: "again" },
        ],
      },
      { type: "bulletList", content: [{ type: "listItem", content: [{ type: "paragraph", content: [{ type: "text", text: "point" }] }] }] },
      null,
    ],
  };
  expect(documentText(doc)).toBe("Hello world\nagain\npoint");
  expect(documentText({ type: "doc", content: [] })).toBeNull();
});
