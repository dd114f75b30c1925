import { expect, test } from "vitest";
import { IntakeLog } from "../../src/ingest/intake.ts";
import {
  categoryOf,
  cleanText,
  instantField,
  instantOf,
  nameOf,
  namesOf,
  pointsOf,
  projectOfKey,
  requiredInstant,
  requiredName,
  RowProblem,
  shown,
  textOf,
} from "../../src/ingest/values.ts";

test.each([
  ["2014-03-22T07:59:00.123+0100", "2014-03-22T06:59:00.123Z"],
  ["2014-03-22T07:59:00.123456+01:00", "2014-03-22T06:59:00.123Z"],
  ["2014-03-22T07:59:00-0630", "2014-03-22T14:29:00.000Z"],
  ["2014-03-22T07:59Z", "2014-03-22T07:59:00.000Z"],
  ["2014-03-22T07:59:00+02", "2014-03-22T05:59:00.000Z"],
  ["2014-03-22 07:59:00.5", "2014-03-22T07:59:00.500Z"],
  ["2014-03-22", "2014-03-22T00:00:00.000Z"],
  [" 2016-02-29T00:00:00z ", "2016-02-29T00:00:00.000Z"],
])("reads %s as an instant", (text, instant) => {
  expect(instantOf(text)).toBe(instant);
});

test.each([
  "",
  "yesterday",
  "2015-02-29",
  "2014-13-01",
  "2014-00-10",
  "2014-01-01T25:00",
  "2014-01-01T10:61",
  "1-1-2014",
  "0001-01-01",
  "9999-12-31",
  "2014",
])("reads no instant in %j", (text) => {
  expect(instantOf(text)).toBeNull();
});

test("an optional instant may be absent but not wrong", () => {
  expect(instantField(null, "updated_at")).toBeNull();
  expect(instantField("", "updated_at")).toBeNull();
  expect(() => instantField("soon", "updated_at")).toThrow(new RowProblem("updated_at is not a date: soon"));
  expect(() => instantField(1_395_475_140_000, "updated_at")).toThrow("updated_at is not a date: 1395475140000");
  expect(() => requiredInstant(undefined, "created_at")).toThrow("created_at is missing");
});

test("text loses NUL and lone surrogates and nothing else", () => {
  expect(cleanText("a\0b\ud800c 😀\u2028")).toBe("ab\ufffdc 😀\u2028");
  expect(textOf("  kept  ")).toBe("  kept  ");
  expect(nameOf("HAMA-895 ")).toBe("HAMA-895");
  expect([textOf(" \n"), textOf(null), textOf({}), textOf(5), textOf(true)]).toEqual([null, null, null, "5", "true"]);
  expect(() => requiredName(" ", "key")).toThrow("key is missing");
  expect(() => requiredName("k".repeat(501), "key")).toThrow("key is longer than 500 characters");
  expect(nameOf(`${"n".repeat(498)}😀😀`)).toBe(`${"n".repeat(498)}\ufffd…`);
});

test("lists give names once, from texts and objects", () => {
  expect(namesOf(["a", { name: "b" }, { value: "c" }, "a", null, { id: 1 }, ""])).toEqual(["a", "b", "c"]);
  expect(namesOf("one")).toEqual(["one"]);
  expect(namesOf(undefined)).toEqual([]);
});

test("story points: text becomes a number, negative and unreadable become unknown, each reported", () => {
  const log = new IntakeLog();
  const read = [3, 0, "5", " 2,5 ", ".5", -1, "-1", "many", Number.NaN, true, null, ""].map((value) => pointsOf(value, "x:1", log));
  expect(read).toEqual([3, 0, 5, 2.5, 0.5, null, null, null, null, null, null, null]);
  expect(log.warnings).toEqual([
    { message: "story points given as text were read as numbers", count: 4, place: "x:1" },
    { message: "negative story points were read as unknown", count: 2, place: "x:1" },
    { message: "story points that are no number were read as unknown", count: 3, place: "x:1" },
  ]);
});

test("categories in the words of the trackers", () => {
  expect(["new", "indeterminate", "done", "To Do", "In Progress", "undefined"].map(categoryOf)).toEqual([
    "new",
    "in_progress",
    "done",
    "new",
    "in_progress",
    "new",
  ]);
  expect([categoryOf("odd"), categoryOf(4)]).toEqual([null, null]);
});

test("a key names its project", () => {
  expect([projectOfKey("A-B-12"), projectOfKey("AB12"), projectOfKey("AB-")]).toEqual(["A-B", null, null]);
});

test("values are shown short", () => {
  expect(shown("x".repeat(80))).toHaveLength(58);
  expect(shown({ a: 1 })).toBe('{"a":1}');
  expect(shown(undefined)).toBe("undefined");
});
