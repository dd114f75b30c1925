import type { PoolClient } from "pg";
import type { Database } from "./database.ts";
import { tenantContext } from "./tenant-context.ts";

/**
 * Runs `work` in one transaction of a writing login inside one tenant's wall: it sees, and may write, that
 * tenant's rows only. Commits when `work` resolves; leaves nothing behind when it throws.
 */
export async function withTenantWrite<T>(
  database: Database,
  tenantId: number,
  work: (client: PoolClient) => Promise<T>,
  login: "ingest" | "jobs" = "ingest",
): Promise<T> {
  const context = tenantContext(tenantId);
  return database.session(login, async (client) => {
    await client.query(`BEGIN; ${context}`);
    const done = await work(client);
    await client.query("COMMIT");
    return done;
  });
}
