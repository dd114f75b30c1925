import type { Plan } from "./plan.ts";

/** Names of a statement's columns: the agreement between the compiler, which writes them, and the shaper, which reads them. */
export const ORDER_COLUMN = "ord";
export const TOTAL_COLUMN = "total_rows";
export const AS_OF_COLUMN = "data_as_of";
export const VERSION_COLUMN = "data_version";
export const ROWS_READ_COLUMN = "rows_read";
export const PARTIAL_COLUMN = "is_partial";
export const TIME_COLUMN = "bucket";

export const dimensionColumn = (index: number): string => `d${index + 1}`;
export const outputColumn = (index: number): string => `o${index + 1}`;
export const previousColumn = (index: number): string => `o${index + 1}_previous`;
export const deltaColumn = (index: number): string => `o${index + 1}_delta`;
export const missingColumn = (index: number): string => `missing${index + 1}`;

/** Whether the plan compares with an earlier period. */
export const isCompared = (plan: Plan): boolean => plan.time.shift !== null;

/** The notes of all facts, in order. */
export const planNotes = (plan: Plan) => plan.facts.flatMap((fact) => fact.notes);

/** All columns of a plan's statement, in order: what is read in pieces comes without names. */
export function statementColumns(plan: Plan): string[] {
  const outputs = plan.outputs.flatMap((_, index) =>
    isCompared(plan) ? [outputColumn(index), previousColumn(index), deltaColumn(index)] : [outputColumn(index)],
  );
  return [
    AS_OF_COLUMN,
    VERSION_COLUMN,
    ...plan.valueChecks.map((_, index) => missingColumn(index)),
    ORDER_COLUMN,
    TOTAL_COLUMN,
    ROWS_READ_COLUMN,
    ...planNotes(plan).map(({ id }) => id),
    PARTIAL_COLUMN,
    TIME_COLUMN,
    ...plan.dimensions.map((_, index) => dimensionColumn(index)),
    ...outputs,
  ];
}
