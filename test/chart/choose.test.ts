import { expect, test } from "vitest";
import { choose, wishProblems } from "../../src/chart/choose.ts";
import { compose } from "../../src/chart/compose.ts";
import type { Frame } from "../../src/chart/field.ts";
import { AppError } from "../../src/errors.ts";
import type { ChartType } from "../../src/spec/chart.ts";
import { count, days, dimension, frame, months, NO_WISH, previous, ratio, state, time } from "./frames.ts";

const over = (many: number, ...values: number[]) => months(many).map((month) => [month, ...values]);
const groups = (many: number, ...values: number[]) => Array.from({ length: many }, (_, index) => [`g${index}`, ...values]);
const crossed = (many: number, others: number, value = 1) =>
  groups(many).flatMap(([group]) => Array.from({ length: others }, (_, index) => [group ?? "", `h${index}`, value]));
const timed = (buckets: number, many: number) => months(buckets).flatMap((month) => groups(many).map(([group]) => [month, group ?? "", 1]));

test.each<readonly [string, Frame, ChartType]>([
  ["one number", frame([count("a")], [[1]]), "kpi"],
  ["several numbers of one row", frame([count("a"), ratio("b")], [[1, 0.5]]), "kpi"],
  ["a count over a year of months", frame([time, count("a")], over(12, 3)), "bar"],
  ["a count over more", frame([time, count("a")], over(13, 3)), "line"],
  ["a median over time", frame([time, days("a")], over(6, 3)), "line"],
  ["two buckets", frame([time, days("a")], over(2, 3)), "bar"],
  ["two counts over time", frame([time, count("a"), count("b")], over(6, 3, 4)), "multi_line"],
  ["different units over time", frame([time, count("a"), days("b")], over(6, 3, 4)), "kpi"],
  ["few groups over time", frame([time, dimension("d"), days("a")], timed(6, 6)), "multi_line"],
  ["more groups over time", frame([time, dimension("d"), days("a")], timed(6, 12)), "small_multiples"],
  ["many groups over time", frame([time, dimension("d"), days("a")], timed(6, 13)), "heatmap"],
  ["groups", frame([dimension("d"), ratio("a")], groups(5, 0.5)), "horizontal_bar"],
  ["groups compared", frame([dimension("d"), count("a"), previous("a")], groups(5, 1, 2)), "dumbbell"],
  ["two counts of groups", frame([dimension("d"), count("a"), count("b")], groups(5, 1, 2)), "grouped_bar"],
  ["two units of groups", frame([dimension("d"), count("a"), days("b")], groups(5, 1, 2)), "scatter"],
  ["two dimensions", frame([dimension("d"), dimension("e"), count("a")], crossed(5, 4)), "grouped_bar"],
  ["two large dimensions", frame([dimension("d"), dimension("e"), count("a")], crossed(9, 8)), "heatmap"],
  [
    "three dimensions",
    frame(
      [dimension("d"), dimension("e"), dimension("f"), count("a")],
      [
        ["a", "b", "c", 1],
        ["a", "b", "d", 2],
      ],
    ),
    "table",
  ],
])("%s becomes the chart that shows it", (_, answer, type) => {
  const choice = choose(answer, NO_WISH);
  expect(choice.type).toBe(type);
  expect(choice.reason).toMatch(new RegExp(`^${type}: \\w`));
  expect(choice.alternatives).not.toContain(type);
  // Whatever is offered can be drawn, also in the dark.
  for (const other of [type, ...choice.alternatives])
    expect(compose(answer, { ...NO_WISH, type: other, theme: "dark" }, "").choice.type).toBe(other);
});

function refusal(answer: Frame, wish: Partial<typeof NO_WISH>) {
  try {
    choose(answer, { ...NO_WISH, ...wish });
  } catch (error) {
    if (error instanceof AppError) return error.details.problems?.[0];
    throw error;
  }
  return undefined;
}

const BY_GROUP = frame([dimension("d"), ratio("a")], groups(3, 0.5));
const LABELS = frame([dimension("label", { multiValued: true }), count("a")], groups(3, 5));

