import type { Catalog } from "./catalog/catalog.ts";
import type { Rows } from "./db/database.ts";
import { AppError } from "./errors.ts";
import type { KeptResults } from "./kept-results.ts";
import { must } from "./must.ts";
import { buildPlan } from "./plan/build.ts";
import { type DrillPlace, drillOf } from "./plan/drill.ts";
import type { Plan } from "./plan/plan.ts";
import { type DrillResult, shapeDrill } from "./result/drill.ts";
import type { Cell } from "./result/result.ts";
import type { KeptPage, Rowless } from "./result/page.ts";
import { type DrillRequest, parseDrillRequest, rowIndex } from "./spec/requests.ts";
import { compileDrill } from "./sql/drill.ts";
import type { Statement } from "./sql/fragment.ts";
import type { Principal } from "./tenant.ts";

export interface Drilling {
  readonly catalog: Catalog;
  readonly principal: Principal;
  readonly results: KeptResults;
  readonly now: () => Date;
  /** Runs a statement for the principal's tenant, in turn. */
  readonly read: (statement: Statement) => Promise<Rows>;
}

/**
 * The rows behind one number of a stored result, of the data as it is now. Throws AppError NOT_FOUND alike for absent and foreign
 * handles, and SPEC_INVALID for a row or measure that the result does not have.
 */
export async function drillDown(request: DrillRequest, { catalog, principal, results, now, read }: Drilling): Promise<DrillResult> {
  const startMs = performance.now();
  const kept = await results.page(principal, request.result_id, { offset: rowIndex(request.row) ?? 0, limit: 1 });
  // A catalog that has changed means other numbers: the result is no longer one of this server's.
  if (kept === undefined || kept.stored.basis.catalogHash !== catalog.hash) throw noResult();
  const { stored, rowCount } = kept;
  const { answer, meta } = stored;
  const measures = meta.spec.measures.map(({ as }) => as);
  const { row, measure, limit } = parseDrillRequest(request, {
    rows: rowCount,
    hasTotals: answer.totals !== undefined,
    measures,
  });
  const plan = planOf(stored, catalog, now());
  const output = must(plan.outputs[measure], "the measure's output");
  const cells = cellsOf(kept, row);
  const drill = drillOf(plan, output, placeOf(stored, row, cells), catalog);
  const rows = await read(compileDrill({ drill, limit }, principal, catalog));
  const queryTimeMs = Math.round((performance.now() - startMs) * 10) / 10;
  return shapeDrill(rows, { id: request.result_id, stored, row, cells, output, drill, catalog, queryTimeMs });
}

/** The plan that the result came from: its spec over the days that were meant then. */
function planOf({ meta: { spec }, basis }: Rowless, catalog: Catalog, now: Date): Plan {
  const time = spec.time && { ...spec.time, range: null, from: basis.from, to: basis.to, compare: "none" as const };
  return buildPlan({ ...spec, time, sort: [] }, { catalog, now, weekStart: basis.weekStart });
}

function cellsOf({ stored: { answer }, rows }: KeptPage, row: number | "totals"): readonly Cell[] {
  return row === "totals" ? must(answer.totals, "the totals") : must(rows[0], "the row");
}

function placeOf({ answer: { columns } }: Rowless, row: number | "totals", cells: readonly Cell[]): DrillPlace {
  if (row === "totals") return { kind: "totals" };
  const textAt = (index: number): string | null => (cells[index] === null || cells[index] === undefined ? null : String(cells[index]));
  const at = (role: "time" | "dimension"): number[] => columns.flatMap((column, index) => (column.role === role ? [index] : []));
  const [time] = at("time");
  return { kind: "row", bucket: time === undefined ? null : textAt(time), values: at("dimension").map(textAt) };
}

function noResult(): AppError {
  return new AppError("NOT_FOUND", "There is no result with this id.", {
    next: "Run the spec again; results are kept for a day.",
  });
}
