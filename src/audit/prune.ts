import type { Database } from "../db/database.ts";
import { AppError } from "../errors.ts";

/** A month of the trail that was dropped. */
export interface PrunedMonth {
  /** `2026_01`. */
  readonly month: string;
  /** Chains whose last row in it was kept as an anchor. */
  readonly tenants: number;
}

/**
 * Drops the whole months before `before` (`2026-01`), keeping of each chain the last number and hash, so that what is
 * left can still be verified. Runs as the owner. Throws SPEC_INVALID for what is no month, or not past.
 */
export async function pruneTrail(
  database: Database,
  before: string,
  { who, now }: { who: string; now: Date },
): Promise<readonly PrunedMonth[]> {
  const running = now.toISOString().slice(0, 7);
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(before) || before > running) {
    throw new AppError("SPEC_INVALID", `--before takes a month up to ${running}, as in 2026-01.`, {
      next: "The running month is always kept.",
    });
  }
  return database.session("migrator", async (client) => {
    // Rather gives up than waits for a long verification: every answer would wait behind it.
    await client.query("BEGIN; SET LOCAL ROLE metricgate_owner; SET LOCAL lock_timeout = '2s'");
    const { rows } = await client.query<PrunedMonth>("select month, tenants from audit.prune($1::date, $2)", [`${before}-01`, who]);
    await client.query("COMMIT");
    return rows;
  });
}
