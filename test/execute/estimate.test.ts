import { expect, test } from "vitest";
import { readEstimate, workOf } from "../../src/execute/estimate.ts";

const scan = { "Node Type": "Seq Scan", "Relation Name": "issue", "Plan Rows": 100, "Total Cost": 20 };
const tree = (plans: readonly object[]) => [{ Plan: { "Plan Rows": 12, "Total Cost": 34.5, Plans: plans } }];
const read = (cell: unknown) => readEstimate({ columns: ["QUERY PLAN"], rows: [[cell]] });

test("the planner's guess is read from JSON or its text, and is nothing where there is none", () => {
  const expected = { rows: 12, cost: 34.5, readCost: 20, stackedRows: 12, repeatsRows: false };
  for (const cell of [tree([scan]), JSON.stringify(tree([scan]))]) expect(read(cell)).toEqual(expected);
  const nothing = { rows: 0, cost: 0, readCost: 0, stackedRows: 0, repeatsRows: false };
  for (const cell of [null, "[{}]"]) expect(read(cell)).toEqual(nothing);
  expect(readEstimate({ columns: [], rows: [] })).toEqual(nothing);
});

test("rows repeated for their buckets and the facts put together are found by their names", () => {
  const series = (alias: string) => ({ "Node Type": "Function Scan", "Function Name": "generate_series", Alias: alias });
  const stack = { "Subplan Name": "CTE grid_stack", "Plan Rows": 7, Plans: [scan, { Plans: [series("held_1")] }] };
  expect(read(tree([stack]))).toMatchObject({ stackedRows: 7, repeatsRows: true });
  expect(read(tree([series("bucket")]))).toMatchObject({ repeatsRows: false });
});

test("work grows with buckets and groups, and where rows are repeated also with the buckets alone", () => {
  const plain = { rows: 1, cost: 9000, readCost: 500, stackedRows: 1, repeatsRows: false };
  expect(workOf(plain, { buckets: 1, groups: 1 })).toBe(9001);
  expect(workOf(plain, { buckets: 100, groups: 1000 })).toBe(99_000);
  const repeating = { ...plain, repeatsRows: true };
  expect(workOf(repeating, { buckets: 1000, groups: 1 })).toBe(1900);
  // Never less than reading the tables.
  expect(workOf(repeating, { buckets: 1, groups: 1 })).toBe(501);
});
