import type { ClientBase } from "pg";

/** Schemas of ours: everything but the system's own, `public`, and that of pgvector, which is not everywhere. */
const OURS = `n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public', 'vectors')`;

/** Who besides the owner holds what, as 'select to metricgate_reader'. */
function grants(aclColumn: string, ownerColumn: string): string {
  return `(select coalesce(string_agg(format(e'\\n  grant %s to %s', g.privileges, g.grantee), '' order by g.grantee), '')
    from (select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
        string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as privileges
      from aclexplode(${aclColumn}) a where a.grantee <> ${ownerColumn} group by a.grantee) g)`;
}

const SCHEMAS = `
  select format('schema %I owner %s', n.nspname, n.nspowner::regrole) || ${grants("n.nspacl", "n.nspowner")}
  from pg_namespace n where ${OURS} order by n.nspname`;

const COLUMNS = `(
  select string_agg(format(e'\\n  %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
    case when a.attnotnull then ' not null' else '' end,
    coalesce(case a.attgenerated when 's' then ' generated ' else ' default ' end || pg_get_expr(d.adbin, d.adrelid), ''),
    (select string_agg(format(', grant %s to %s', lower(g.privilege_type), g.grantee::regrole), '' order by 1) from aclexplode(a.attacl) g)), ''
    order by a.attnum)
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`;

const CONSTRAINTS = `(
  select coalesce(string_agg(format(e'\\n  constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), '' order by k.contype, k.conname), '')
  from pg_constraint k where k.conrelid = c.oid and k.contype <> 'n')`;

const INDEXES = `(
  select coalesce(string_agg(e'\\n  ' || pg_get_indexdef(i.indexrelid), '' order by i.indexrelid::regclass::text), '')
  from pg_index i where i.indrelid = c.oid
    and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = c.oid))`;

const POLICIES = `(
  select coalesce(string_agg(format(e'\\n  policy %I %s for %s to %s%s%s', p.polname,
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
      (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ') from unnest(p.polroles) r),
      coalesce(' using ' || pg_get_expr(p.polqual, p.polrelid), ''),
      coalesce(' with check ' || pg_get_expr(p.polwithcheck, p.polrelid), '')), '' order by p.polname), '')
  from pg_policy p where p.polrelid = c.oid)`;

const TRIGGERS = `(
  select coalesce(string_agg(e'\\n  ' || pg_get_triggerdef(t.oid), '' order by t.tgname), '')
  from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal)`;

const RELATIONS = `
  select format('%s %I.%I owner %s%s%s%s',
      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table' else 'table' end,
      n.nspname, c.relname, c.relowner::regrole,
      case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end,
      case when c.relrowsecurity then ' row security' else '' end, case when c.relforcerowsecurity then ' forced' else '' end)
    || coalesce(${COLUMNS}, '') || ${CONSTRAINTS} || ${INDEXES} || ${POLICIES} || ${TRIGGERS}
    || case when c.relkind in ('v', 'm') then e'\\n  as ' || pg_get_viewdef(c.oid) else '' end
    || ${grants("c.relacl", "c.relowner")}
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and not c.relispartition
  order by n.nspname, c.relname`;

/** But for the queue's, which migrations/ has word for word from its package. */
const FUNCTIONS = `
  select format('function %s owner %s', p.oid::regprocedure, p.proowner::regrole)
    || ${grants("coalesce(p.proacl, acldefault('f', p.proowner))", "p.proowner")} || e'\\n' || trim(e'\\n ' from pg_get_functiondef(p.oid))
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where ${OURS} and n.nspname <> 'bullmq' order by p.oid::regprocedure::text`;

const BUILT_INS = `
  select format('built-in %s granted to %s', p.oid::regprocedure, a.grantee::regrole)
  from pg_proc p, aclexplode(p.proacl) a
  where p.pronamespace = 'pg_catalog'::regnamespace and a.grantee <> 0 and a.grantee::regrole::text like 'metricgate\\_%'
  order by 1`;

const DEFAULTS = `
  select format('default privileges of %s for %s%s', d.defaclrole::regrole, d.defaclobjtype, ${grants("d.defaclacl", "d.defaclrole")})
  from pg_default_acl d order by 1`;

/**
 * The whole schema as text, from the catalogues: the same on every server version and on the embedded database, so that
 * it can be kept in git and compared. For a superuser's connection.
 */
export async function dumpSchema(client: ClientBase): Promise<string> {
  const parts: string[] = ["-- What the migrations make, read back from the catalogues. Written by `npm run schema:dump`; do not edit."];
  await client.query("begin read only; set local search_path = pg_catalog");
  for (const sql of [SCHEMAS, RELATIONS, FUNCTIONS, BUILT_INS, DEFAULTS]) {
    const { rows } = await client.query({ text: sql, rowMode: "array" });
    for (const [text] of rows as string[][]) parts.push(text ?? "");
  }
  await client.query("commit");
  return `${parts.join("\n\n")}\n`;
}
