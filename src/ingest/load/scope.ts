import type { PoolClient } from "pg";

/** A connection inside the tenant's writing transaction. */
export type IngestClient = PoolClient;

/** One import's place: every statement carries both. */
export interface Target {
  readonly client: IngestClient;
  readonly tenantId: number;
  readonly instanceId: string;
}

/** Which issues of the instance a derivation covers; null is all of them. */
export type IssueScope = readonly number[] | null;

/** Runs a derivation's statement: $1 tenant, $2 instance, $3 issue numbers or null. */
export async function runScoped(target: Target, text: string, scope: IssueScope): Promise<number> {
  const result = await target.client.query(text, [target.tenantId, target.instanceId, scope]);
  return result.rowCount ?? 0;
}

/** The predicate of a scope over a table aliased `i` (warehouse.issue). */
export const ISSUE_IN_SCOPE = "i.tenant_id = $1 and i.instance_id = $2 and ($3::bigint[] is null or i.issue_no = any ($3))";

/** The predicate of a scope over a table aliased `e` (warehouse.issue_event), so that a small scope uses its key. */
export const EVENT_IN_SCOPE = "e.tenant_id = $1 and ($3::bigint[] is null or e.issue_no = any ($3))";

/**
 * The statements after the batches join whole tables that have no statistics yet: a planner that believes them small
 * loops over them, which took 40 s where hashing takes 0.2 s.
 */
export async function planForBulk(target: Target): Promise<void> {
  await target.client.query("SET LOCAL enable_nestloop = off");
}
