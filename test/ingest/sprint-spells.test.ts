import { expect, test } from "vitest";
import { spellsOf, sprintIdsOf } from "../../src/ingest/sprint-spells.ts";

test("a set is a list of ids; names and emptiness are none", () => {
  expect([sprintIdsOf("10, 12,13"), sprintIdsOf(""), sprintIdsOf(null), sprintIdsOf("Sprint 5, 12")]).toEqual([
    ["10", "12", "13"],
    [],
    [],
    ["12"],
  ]);
});

test("carried over, taken out, put back", () => {
  const changes = [
    { at: "t1", from: [], to: ["10"] },
    { at: "t2", from: ["10"], to: ["10", "12"] },
    { at: "t3", from: ["10", "12"], to: ["10"] },
    { at: "t4", from: ["10"], to: ["10", "12"] },
  ];
  expect(spellsOf(changes, ["10", "12"])).toEqual([
    { sprintId: "12", addedAt: "t2", removedAt: "t3" },
    { sprintId: "10", addedAt: "t1", removedAt: null },
    { sprintId: "12", addedAt: "t4", removedAt: null },
  ]);
});

test("sprints from before the history, and from no history at all, were joined at an unknown time", () => {
  expect(spellsOf([{ at: "t1", from: ["1", "2"], to: ["2"] }], ["2", "3"])).toEqual([
    { sprintId: "1", addedAt: null, removedAt: "t1" },
    { sprintId: "2", addedAt: null, removedAt: null },
    { sprintId: "3", addedAt: null, removedAt: null },
  ]);
  expect(spellsOf([], ["5", "5"])).toEqual([{ sprintId: "5", addedAt: null, removedAt: null }]);
});

test("a history with a hole: a sprint that a set no longer has ended there, one it already has began before", () => {
  const changes = [
    { at: "t1", from: [], to: ["1"] },
    { at: "t2", from: ["4"], to: ["4", "5"] },
  ];
  expect(spellsOf(changes, [])).toEqual([
    { sprintId: "1", addedAt: "t1", removedAt: "t2" },
    { sprintId: "4", addedAt: null, removedAt: null },
    { sprintId: "5", addedAt: "t2", removedAt: null },
  ]);
});
