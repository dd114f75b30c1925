import { AppError } from "../errors.ts";
import type { Database } from "./database.ts";

/**
 * Of the logins that serve, and whoever the connection really is, those that row-level security does not hold: by
 * themselves, or by a role that they may become.
 */
export const POWERFUL_LOGINS = `
  select l.rolname::text as login,
    case when l.rolsuper then 'is a superuser' when l.rolbypassrls then 'passes row-level security'
      when r.oid = l.oid then 'owns tables' else format('may become %s, which %s', r.rolname,
        case when r.rolsuper then 'is a superuser' when r.rolbypassrls then 'passes row-level security' else 'owns tables' end) end as reason
  from pg_roles l join pg_roles r on r.oid = l.oid or pg_has_role(l.oid, r.oid, 'member')
  where (l.rolname = session_user or l.rolname in ('metricgate_api', 'metricgate_ingest', 'metricgate_directory', 'metricgate_auditor', 'metricgate_jobs', 'metricgate_queue'))
    and (r.rolsuper or r.rolbypassrls or exists (
      select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relowner = r.oid and c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'))
  order by l.rolname, r.oid = l.oid desc, r.rolname limit 1`;

/**
 * Refuses a database whose serving logins stand above its walls: one query, once an opening. Throws AppError
 * UNAVAILABLE with the fix. Not for the embedded database, where everybody is the operator.
 */
export async function refusePowerfulLogins(database: Database): Promise<void> {
  const { rows } = await database.read({
    prologue: "BEGIN READ ONLY; SET LOCAL statement_timeout = 10000",
    statement: { text: POWERFUL_LOGINS, values: [] },
    timeoutMs: 10_000,
  });
  const [found] = rows as readonly (readonly [string, string])[];
  if (found === undefined) return;
  const [login, reason] = found;
  throw new AppError("UNAVAILABLE", `The database login ${login} ${reason}: no wall between tenants would hold it.`, {
    next:
      "Take it away (alter role … nosuperuser nobypassrls; revoke … from …; alter table … owner to metricgate_owner), " +
      "run `metricgate migrate`, then `metricgate prove-isolation`.",
  });
}
