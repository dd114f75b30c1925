/** PostgreSQL's int, and the directory's check. */
const MAX_TENANT_ID = 2_147_483_647;

/**
 * The utility statement that sets the tenant of the running transaction: a validated integer literal, never a
 * parameter and never a function call, so that an expression can neither write it nor change it (law 1).
 */
export function tenantContext(tenantId: number): string {
  if (!Number.isInteger(tenantId) || tenantId < 1 || tenantId > MAX_TENANT_ID) {
    throw new RangeError("a tenant id is a positive integer");
  }
  return `SET LOCAL app.tenant_id = '${tenantId}'`;
}
