import type { Database } from "./db/database.ts";
import type { Execution } from "./execute/execution.ts";
import { JOB_LIMITS } from "./execute/limits.ts";
import { streamAsTenant } from "./execute/tenant-transaction.ts";
import { statementColumns } from "./plan/columns.ts";
import { nearestValues, type Asking, type Compiled } from "./question.ts";
import { basisOf, metaOf } from "./result/meta.ts";
import { withNearestValues } from "./result/missing-values.ts";
import type { Rowless } from "./result/page.ts";
import type { Cell } from "./result/result.ts";
import { shaper } from "./result/shape.ts";

/** How an answer of any length is taken. */
export interface Taking {
  readonly signal: AbortSignal;
  /** Takes the answer's rows as they come; the next ones come when it has settled. */
  readonly onRows: (rows: readonly (readonly Cell[])[]) => Promise<void>;
}

/** Answers a compiled spec within a job's limits, holding `JOB_LIMITS.batchRows` rows at once; all of it but its rows is returned. */
export async function answerAtLength(
  { spec, plan, statement }: Compiled,
  { catalog, principal, timed }: Asking,
  { database, execution, signal, onRows }: Taking & { readonly database: Database; readonly execution: Execution },
): Promise<Rowless> {
  const startMs = performance.now();
  const shaping = shaper(statementColumns(plan), { spec, plan, catalog });
  const { timeoutMs, batchRows } = JOB_LIMITS;
  await timed("execute", async () => {
    for await (const batch of streamAsTenant(database, principal.tenant, statement, { timeoutMs, signal, batchRows }))
      await onRows(shaping.take(batch));
  });
  const answer = await timed("shape", async () => {
    const read = nearestValues({ catalog, principal }, (look) => execution.read(principal.tenant, look, { signal }));
    return withNearestValues(shaping.finish(), read.known);
  });
  return {
    answer,
    meta: metaOf(spec, answer, catalog),
    basis: basisOf(plan),
    queryTimeMs: Math.round(performance.now() - startMs),
    cached: false,
    expiresAtMs: null,
  };
}
