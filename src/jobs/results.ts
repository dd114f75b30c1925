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
import { ANSWER_LIMITS, QUEUE_LIMITS } from "./limits.ts";
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
  /** All of the answer but its rows, as JSON text. */
  readonly answer: string;
  readonly rowCount: number;
  /** All rows as JSON text, where they are few; otherwise they are in the chunks. */
  readonly fewRows: string | null;
  readonly chunks: readonly Chunk[];
  /** How long it has been there, in milliseconds. */
  readonly ageMs: number;
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
    pack: (answer) => ({
      id: `res_${randomBytes(16).toString("base64url")}`,
      answer: JSON.stringify(answer),
      rowCount,
      fewRows: null,
      chunks,
      ageMs: 0,
    }),
  };
}

/** What a call was answered. */
export interface CallAnswer {
  readonly id: string;
  /** All of it but its rows. JSON. */
  readonly answer: unknown;
  readonly rows: readonly Row[];
}

/** A call's answer as it is written, whose handle was given out already. */
export async function packAnswer({ id, answer, rows }: CallAnswer, ageMs: number): Promise<PackedResult> {
  const rest = { id, answer: JSON.stringify(answer), rowCount: rows.length, ageMs };
  const text = JSON.stringify(rows);
  if (rows.length <= ANSWER_LIMITS.fewRows) return { ...rest, fewRows: text, chunks: [] };
  return { ...rest, fewRows: null, chunks: [{ firstRow: 0, rowCount: rows.length, bytes: await compress(text, { level: 3 }) }] };
}

/** Whose a result is; `jobId` is null for the answer of a call. */
export interface ResultOwner {
  readonly tenantId: number;
  readonly jobId: string | null;
  readonly owner: string;
}

/** What counts against the tenant's bound. */
function storedBytes({ answer, fewRows, chunks }: PackedResult): number {
  const compressed = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  return compressed + answer.length + (fewRows?.length ?? 0);
}

const BOUNDS = {
  job: { isOfKind: "job_id is not null", bytes: QUEUE_LIMITS.tenantBytes, count: null },
  call: { isOfKind: "job_id is null", bytes: ANSWER_LIMITS.tenantBytes, count: ANSWER_LIMITS.perTenant },
} as const;

/** The tenant's oldest leave where it has too much; what jobs found and what calls were answered do not push each other out. */
export async function makeRoom(client: PoolClient, tenantId: number, kind: keyof typeof BOUNDS): Promise<void> {
  const { isOfKind, bytes, count } = BOUNDS[kind];
  await client.query(
    `with turn as materialized (select pg_advisory_xact_lock(hashtext('metricgate.results'), $1))
     delete from jobs.result where tenant_id = $1 and ${isOfKind} and exists (select from turn) and (expires_at < now() or result_id in (
       select result_id from (
         select result_id, sum(bytes) over newest as held, row_number() over newest as place
         from jobs.result where tenant_id = $1 and ${isOfKind} window newest as (order by created_at desc, result_id rows unbounded preceding)
       ) kept where held > $2 or place > $3))`,
    [tenantId, bytes, count],
  );
}

/** Stores a result in the caller's transaction, unless it is stored. */
export async function insertResult(client: PoolClient, { tenantId, jobId, owner }: ResultOwner, packed: PackedResult): Promise<void> {
  const { id, answer, rowCount, fewRows, chunks, ageMs } = packed;
  const inserted = await client.query(
    `insert into jobs.result (tenant_id, result_id, job_id, owner, answer, few_rows, row_count, bytes, created_at, expires_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, since, since + $10 * interval '1 hour' from (select now() - $9 * interval '1 millisecond' as since) s
     on conflict (tenant_id, result_id) do nothing`,
    [tenantId, id, jobId, owner, answer, fewRows, rowCount, storedBytes(packed), ageMs, QUEUE_LIMITS.keptHours],
  );
  if (inserted.rowCount !== 1) return;
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

/** Reads what jobs found and calls were answered. Undefined alike where it is absent, expired or somebody else's. */
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
      const rows = read.fewRows?.slice(offset, offset + limit) ?? parts.flat();
      return { answer: read.answer, rowCount: read.rowCount, rows };
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
  const found = await client.query<{ answer: unknown; rowCount: number; fewRows: readonly Row[] | null }>(
    `select answer, row_count as "rowCount", few_rows as "fewRows" from jobs.result where tenant_id = $1 and result_id = $2 and owner = $3 and expires_at > now()`,
    [tenantId, resultId, ownerOf(principal)],
  );
  const [result] = found.rows;
  if (result === undefined || result.fewRows !== null) return result && { ...result, chunks: [] };
  const { rows: chunks } = await client.query<{ first_row: number; rows: Buffer }>(
    `select first_row, rows from jobs.result_chunk
     where tenant_id = $1 and result_id = $2 and first_row < $4 and first_row + row_count > $3 order by first_row`,
    [tenantId, resultId, offset, offset + limit],
  );
  return { ...result, chunks };
}