test.each<readonly [string, Frame, ChartType, RegExp]>([
  ["a pie of ratios", BY_GROUP, "pie", /a is no sum/],
  ["a Pareto of medians", frame([dimension("d"), days("a")], groups(3, 5)), "pareto", /a is no sum/],
  ["a stack of ratios", frame([time, dimension("d"), ratio("a")], timed(3, 3)), "stacked_bar", /a is no sum/],
  ["a stack of medians over time", frame([time, dimension("d"), days("a")], timed(3, 3)), "stacked_area", /a is no sum/],
  ["a waterfall of a state", frame([time, state("a")], over(3, 5)), "waterfall", /a is no sum/],
  ["a donut of labels, which overlap", LABELS, "donut", /count issues twice/],
  ["a pie with less than nothing in it", frame([dimension("d"), count("a")], groups(3, -5)), "pie", /not negative/],
  ["a stack of twenty", frame([time, dimension("d"), count("a")], timed(2, 20)), "stacked_bar", /20 values/],
  ["a line of one point", frame([time, count("a")], over(1, 5)), "line", /two points/],
  ["a line that hides a dimension", frame([time, dimension("d"), count("a")], timed(3, 3)), "line", /a row for each d/],
  ["limits from three values", frame([time, count("a")], over(3, 5)), "control", /at least 6/],
  ["a calendar of months", frame([time, count("a")], over(6, 5)), "calendar_heatmap", /time by day/],
  ["a scatter of one measure", BY_GROUP, "scatter", /needs 2 measures/],
  ["a burndown of ratios", frame([time, ratio("a")], over(6, 0.5)), "burndown", /stands open/],
])("%s is refused, with what it needs and what fits", (_, answer, type, message) => {
  const problem = refusal(answer, { type });
  expect(problem).toMatchObject({ code: "CHART_INVALID", message: expect.stringMatching(message) });
  expect(problem?.message).toContain("It needs ");
  if (problem?.path === "type") expect(problem.allowed?.length).toBeGreaterThan(0);
});

test("a state at an instant may be stacked over groups, and never added up over time", () => {
  const stacked = frame([time, dimension("d"), state("wip")], timed(4, 3));
  expect(choose(stacked, { ...NO_WISH, type: "stacked_area" }).type).toBe("stacked_area");
  expect(refusal(stacked, { type: "stacked_area", color: "time", x: "d" })?.message).toMatch(/cannot be|over time/);
});

test("columns that were wished for are used, and those that do not fit are told with those that do", () => {
  const answer = frame(
    [dimension("d"), dimension("e"), count("a"), count("b")],
    crossed(3, 2).map((row) => [...row, 7]),
  );
  const { roles } = choose(answer, { ...NO_WISH, type: "heatmap", x: "e", y: "b" });
  expect([roles.x?.name, roles.color?.name, roles.y[0]?.name]).toEqual(["e", "d", "b"]);
  expect(refusal(answer, { type: "heatmap", x: "a" })).toMatchObject({ path: "x", allowed: ["d", "e"] });
  expect(refusal(BY_GROUP, { type: "bar", facet: "d" })).toBeDefined();
});

test("before there are rows the columns alone are judged", () => {
  const none = { ...frame([time, dimension("d"), ratio("a")], []), rows: [] };
  expect(wishProblems({ ...NO_WISH, type: "stacked_bar" }, none)).toMatchObject([{ code: "CHART_INVALID", path: "chart.type" }]);
  expect(wishProblems({ ...NO_WISH, type: "multi_line" }, none)).toEqual([]);
  expect(wishProblems({ ...NO_WISH, type: "auto" }, none)).toEqual([]);
  expect(wishProblems(NO_WISH, none)).toEqual([]);
});

test("what is left of many groups is one bar where numbers add up, and is said to be left out where not", () => {
  const many = Array.from({ length: 40 }, (_, index) => [`g${index}`, 100 * (index + 1)]);
  const few = Array.from({ length: 40 }, (_, index) => [`g${index}`, index < 25 ? 500 - index : 7]);
  const counts = compose(frame([dimension("d"), count("a")], few), { ...NO_WISH, type: "horizontal_bar" }, "");
  expect(JSON.stringify(counts.spec)).toContain('"x":"Other (15)","y":105');
  const flat = compose(frame([dimension("d"), count("a")], many), { ...NO_WISH, type: "horizontal_bar" }, "");
  expect(JSON.stringify(flat.spec)).toContain("the 25 largest of 40 shown; the others come to 12,000");
  expect(JSON.stringify(flat.spec)).not.toContain("Other (");
  const medians = compose(frame([dimension("d"), days("a")], many), { ...NO_WISH, type: "horizontal_bar" }, "");
  expect(JSON.stringify(medians.spec)).not.toContain("Other (");
  expect(JSON.stringify(medians.spec)).toContain("the largest 25 of 40 shown");
  const overlapping = compose(frame([dimension("d", { multiValued: true }), count("a")], many), { ...NO_WISH, type: "horizontal_bar" }, "");
  expect(JSON.stringify(overlapping.spec)).not.toContain("Other (");
});

test("more marks than a picture can show are refused as too large", () => {
  const rows = Array.from({ length: 6000 }, (_, index) => [`g${index}`, index % 97, index % 89]);
  expect(() => compose(frame([dimension("d"), count("a"), count("b")], rows), { ...NO_WISH, type: "scatter" }, "")).toThrow(/6000 marks/);
});

test("an answer without rows has no picture", () => {
  expect(() => compose(frame([time, count("a")], []), NO_WISH, "")).toThrow(/no rows/);
});
