import type { Rows } from "../db/database.ts";

/** The planner's guess of a statement: rows out and cost in its own unit (a sequentially read page is 1). */
export interface Estimate {
  readonly rows: number;
  readonly cost: number;
  /** Cost of reading the tables alone. */
  readonly readCost: number;
  /** Rows of facts put together, before gaps are filled: as many groups as there are where only one bucket is asked. */
  readonly stackedRows: number;
  /** Whether rows are repeated for each bucket they touch, for which the planner takes 1000, knowing no better. */
  readonly repeatsRows: boolean;
}

interface Node {
  readonly "Node Type"?: string;
  readonly "Subplan Name"?: string;
  readonly "Relation Name"?: string;
  readonly "Function Name"?: string;
  readonly Alias?: string;
  readonly "Plan Rows"?: number;
  readonly "Total Cost"?: number;
  readonly Plans?: readonly Node[];
}

/** The compiler's names of what repeats rows, and of the facts put together. */
const REPEATING = /^(held|touched)/;
const STACK = "CTE grid_stack";

/** Reads what `explain (format json)` answered. */
export function readEstimate({ rows }: Rows): Estimate {
  const cell = rows[0]?.[0];
  const trees = (typeof cell === "string" ? JSON.parse(cell) : cell) as { Plan?: Node }[] | undefined;
  const root = trees?.[0]?.Plan ?? {};
  const nodes = [...nodesOf(root)];
  const reads = nodes.filter((node) => node["Relation Name"] !== undefined);
  return {
    rows: root["Plan Rows"] ?? 0,
    cost: root["Total Cost"] ?? 0,
    readCost: reads.reduce((sum, node) => sum + (node["Total Cost"] ?? 0), 0),
    stackedRows: nodes.find((node) => node["Subplan Name"] === STACK)?.["Plan Rows"] ?? root["Plan Rows"] ?? 0,
    repeatsRows: nodes.some((node) => node["Function Name"] === "generate_series" && REPEATING.test(node.Alias ?? "")),
  };
}

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}

/** Buckets that the planner takes a series for. */
const ASSUMED_BUCKETS = 1000;
/** What a unit of cost is worth in time: a row repeated for its buckets is dear to the planner and cheap to run. */
const REPEATED_COST = 1 / 9;
/** Work of one cell of the grid: about 2.6 µs, at about 400 units of work a millisecond. */
const CELL_WORK = 0.9;

/** How heavy a statement is, in units of planner cost (about 400 a millisecond), given the buckets and groups of its answer. */
export function workOf({ cost, readCost, repeatsRows }: Estimate, { buckets, groups }: { buckets: number; groups: number }): number {
  const running = repeatsRows ? Math.max(readCost, cost * (buckets / ASSUMED_BUCKETS) * REPEATED_COST) : cost;
  return Math.round(running + buckets * groups * CELL_WORK);
}
