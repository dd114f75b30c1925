import { expect, test } from "vitest";
import { readEstimate } from "../../src/execute/estimate.ts";

const tree = [{ Plan: { "Plan Rows": 12, "Total Cost": 34.5 } }];

test("the planner's guess is read from JSON or its text, and is nothing where there is none", () => {
  for (const cell of [tree, JSON.stringify(tree)])
    expect(readEstimate({ columns: ["QUERY PLAN"], rows: [[cell]] })).toEqual({ rows: 12, cost: 34.5 });
  for (const rows of [[], [[null]], [["[{}]"]]]) expect(readEstimate({ columns: [], rows })).toEqual({ rows: 0, cost: 0 });
});
