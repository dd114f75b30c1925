import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { PoolClient } from "pg";
import type { Database } from "../db/database.ts";
import { withTenantWrite } from "../db/tenant-session.ts";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";
import { ownerOf } from "./job.ts";
import { QUEUE_LIMITS } from "./limits.ts";
import { observeLookUps } from "./look-up.ts";

type Row = readonly unknown[];

interface Chunk {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly bytes: Buffer;
}

/** A whole result, ready to be stored in one transaction. */
export interface PackedResult {
  readonly id: string;
  /** All of the answer but its rows. JSON. */
  readonly answer: unknown;
  readonly rowCount: number;
  readonly chunks: readonly Chunk[];
}

/** Takes rows as they come and holds them compressed: 100,000 of them in a few megabytes. */
export interface ResultPacker {
  /** Throws TOO_LARGE beyond QUEUE_LIMITS.resultBytes. */
  add(rows: readonly Row[]): Promise<void>;
  pack(answer: unknown): PackedResult;
}

const compress = promisify(gzip);
const decompress = promisify(gunzip);

export function resultPacker(): ResultPacker {
  const chunks: Chunk[] = [];
  let rowCount = 0;
  let held = 0;
  return {
    add: async (rows) => {
      if (rows.length === 0) return;
      const bytes = await compress(JSON.stringify(rows), { level: 3 });
      held += bytes.length;
      if (held > QUEUE_LIMITS.resultBytes)
        throw new AppError(
          "TOO_LARGE",
          `The result is larger than ${QUEUE_LIMITS.resultBytes / 2 ** 20} MB compressed; nothing was kept.`,
          {
            next: "Ask for fewer rows, or for fewer columns of long text.",
          },
        );
      chunks.push({ firstRow: rowCount, rowCount: rows.length, bytes });
      rowCount += rows.length;
    },
    pack: (answer) => ({ id: `res_${randomBytes(16).toString("base64url")}`, answer, rowCount, chunks }),
  };
}

/** Stores a result in the caller's transaction; the tenant's oldest leave where it has too much. */
export async function insertResult(
  client: PoolClient,
  { tenantId, jobId, owner }: { readonly tenantId: number; readonly jobId: string; readonly owner: string },
  { id, answer, rowCount, chunks }: PackedResult,
): Promise<void> {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  await client.query(
    `delete from jobs.result where tenant_id = $1 and (expires_at < now() or result_id in (
       select result_id from (select result_id, sum(bytes) over (order by created_at desc, result_id) as held from jobs.result where tenant_id = $1) r
       where r.held > $2))`,
    [tenantId, QUEUE_LIMITS.tenantBytes - bytes],
  );
  await client.query(
    `insert into jobs.result (tenant_id, result_id, job_id, owner, answer, row_count, bytes, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, now() + $8 * interval '1 hour')`,
    [tenantId, id, jobId, owner, JSON.stringify(answer), rowCount, bytes, QUEUE_LIMITS.keptHours],
  );
  for (const chunk of chunks)
    await client.query("insert into jobs.result_chunk (tenant_id, result_id, first_row, row_count, rows) values ($1, $2, $3, $4, $5)", [
      tenantId,
      id,
      chunk.firstRow,
      chunk.rowCount,
      chunk.bytes,
    ]);
}

/** Some rows of a stored result. */
export interface StoredPage {
  readonly answer: unknown;
  readonly rows: readonly Row[];
  readonly rowCount: number;
}

/** Reads what jobs found. Undefined alike where it is absent, expired or somebody else's. */
export interface StoredResults {
  page(
    principal: Principal,
    resultId: string,
    bounds: { readonly offset: number; readonly limit: number },
  ): Promise<StoredPage | undefined>;
}

export function storedResults(database: () => Promise<Database>, observe: Observe): StoredResults {
  const looked = observeLookUps("result", observe);
  return {
    page: async (principal, resultId, { offset, limit }) => {
      if (!/^res_[\w-]{22}$/.test(resultId)) return undefined;
      const read = await looked(principal, async () =>
        withTenantWrite(
          await database(),
          principal.tenant.id,
          (client) => readChunks(client, { principal, resultId, offset, limit }),
          "jobs",
        ),
      );
      if (read === undefined) return undefined;
      const parts = await Promise.all(
        read.chunks.map(async ({ first_row: firstRow, rows }) => {
          const all = JSON.parse((await decompress(rows)).toString()) as readonly Row[];
          return all.slice(Math.max(0, offset - firstRow), Math.max(0, offset + limit - firstRow));
        }),
      );
      return { answer: read.answer, rowCount: read.rowCount, rows: parts.flat() };
    },
  };
}

interface Wanted {
  readonly principal: Principal;
  readonly resultId: string;
  readonly offset: number;
  readonly limit: number;
}

async function readChunks(client: PoolClient, { principal, resultId, offset, limit }: Wanted) {
  const tenantId = principal.tenant.id;
  const found = await client.query<{ answer: unknown; rowCount: number }>(
    `select answer, row_count as "rowCount" from jobs.result where tenant_id = $1 and result_id = $2 and owner = $3 and expires_at > now()`,
    [tenantId, resultId, ownerOf(principal)],
  );
  const [result] = found.rows;
  if (result === undefined) return undefined;
  const { rows: chunks } = await client.query<{ first_row: number; rows: Buffer }>(
    `select first_row, rows from jobs.result_chunk
     where tenant_id = $1 and result_id = $2 and first_row < $4 and first_row + row_count > $3 order by first_row`,
    [tenantId, resultId, offset, offset + limit],
  );
  return { ...result, chunks };
}
