import type { PoolClient } from "pg";
import type { Database } from "../db/database.ts";
import { tenantContext } from "../db/tenant-context.ts";
import { type Break, breakAt, breakAtHead, type ChainRow, GENESIS, type Link } from "./chain.ts";

/** How one tenant's chain stands. */
export interface ChainReport {
  /** Rows that were read and follow one another. */
  readonly rows: number;
  /** The last of them; GENESIS for an empty chain. */
  readonly last: Link;
  /** Where verification started: the last row of what retention dropped. */
  readonly anchor?: Link;
  readonly broken?: Break;
}

/** A tenant's chain, by the tenant's short name. */
export interface TenantChain {
  readonly tenant: string;
  readonly report: ChainReport;
}

const BATCH_ROWS = 2_000;

/** The columns that audit.payload hashes, spelled here too: a changed function in the database must not vouch for itself. */
const ROWS = `
  select seq, encode(hash, 'hex'), encode(prev_hash, 'hex'),
    jsonb_build_array(1, tenant_id, seq, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      principal, operation, tool, transport, spec, spec_hash, problems, metric_versions, result_id, row_count,
      duration_ms, outcome, trace_id)::text,
    case operation when 'audit_prune' then spec end, at::text
  from audit.entry where (seq, at) > ($1, $2::timestamptz) order by seq, at limit ${BATCH_ROWS}`;

/**
 * Lends a read-only view of one tenant's trail, all of one instant, under the role that may select and do nothing else.
 * The login is the migrator's: verification is an operator's work, and of all logins only that one may take the role.
 */
export async function withTrail<T>(database: Database, tenantId: number, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const context = tenantContext(tenantId);
  return database.session("migrator", async (client) => {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE metricgate_audit_reader; ${context}`);
    const done = await work(client);
    await client.query("COMMIT");
    return done;
  });
}

/** The recorded head of a tenant's chain; undefined where nothing was ever recorded. */
export async function readHead(client: PoolClient): Promise<Link | undefined> {
  return linkIn(await client.query<LinkRow>("select seq, encode(hash, 'hex') as hash from audit.head"));
}

/**
 * Reads a tenant's whole chain and says where it first breaks. `exported` are heads kept elsewhere: each must be a row
 * of the chain, which finds a tail that was cut off together with the recorded head.
 */
export async function verifyTenant(database: Database, tenantId: number, exported: readonly Link[] = []): Promise<ChainReport> {
  return withTrail(database, tenantId, async (client) => {
    const newest = "select seq, encode(hash, 'hex') as hash from audit.anchor order by seq desc limit 1";
    const anchor = linkIn(await client.query<LinkRow>(newest));
    const walked = await walk(client, anchor ?? GENESIS, exported);
    const { last, attested } = walked;
    const broken =
      walked.broken ??
      (anchor !== undefined && !attested.has(anchor.hash) ? unknownAnchor(anchor) : undefined) ??
      breakAtHead(last, await readHead(client)) ??
      missingExport(last, exported);
    return {
      rows: walked.rows,
      last,
      ...(anchor === undefined ? {} : { anchor }),
      ...(broken === undefined ? {} : { broken }),
    };
  });
}

interface Walked {
  readonly rows: number;
  readonly last: Link;
  /** Hashes of the anchors that rows of the chain tell of. */
  readonly attested: ReadonlySet<string>;
  readonly broken?: Break;
}

async function walk(client: PoolClient, start: Link, exported: readonly Link[]): Promise<Walked> {
  const attested = new Set<string>();
  const exportedAt = Map.groupBy(exported, (link) => link.seq);
  const broken = breakAtExport(start, exportedAt.get(start.seq));
  if (broken !== undefined) return { rows: 0, last: start, attested, broken };
  let [last, rows] = [start, 0];
  for await (const row of chainRows(client)) {
    const broken = breakAt(last, row) ?? breakAtExport(row, exportedAt.get(row.seq));
    if (broken !== undefined) return { rows, last, attested, broken };
    if (row.anchors !== undefined) attested.add(row.anchors.hash);
    last = row;
    rows += 1;
  }
  return { rows, last: { seq: last.seq, hash: last.hash }, attested };
}

async function* chainRows(client: PoolClient): AsyncGenerator<ChainRow> {
  let place: readonly unknown[] = [0, "-infinity"];
  for (;;) {
    const { rows } = await client.query<[number, string, string, string, Link | null, string]>({
      text: ROWS,
      values: [...place],
      rowMode: "array",
    });
    for (const [seq, hash, prevHash, payload, anchors] of rows) {
      yield { seq, hash, prevHash, payload, ...(anchors === null ? {} : { anchors }) };
    }
    const end = rows.at(-1);
    if (end === undefined || rows.length < BATCH_ROWS) return;
    place = [end[0], end[5]];
  }
}

type LinkRow = { readonly seq: number; readonly hash: string };

function linkIn({ rows }: { readonly rows: readonly LinkRow[] }): Link | undefined {
  const [row] = rows;
  return row === undefined ? undefined : { seq: Number(row.seq), hash: row.hash };
}

function unknownAnchor({ seq }: Link): Break {
  const detail = `verification would start after row ${seq}, but no row says that what was before it has been pruned`;
  return { kind: "anchor_unknown", seq, detail };
}

function breakAtExport({ seq, hash }: Link, exported: readonly Link[] = []): Break | undefined {
  return exported.some((link) => link.hash !== hash)
    ? { kind: "not_as_exported", seq, detail: `row ${seq} has another hash than when its head was exported` }
    : undefined;
}

function missingExport(last: Link, exported: readonly Link[]): Break | undefined {
  const lost = exported.find((link) => link.seq > last.seq);
  if (lost === undefined) return undefined;
  const detail = `rows ${last.seq + 1} to ${lost.seq} were there when the head was exported`;
  return { kind: "truncated", seq: last.seq + 1, detail };
}
