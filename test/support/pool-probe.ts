import type { Pool, PoolClient } from "pg";
import type { Database } from "../../src/db/database.ts";
import type { PoolUse } from "../../src/db/login-pools.ts";

/** What a borrower finds on a connection before it asked for anything. */
interface Found {
  readonly tenant: string;
  readonly user: string;
  readonly timeout: string;
  readonly locks: number;
}

/** The settings that each login starts with; anything else was left behind by somebody. */
const FRESH: Readonly<Record<string, Found>> = {
  api: { tenant: "", user: "metricgate_api", timeout: "1min", locks: 0 },
  auditor: { tenant: "", user: "metricgate_auditor", timeout: "10s", locks: 0 },
  directory: { tenant: "", user: "metricgate_directory", timeout: "10s", locks: 0 },
};

const LOOK = `select coalesce(current_setting('app.tenant_id', true), '') as tenant, current_user::text as "user",
  current_setting('statement_timeout') as timeout,
  (select count(*)::int from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks`;

async function lookAt(client: PoolClient, login: string): Promise<string[]> {
  const status = client.getTransactionStatus();
  const { rows } = await client.query<Found>(LOOK);
  const wrong = JSON.stringify(rows[0]) === JSON.stringify(FRESH[login]) ? [] : [`${login}: ${JSON.stringify(rows[0])}`];
  return status === "I" || status === null ? wrong : [...wrong, `${login}: lent in transaction status ${status}`];
}

/** Borrows one connection, whichever is next, and says what was left on it. */
export async function dirtOfNext(database: Database, login: "api" | "auditor" | "directory"): Promise<string[]> {
  const client = await database.pool(login).connect();
  let isWell = false;
  try {
    const dirt = await lookAt(client, login);
    isWell = true;
    return dirt;
  } finally {
    client.release(!isWell);
  }
}

/**
 * Borrows every connection that a pool can have, all at once, and says what was left on any; for a moment when nobody else
 * asks. `pool` in place of the login's own: that of another use of the same login.
 */
export async function dirtOfAll(database: Database, login: "api" | "auditor" | "directory", pool: PoolUse = login): Promise<string[]> {
  const lender = database.pool(pool as "api");
  const clients: PoolClient[] = [];
  try {
    await Promise.all(Array.from({ length: lender.options.max }, async () => clients.push(await patiently(lender))));
    return (await Promise.all(clients.map((client) => lookAt(client, login)))).flat();
  } finally {
    for (const client of clients) client.release();
  }
}

const PATIENCE_MS = 10_000;

/** A connection, however little time the pool gives a new one to be made. */
async function patiently(lender: Pool): Promise<PoolClient> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await lender.connect();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}
