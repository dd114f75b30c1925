import { expect, test } from "vitest";
import { IntakeLog } from "../../src/ingest/intake.ts";
import { isSprintField, sprintOf, sprintsOf } from "../../src/ingest/sprint-field.ts";

const unknown = { boardId: null, projectKey: null, name: null, state: null, startAt: null, endAt: null, completeAt: null };

test("Server text of 2013: id last, nulls, a name with commas and slashes", () => {
  const text =
    "com.atlassian.greenhopper.service.sprint.Sprint@41b017c6[rapidViewId=<null>,state=ACTIVE,name=Sprint 7/8, a=b, Ends 1/3/14,startDate=2013-06-12T13:43:27.425Z,endDate=2013-07-26T15:43:27.425+02:00,completeDate=<null>,id=3]";
  expect(isSprintField([text])).toBe(true);
  expect(sprintsOf([text], "x", new IntakeLog())).toEqual([
    {
      ...unknown,
      kind: "sprint",
      place: "x",
      id: "3",
      state: "active",
      name: "Sprint 7/8, a=b, Ends 1/3/14",
      startAt: "2013-06-12T13:43:27.425Z",
      endAt: "2013-07-26T13:43:27.425Z",
    },
  ]);
});

test("Server text of 2017: id first, board, goal of several lines", () => {
  const text =
    "com.atlassian.greenhopper.service.sprint.Sprint@1f[id=28,rapidViewId=13,state=CLOSED,name=Sprint 17,goal=ship it,\nthen rest,startDate=2017-01-02T09:00:00.000Z,endDate=2017-01-16T09:00:00.000Z,completeDate=2017-01-16T10:00:00.000Z,sequence=28]";
  expect(sprintsOf(text, "x", new IntakeLog())).toEqual([
    {
      kind: "sprint",
      place: "x",
      id: "28",
      boardId: "13",
      projectKey: null,
      name: "Sprint 17",
      state: "closed",
      startAt: "2017-01-02T09:00:00.000Z",
      endAt: "2017-01-16T09:00:00.000Z",
      completeAt: "2017-01-16T10:00:00.000Z",
    },
  ]);
});

test("Cloud objects and agile objects name their board differently", () => {
  const cloud = { id: 7, name: "A", state: "closed", boardId: 8, startDate: "2020-06-12T00:38:51.882Z" };
  const agile = { id: 9, name: "B", state: "future", originBoardId: 5 };
  expect([
    isSprintField([cloud]),
    isSprintField(agile),
    isSprintField([{ id: 1, value: "x" }]),
    isSprintField(["x"]),
    isSprintField([]),
  ]).toEqual([true, true, false, false, false]);
  expect(sprintsOf([cloud, agile, null], "x", new IntakeLog()).map(({ id, boardId, state }) => [id, boardId, state])).toEqual([
    ["7", "8", "closed"],
    ["9", "5", "future"],
  ]);
});

test("what cannot be read is reported, not guessed", () => {
  const log = new IntakeLog();
  expect(sprintsOf(["Sprint 5", { name: "no id" }], "x", log)).toEqual([]);
  expect(sprintOf({ id: 1, startDate: "soon" }, "y", log)).toEqual({ ...unknown, kind: "sprint", place: "y", id: "1" });
  expect(log.warnings).toEqual([
    { message: "sprint values that could not be read", count: 2, place: "x" },
    { message: "sprint dates that could not be read", count: 1, place: "y" },
  ]);
});
