import type { ResultStore } from "./cache/result-store.ts";
import type { AnswerWriter } from "./jobs/answer-writer.ts";
import type { JobDesk } from "./jobs/desk.ts";
import type { KeptPage, Rowless, StoredResult } from "./result/page.ts";
import type { Cell } from "./result/result.ts";
import { MAX_FILTER_VALUES } from "./spec/shape.ts";
import type { KeptColumns } from "./spec/result-values.ts";
import type { Principal } from "./tenant.ts";

export interface RowBounds {
  readonly offset: number;
  readonly limit: number;
}

/** Answers by their handle, wherever they are kept: in this process, and in the database with what jobs found. */
export interface KeptResults {
  /** Rows of an answer, fewer than `limit` at its end; undefined alike where it is absent, expired or somebody else's. Throws UNAVAILABLE. */
  page(principal: Principal, id: string, bounds: RowBounds): Promise<KeptPage | undefined>;
}

/** Looks in this process first; a handle that is not one of ours by its form is looked up nowhere. */
export function keptResults(own: Pick<ResultStore<StoredResult>, "get">, jobs: Pick<JobDesk, "page"> | undefined): KeptResults {
  return {
    page: async (principal, id, { offset, limit }) => {
      const stored = own.get(principal, id);
      if (stored !== undefined) {
        const { rows } = stored.answer;
        return { stored, rows: rows.slice(offset, offset + limit), rowCount: rows.length };
      }
      const found = await jobs?.page(principal, id, { offset, limit });
      if (found === undefined) return undefined;
      return { stored: found.answer as Rowless, rows: found.rows as readonly (readonly Cell[])[], rowCount: found.rowCount };
    },
  };
}

/** A store from which each answer is written to the database as well, a little later: there it outlives this process, and others find it. */
export function writtenBehind(own: ResultStore<StoredResult>, writer: Pick<AnswerWriter, "keep">): ResultStore<StoredResult> {
  return {
    get: own.get,
    put: (owner, stored, bytes) => {
      const id = own.put(owner, stored, bytes);
      const { rows, ...rest } = stored.answer;
      writer.keep(owner, { id, rows, answer: { ...stored, answer: rest } satisfies Rowless }, bytes);
      return id;
    },
  };
}

/** What the principal's own results have in their columns, by their handle: as many rows as a filter takes values, and one more. */
export function columnsOf(results: KeptResults, principal: Principal): (id: string) => Promise<KeptColumns | undefined> {
  return async (id) => {
    const found = await results.page(principal, id, { offset: 0, limit: MAX_FILTER_VALUES + 1 });
    return found && { columns: found.stored.answer.columns, rows: found.rows };
  };
}
