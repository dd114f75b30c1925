import { FUNCTION_RULES } from "./function-rules.ts";
import { GRANT_RULES } from "./grant-rules.ts";
import { ROLE_RULES } from "./role-rules.ts";
import type { Outcome, Rule } from "./rule.ts";
import { TABLE_RULES } from "./table-rules.ts";

/** Everything that the catalogues can tell of the walls. */
export const RULES: readonly Rule[] = [...TABLE_RULES, ...GRANT_RULES, ...ROLE_RULES, ...FUNCTION_RULES];

/** Runs one statement and returns its rows as arrays; with search_path = pg_catalog, so that names come out in full. */
export type Ask = (sql: string) => Promise<readonly (readonly unknown[])[]>;

/** Holds every rule against the catalogues that `ask` sees; any login that can connect may ask. */
export async function checkCatalogue(ask: Ask, rules: readonly Rule[] = RULES): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { id, means, sql, fix } of rules) {
    const rows = await ask(`${sql} order by 1, 2`);
    outcomes.push({ id, means, fix, findings: rows.map(([object, detail]) => ({ object: String(object), detail: String(detail) })) });
  }
  return outcomes;
}
