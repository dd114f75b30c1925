import type { Rows } from "../db/database.ts";

/** The planner's guess of a statement: rows out and cost in its own unit (a sequentially read page is 1). */
export interface Estimate {
  readonly rows: number;
  readonly cost: number;
}

/** Reads what `explain (format json)` answered. */
export function readEstimate({ rows }: Rows): Estimate {
  const cell = rows[0]?.[0];
  const trees = (typeof cell === "string" ? JSON.parse(cell) : cell) as { Plan?: Record<string, number> }[] | undefined;
  const plan = trees?.[0]?.Plan ?? {};
  return { rows: plan["Plan Rows"] ?? 0, cost: plan["Total Cost"] ?? 0 };
}
