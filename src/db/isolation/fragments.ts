import { CLOSED_TO_READER } from "./expected.ts";

/** Text for a literal inside a rule's statement: rules have no parameters, so that they can be read as they run. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A `values` list, as a table to join with. */
export function values(rows: readonly (readonly string[])[]): string {
  return `values ${rows.map((row) => `(${row.map(literal).join(", ")})`).join(", ")}`;
}

export function array(texts: readonly string[]): string {
  return `array[${texts.map(literal).join(", ")}]::text[]`;
}

/** Schemas that are not the system's own; `public` and whatever somebody added included. */
const OURS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

/** Not a part of an extension: which of those may be there is a rule of its own. */
function notOfExtension(catalogue: string, oid: string): string {
  return `not exists (select from pg_depend x where x.classid = ${literal(catalogue)}::regclass and x.objid = ${oid} and x.deptype = 'e')`;
}

/** `c` with its name as `t.name`: every relation of ours, of the given kinds. */
export function relations(kinds: string): string {
  return `(select c.*, format('%s.%s', n.nspname, c.relname) as name, n.nspname as schema
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where ${OURS} and c.relkind = any (${literal(`{${kinds}}`)}) and ${notOfExtension("pg_class", "c.oid")})`;
}

/** As `relations`, every function and procedure of ours; `t.name` is its signature. */
export function functions(): string {
  return `(select p.*, p.oid::regprocedure::text as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (${OURS} or p.oid >= 16384) and ${notOfExtension("pg_proc", "p.oid")})`;
}

/** As `relations`, every schema of ours. */
export function schemas(): string {
  return `(select n.*, n.nspname as name from pg_namespace n where ${OURS} and ${notOfExtension("pg_namespace", "n.oid")})`;
}

/** Whether an expected right or policy `known` (by pattern of the table's name and by role) is meant for the table `t`. */
export const IS_MEANT = `t.name like known.name and not (known.role = 'metricgate_reader' and t.name = any (${array([...CLOSED_TO_READER])}))`;

export const ROLE_NAME = "case a.grantee when 0 then 'public' else a.grantee::regrole::text end";
