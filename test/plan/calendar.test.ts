import { expect, test } from "vitest";
import { addDays, addGrain, addMonths, bucketCount, dayIn, rangeDays, shiftOf, spanOf, startOf } from "../../src/plan/calendar.ts";
import { RANGES, type SpecTime } from "../../src/spec/spec.ts";

test("today depends on the zone", () => {
  const now = new Date("2024-03-31T22:30:00Z");
  expect(["UTC", "Europe/Prague", "America/Los_Angeles", "Pacific/Kiritimati"].map((zone) => dayIn(zone, now))).toEqual([
    "2024-03-31",
    "2024-04-01",
    "2024-03-31",
    "2024-04-01",
  ]);
});

test("days are added over month ends, leap days and years", () => {
  expect(addDays("2024-02-28", 1)).toBe("2024-02-29");
  expect(addDays("2023-02-28", 1)).toBe("2023-03-01");
  expect(addDays("2024-01-01", -1)).toBe("2023-12-31");
  expect(addDays("0099-12-31", 1)).toBe("0100-01-01");
});

test.each([
  ["2024-01-31", 1, "2024-02-29"],
  ["2023-01-31", 1, "2023-02-28"],
  ["2024-03-31", -1, "2024-02-29"],
  ["2024-02-29", 12, "2025-02-28"],
  ["2024-12-15", 1, "2025-01-15"],
  ["2024-01-15", -1, "2023-12-15"],
  ["0050-01-31", 1, "0050-02-28"],
])("%s and %i months are %s", (day, months, sum) => {
  expect(addMonths(day, months)).toBe(sum);
});

test("a bucket starts where its grain says, weeks on the tenant's day", () => {
  const starts = (day: string) => (["day", "month", "quarter", "year"] as const).map((grain) => startOf(grain, day, 1));
  expect(starts("2024-05-17")).toEqual(["2024-05-17", "2024-05-01", "2024-04-01", "2024-01-01"]);
  expect(
    ["2024-01-31", "2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"].map((day) => startOf("quarter", day, 1).slice(5, 7)),
  ).toEqual(["01", "01", "04", "07", "10"]);
  // 2024-01-07 is a Sunday.
  expect(startOf("week", "2024-01-07", 1)).toBe("2024-01-01");
  expect(startOf("week", "2024-01-07", 7)).toBe("2024-01-07");
  expect(startOf("week", "2024-01-06", 7)).toBe("2023-12-31");
  expect(startOf("week", "2024-01-07", 6)).toBe("2024-01-06");
  for (const weekStart of [1, 2, 3, 4, 5, 6, 7]) {
    const start = startOf("week", "2024-02-29", weekStart);
    expect(new Date(start).getUTCDay()).toBe(weekStart % 7);
    expect(start <= "2024-02-29" && addDays(start, 7) > "2024-02-29").toBe(true);
  }
});

test("a grain is added as a calendar does", () => {
  expect([
    addGrain("day", "2024-02-29", 1),
    addGrain("week", "2024-02-29", -1),
    addGrain("month", "2024-01-01", 2),
    addGrain("quarter", "2024-10-01", 1),
    addGrain("year", "2024-01-01", -1),
  ]).toEqual(["2024-03-01", "2024-02-22", "2024-03-01", "2025-01-01", "2023-01-01"]);
});

test.each([
  ["last_7_days", "2024-02-24", "2024-03-02"],
  ["last_14_days", "2024-02-17", "2024-03-02"],
  ["last_30_days", "2024-02-01", "2024-03-02"],
  ["last_90_days", "2023-12-03", "2024-03-02"],
  ["last_6_months", "2023-09-02", "2024-03-02"],
  ["last_12_months", "2023-03-02", "2024-03-02"],
  ["this_week", "2024-02-26", "2024-03-04"],
  ["last_week", "2024-02-19", "2024-02-26"],
  ["this_month", "2024-03-01", "2024-04-01"],
  ["last_month", "2024-02-01", "2024-03-01"],
  ["this_quarter", "2024-01-01", "2024-04-01"],
  ["last_quarter", "2023-10-01", "2024-01-01"],
  ["this_year", "2024-01-01", "2025-01-01"],
  ["last_year", "2023-01-01", "2024-01-01"],
  ["all", null, null],
] as const)("on Friday 2024-03-01 %s is from %s to before %s", (range, from, to) => {
  expect(rangeDays(range, "2024-03-01", 1)).toEqual({ from, to });
});

test("every range but all has both ends, in order", () => {
  for (const range of RANGES.filter((name) => name !== "all")) {
    const { from, to } = rangeDays(range, "2024-12-31", 7);
    expect(from !== null && to !== null && from < to).toBe(true);
  }
});

test("a span is whole months between firsts of months, else days", () => {
  expect(spanOf("2023-11-01", "2024-02-01")).toEqual({ months: 3 });
  expect(spanOf("2024-02-01", "2024-02-15")).toEqual({ days: 14 });
  expect(spanOf("2024-02-15", "2024-03-15")).toEqual({ days: 29 });
});

test("buckets are counted as touched", () => {
  expect(bucketCount("day", "2024-02-28", "2024-03-01", 1)).toBe(2);
  expect(bucketCount("week", "2024-01-07", "2024-01-09", 1)).toBe(2);
  expect(bucketCount("week", "2024-01-07", "2024-01-09", 7)).toBe(1);
  for (const [grain, from, to, exact] of [
    ["month", "2023-01-01", "2024-01-01", 12],
    ["quarter", "2023-01-01", "2024-01-01", 4],
    ["year", "2020-01-01", "2024-01-01", 4],
  ] as const) {
    expect(bucketCount(grain, from, to, 1)).toBeGreaterThanOrEqual(exact);
    expect(bucketCount(grain, from, to, 1)).toBeLessThanOrEqual(exact + 2);
  }
});

test("how far back a comparison looks", () => {
  const time = (rest: Partial<SpecTime>): SpecTime => ({
    grain: null,
    range: null,
    from: null,
    to: null,
    field: "canonical",
    compare: "none",
    ...rest,
  });
  expect(shiftOf(time({}), "2024-01-01", "2024-02-01")).toBeNull();
  expect(shiftOf(time({ compare: "previous_period" }), "2024-01-01", "2024-03-01")).toEqual({ months: 2 });
  expect(shiftOf(time({ compare: "previous_period" }), "2024-01-10", "2024-01-20")).toEqual({ days: 10 });
  expect(shiftOf(time({ compare: "previous_period" }), null, "2024-01-20")).toBeNull();
  expect(shiftOf(time({ compare: "previous_year", grain: "month" }), "2024-01-01", "2024-02-01")).toEqual({ months: 12 });
  expect(shiftOf(time({ compare: "previous_year", grain: "week" }), null, null)).toEqual({ days: 364 });
});
