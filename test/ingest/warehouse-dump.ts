import type { TestDatabase } from "../support/databases.ts";

const TABLES = [
  "tenant_state",
  "instance",
  "status",
  "project",
  "sprint",
  "issue",
  "issue_event",
  "status_interval",
  "blocked_interval",
  "sprint_issue",
  "sprint_member",
];

/** Every row of a tenant as text, but for the columns that record that an import ran. */
export async function dumpOf(db: TestDatabase, tenantId: number): Promise<string> {
  return db.asSuperuser(async (client) => {
    const parts: string[] = [];
    for (const table of TABLES) {
      const { rows } = await client.query<{ row: string }>(
        `select (to_jsonb(t) - 'imported_at' - 'updated_at' - 'data_version' || case when '${table}' = 'issue' then jsonb_build_object('updated', to_jsonb(t) -> 'updated_at') else '{}' end)::text as row
         from warehouse.${table} t where tenant_id = $1 order by 1`,
        [tenantId],
      );
      parts.push(`${table} ${rows.length}`, ...rows.map(({ row }) => row));
    }
    return parts.join("\n");
  });
}

/** Rows of one statement, read past the walls. */
export async function rowsOf(db: TestDatabase, text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
  return db.asSuperuser(async (client) => (await client.query<Record<string, unknown>>(text, [...values])).rows);
}
