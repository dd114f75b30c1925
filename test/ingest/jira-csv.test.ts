import { expect, test } from "vitest";
import { jiraCsvSource } from "../../src/ingest/jira-csv.ts";
import { fixture, readAll, sharedData, temporaryFiles } from "./support.ts";

const ZONELESS = "dates of CSV exports carry no time zone and were read as UTC";

test("all fields: repeated headers, quoted lines, American dates, bad rows", async () => {
  const { of, log, warnings } = await readAll(jiraCsvSource(fixture("jira-all-fields.csv")));
  expect(of("project")[0]).toMatchObject({ key: "SHIP", name: "Shipping" });
  expect(of("issue").map(({ key }) => key)).toEqual(["SHIP-1", "SHIP-2"]);
  expect(of("issue")[0]).toEqual({
    kind: "issue",
    place: "jira-all-fields.csv:3",
    key: "SHIP-1",
    trackerId: "101",
    projectKey: "SHIP",
    type: "Bug",
    priority: "High",
    status: "Done",
    statusId: null,
    statusCategory: "done",
    resolution: "Fixed",
    summary: "Boxes fall, often",
    description: 'Line one\nline "two"',
    storyPoints: 5,
    assignee: "Ada Novak",
    reporter: "Bo Lind",
    createdAt: "2024-03-14T10:15:00.000Z",
    updatedAt: "2024-03-15T13:00:00.000Z",
    resolvedAt: "2024-03-15T13:00:00.000Z",
    epicKey: "SHIP-9",
    labels: ["belt", "urgent"],
    components: ["Conveyor, left", "Scanner"],
    fixVersions: ["1.0"],
    affectsVersions: ["0.9"],
  });
  expect(of("issue")[1]).toMatchObject({
    assignee: null,
    resolution: null,
    createdAt: "2024-02-03T00:00:00.000Z",
    resolvedAt: null,
    storyPoints: null,
  });
  expect(of("sprint").map(({ id, name }) => [id, name])).toEqual([
    ["Sprint 1", "Sprint 1"],
    ["Sprint 2", "Sprint 2"],
  ]);
  expect(of("sprint_issue").map(({ sprintId, issueKey }) => [sprintId, issueKey])).toEqual([
    ["Sprint 1", "SHIP-1"],
    ["Sprint 2", "SHIP-1"],
  ]);
  expect(log.refused.map(({ reason }) => reason)).toEqual([
    "the issue key is missing",
    "created is not a date: yesterday",
    "created is missing",
    "what is no issue key",
  ]);
  expect(warnings).toEqual([ZONELESS, "story points given as text were read as numbers", "negative story points were read as unknown"]);
});

test("Russian headers and months, semicolons, space after the key, a comma in the points", async () => {
  const { of, log } = await readAll(jiraCsvSource(fixture("jira-russian.csv")));
  expect(log.refused).toEqual([]);
  expect(of("issue")[0]).toMatchObject({
    key: "SKL-7",
    projectKey: "SKL",
    type: "Ошибка",
    status: "Закрыт",
    assignee: null,
    reporter: "Анна Орлова",
    storyPoints: 3.5,
    createdAt: "2024-07-29T09:59:00.000Z",
    resolvedAt: "2024-07-30T10:00:00.000Z",
    labels: ["склад", "срочно"],
  });
  expect(of("sprint_issue").map(({ sprintId }) => sprintId)).toEqual(["Спринт 1", "Спринт 2"]);
});

test("current fields: lists in one cell, a repeated header row, a footer, no resolution time", async () => {
  const { of, log, warnings } = await readAll(jiraCsvSource(fixture("jira-current-fields.csv")));
  expect(of("issue")).toHaveLength(1);
  expect(of("issue")[0]).toMatchObject({
    key: "SHIP-1",
    labels: ["belt", "urgent"],
    components: ["Conveyor", "Scanner"],
    resolvedAt: null,
  });
  expect(log.refused).toEqual([{ place: "jira-current-fields.csv:4", reason: "the issue key is missing" }]);
  expect(warnings).toEqual(["an export without a Resolved column: its closed issues have no resolution time", ZONELESS]);
});

test("ambiguous dates are read day first and reported; the operator's points column wins; old sprint text is parsed", async () => {
  const sprint =
    "com.atlassian.greenhopper.service.sprint.Sprint@1[id=12,rapidViewId=4,state=CLOSED,name=Two,startDate=<null>,endDate=<null>,completeDate=<null>]";
  const folder = temporaryFiles({
    "a.csv": `Key,Created,Resolved,Story Points,Custom field (Size),Sprint,Sprint\nA-1,02/03/2024 10:00,,5,8,"${sprint}",\n`,
  });
  const read = await readAll(jiraCsvSource(folder, { storyPointsField: "Size" }));
  expect(read.of("issue")[0]).toMatchObject({ createdAt: "2024-03-02T10:00:00.000Z", storyPoints: 8 });
  expect(read.of("sprint")).toMatchObject([{ id: "12", name: "Two", boardId: "4" }]);
  expect(read.warnings).toContain("numeric dates that could be day/month or month/day were read as day/month");
  const byHeader = await readAll(jiraCsvSource(folder, { storyPointsField: "story points" }));
  expect(byHeader.of("issue")[0]?.storyPoints).toBe(5);
});

test("a file that is no export fails; one that breaks off is read up to there", async () => {
  await expect(readAll(jiraCsvSource(temporaryFiles({ "a.csv": "name,age\nx,1\n" })))).rejects.toThrow(
    "a.csv has no header of a Jira issue export",
  );
  await expect(readAll(jiraCsvSource(temporaryFiles({ "a.csv": "" })))).rejects.toThrow("no header");
  const folder = temporaryFiles({ "a.csv": 'Key,Created\nA-1,22/Mar/14 07:59\nA-2,"22/Mar/14' });
  const { of, log } = await readAll(jiraCsvSource(folder));
  expect(of("issue").map(({ key }) => key)).toEqual(["A-1"]);
  expect(log.refused).toEqual([{ place: "a.csv", reason: "the rest of the file is no CSV: CSV_QUOTE_NOT_CLOSED" }]);
});

const exports = sharedData("raw/jira_csv_current_fields");
test.skipIf(exports === null)("a real export of 2014", async () => {
  const { of, log } = await readAll(jiraCsvSource(exports ?? ""));
  expect(of("issue")).toHaveLength(100);
  expect(of("issue")[0]).toMatchObject({ key: "HAMA-895", createdAt: "2014-03-22T07:59:00.000Z", assignee: null });
  expect(log.refused).toEqual([{ place: "asf_jira_2014.csv:102", reason: "the issue key is missing" }]);
});

const allFields = sharedData("raw/jira_csv_all_fields");
test.skipIf(allFields === null)("a real layout of 102 columns, mostly empty rows", async () => {
  const { of, log } = await readAll(jiraCsvSource(allFields ?? ""));
  expect(of("issue").map(({ key, createdAt }) => [key, createdAt])).toEqual([["A-3367", "2017-02-16T15:26:00.000Z"]]);
  expect(log.refusedCount).toBe(0);
});
