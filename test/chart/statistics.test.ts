import { expect, test } from "vitest";
import { bins, boxOf, cumulative, quantile, roundScale, spread, xmrLimits } from "../../src/chart/statistics.ts";
import { bucketText, cleanText, fitted, formatOf, labelsOf, numberText, widthOf, wrapped } from "../../src/chart/words.ts";

test("the limits of an XmR chart, worked out by hand", () => {
  // Mean 5; moving ranges 2, 2, 4, 2, of mean 2.5; 2.66 × 2.5 = 6.65.
  const { mean, upper, lower, signals } = xmrLimits(
    [4, 6, 4, 8, 6].map((value) => value - 0.6),
    0,
  );
  expect(mean).toBeCloseTo(5);
  expect(upper).toBeCloseTo(11.65);
  expect(lower).toBe(0);
  expect(signals).toEqual([null, null, null, null, null]);
  expect(xmrLimits([4, 6, 4, 8, 6], -Infinity).lower).toBeCloseTo(5.6 - 6.65);
});

test("a value beyond a limit and the eighth on one side are signals; a value on the mean ends a run", () => {
  // Mean 4.5, limits 4.5 ± 5.85: nothing is beyond, but each half keeps to its side.
  const { signals } = xmrLimits([4, 2, 4, 2, 4, 2, 4, 2, 7, 5, 7, 5, 7, 5, 7, 5], 0);
  expect(signals.flatMap((signal, index) => (signal === null ? [] : [[index, signal]]))).toEqual([
    [7, "run"],
    [15, "run"],
  ]);
  const outlier = xmrLimits([5, 5, 5, 5, 5, 5, 5, 5, 5, 50], 0);
  expect(outlier.signals.at(-1)).toBe("beyond");
  expect(xmrLimits([7], 0)).toMatchObject({ mean: 7, upper: 7, lower: 7 });
});

test("quantiles are PostgreSQL's percentile_cont", () => {
  expect([0, 0.25, 0.5, 0.75, 1].map((fraction) => quantile([1, 2, 3, 4], fraction))).toEqual([1, 1.75, 2.5, 3.25, 4]);
});

test("a box ends at the last value within one and a half of its widths", () => {
  expect(boxOf([1, 2, 3, 4, 5, 30])).toEqual({ low: 1, q1: 2.25, median: 3.5, q3: 4.75, high: 5, outliers: [30], count: 6 });
  expect(boxOf([4])).toMatchObject({ low: 4, q1: 4, median: 4, q3: 4, high: 4, outliers: [] });
});

test("bins are equal, round, and hold every value once", () => {
  const values = Array.from({ length: 200 }, (_, index) => (index * 37) % 101);
  const found = bins(values, { isInteger: true });
  expect(found.reduce((sum, bin) => sum + bin.count, 0)).toBe(200);
  const widths = new Set(found.map(({ from, to }) => to - from));
  expect(widths.size).toBe(1);
  expect(found.slice(1).every((bin, index) => bin.from === found[index]?.to)).toBe(true);
  for (const same of [bins([3, 3, 3], { isInteger: true }), bins([0.1, 0.1], { isInteger: false }), bins([0, 0], { isInteger: true })])
    expect(same.reduce((sum, bin) => sum + bin.count, 0)).toBeGreaterThan(1);
});

test("running totals", () => {
  expect(cumulative([1, 2, 3])).toEqual([1, 3, 6]);
});

test.each([
  [[1, 97], {}, { low: 0, high: 100, step: 20 }],
  [[3], { isInteger: true }, { low: 0, high: 3, step: 1 }],
  [[0], { isInteger: true }, { low: 0, high: 1, step: 1 }],
  [[-4, 6], { isInteger: true }, { low: -4, high: 6, step: 2 }],
  [[0.12, 0.31], {}, { low: 0, high: 0.4, step: 0.1 }],
  [[90, 100], { hasZero: false }, { low: 90, high: 100, step: 2 }],
  [[], {}, { low: 0, high: 1, step: 0.2 }],
])("a scale for %j %j", (values, options, scale) => {
  expect(roundScale(values, options)).toEqual(scale);
});

test("labels move apart no further than they must and stay inside", () => {
  expect(spread([10, 12, 50], { gap: 14, size: 100 })).toEqual([10, 24, 50]);
  const placed = spread([99, 100, 100], { gap: 14, size: 100 });
  expect(placed).toEqual([72, 86, 100]);
});

test("numbers are written for people", () => {
  expect(numberText(1234.5, ",.1f")).toBe("1,234.5");
  expect(numberText(-0.234, ".0%")).toBe("−23%");
  expect(numberText(-0.0001, ".0%")).toBe("0%");
  expect(numberText(3, "+,d")).toBe("+3");
  expect(numberText(0, "+,d")).toBe("0");
  expect(numberText(null, ",d")).toBe("–");
  expect(formatOf("ratio", [0.5])).toBe(".0%");
  expect(formatOf("ratio", [0.05])).toBe(".1%");
  expect(formatOf("days", [3.25])).toBe(",.1f");
  expect(formatOf("days", [0.4])).toBe(",.2f");
  expect(formatOf("hours", [1234.5])).toBe(",.0f");
  expect(formatOf("z", [1])).toBe("+.2f");
});

test("buckets are named by their grain", () => {
  expect((["day", "week", "month", "quarter", "year"] as const).map((grain) => bucketText("2024-05-06", grain))).toEqual([
    "6 May 2024",
    "week of 6 May 2024",
    "May 2024",
    "Q2 2024",
    "2024",
  ]);
});

test("text is measured in the bundled typeface, cut and wrapped", () => {
  expect(widthOf("Cycle time (days)")).toBeCloseTo(91, 0);
  expect(widthOf("WWW", { isSemiBold: true })).toBeGreaterThan(widthOf("WWW"));
  expect(widthOf("工作")).toBe(22);
  expect(fitted("a rather long label", 60)).toMatch(/^a rather.*…$/);
  expect(widthOf(fitted("a rather long label", 60))).toBeLessThanOrEqual(60);
  expect(wrapped("one two three four five six", { widthPx: 60, maxLines: 2 })).toHaveLength(2);
});

test("text from the data loses what a picture cannot hold, and stays apart", () => {
  expect(cleanText("a\u0000b\u202ec\ud800d\n e")).toBe("a b c d e");
  expect(cleanText("x".repeat(500))).toHaveLength(201);
  expect([...labelsOf([null, "", "a", "a\u200b"]).values()]).toEqual(["(none)", "(empty)", "a", "a (2)"]);
});
