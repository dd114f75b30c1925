import { describe, expect, test } from "vitest";
import { compose } from "../../src/chart/compose.ts";
import type { Frame } from "../../src/chart/field.ts";
import { KINDS } from "../../src/chart/kinds.ts";
import { AppError } from "../../src/errors.ts";
import { count, days, dimension, frame, months, NO_WISH, previous, ratio, state, time } from "./frames.ts";

const TYPES = Object.keys(KINDS);
const draw = (answer: Frame, type: string) => compose(answer, { ...NO_WISH, type }, "").spec;

/** The rows that a specification draws, wherever they stand in it. */
function valuesIn(spec: unknown): Record<string, unknown>[] {
  if (Array.isArray(spec)) return spec.flatMap(valuesIn);
  if (typeof spec !== "object" || spec === null) return [];
  const { data, ...rest } = spec as { data?: { values?: Record<string, unknown>[] } };
  return [...(data?.values ?? []), ...Object.values(rest).flatMap(valuesIn)];
}

function numbersIn(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(numbersIn);
}

/** Numbers that no measure forbids: none, below zero, all the same, huge, tiny. */
const COLUMNS = {
  "with gaps": [null, 3, null, 7, 0, 1],
  "all missing": [null, null, null, null, null, null],
  "below zero": [-3, -1, -7, -2, -5, -4],
  "of both signs": [-3, 4, 0, -1, 12, -8],
  zero: [0, 0, 0, 0, 0, 0],
  huge: [1e15, 2e15, 9e15, 4e15, 5e15, 1e14],
  tiny: [1e-9, 2e-9, 3e-9, 1e-8, 5e-9, 4e-9],
};

describe.each(Object.entries(COLUMNS))("numbers %s", (_, column) => {
  const at = (index: number): number | null => column[index % column.length] ?? null;
  const groups = ["a", "b", null, "d", "e", "f"];
  const dated = months(6).map((month, row) => [month, at(row), at(row + 1), at(row + 2)]);
  const grouped = groups.map((group, row) => [group, at(row), at(row + 1), at(row + 2)]);
  const crossed = months(6).flatMap((month, row) => groups.slice(0, 4).map((group, other) => [month, group, at(row + other)]));
  const frames: Record<string, Frame> = {
    "one row": frame([count("n"), ratio("r")], [[at(0), at(1)]]),
    "over time": frame([time, count("n"), count("m"), days("x")], dated, { partialBuckets: ["2024-06-01"] }),
    "over time, compared": frame(
      [time, count("n"), previous("n")],
      dated.map((row) => row.slice(0, 3)),
    ),
    "over two buckets": frame([time, dimension("d"), state("n")], crossed.slice(0, 8)),
    "groups over time": frame([time, dimension("d"), count("n")], crossed),
    groups: frame([dimension("d"), count("n"), count("m"), days("x")], grouped, { isSorted: true }),
    "groups compared": frame(
      [dimension("d"), count("n"), previous("n")],
      grouped.map((row) => row.slice(0, 3)),
    ),
    "one group": frame([dimension("d"), ratio("r")], [["a", at(0)]]),
    crossed: frame(
      [dimension("d"), dimension("e"), count("n")],
      groups.flatMap((d, row) => groups.map((e, other) => [d, e, at(row + other)])),
    ),
  };
  test.each(Object.entries(frames))("%s: every type draws finite numbers, or says why it does not", (name, answer) => {
    let drawn = 0;
    for (const type of TYPES)
      try {
        const spec = draw(answer, type);
        drawn += 1;
        expect(
          numbersIn(spec).filter((number) => !Number.isFinite(number)),
          `${type} of ${name}`,
        ).toEqual([]);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        expect(error.code, `${type} of ${name}`).toBe("SPEC_INVALID");
        expect(error.details.problems?.[0]?.message, `${type} of ${name}`).toMatch(new RegExp(`^${type}: `));
      }
    expect(drawn).toBeGreaterThan(0);
  });
});

test("a slope over two buckets leads from the earlier to the later one, in whatever order they come", () => {
  const answer = frame(
    [time, dimension("d"), days("x")],
    [
      ["2024-02-01", "a", 5],
      ["2024-01-01", "a", 2],
      ["2024-01-01", "b", 7],
      ["2024-02-01", "b", null],
    ],
  );
  const spec = draw(answer, "slope");
  const lines = valuesIn(spec).filter(({ x }) => x !== undefined);
  expect(lines.filter(({ series }) => series === "a").map(({ x, y }) => [x, y])).toContainEqual(["Jan 2024", 2]);
  expect(lines.filter(({ series }) => series === "a").map(({ x, y }) => [x, y])).toContainEqual(["Feb 2024", 5]);
  expect(lines.filter(({ series }) => series === "b")).toEqual([]);
  expect(JSON.stringify(spec)).toContain("1 group lacks one of the two");
});

test("a dumbbell holds each group's two numbers, the largest first, unless the spec has an order of its own", () => {
  const rows = [
    ["a", 1, 4],
    ["b", 9, 8],
    ["c", 5, 6],
  ];
  const named = (answer: Frame): unknown[] =>
    valuesIn(draw(answer, "dumbbell"))
      .filter(({ before }) => before !== undefined)
      .map(({ name, before, after }) => [name, before, after]);
  const fields = [dimension("d"), count("n"), count("m")];
  expect(named(frame(fields, rows))).toEqual([
    ["b", 9, 8],
    ["c", 5, 6],
    ["a", 1, 4],
  ]);
  expect(named(frame(fields, rows, { isSorted: true }))).toEqual(rows);
  // Compared with the period before, that comes first.
  expect(named(frame([dimension("d"), count("n"), previous("n")], rows.slice(0, 1)))).toEqual([["a", 4, 1]]);
});
