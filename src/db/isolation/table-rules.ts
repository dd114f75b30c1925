import { TENANT_EXPRESSION, TENANT_POLICIES, WITHOUT_WALL } from "./expected.ts";
import { array, IS_MEANT, literal, relations, values } from "./fragments.ts";
import type { Rule } from "./rule.ts";

const MIGRATE = "Find out who changed it, then undo the change; migrations/ shows how it was made.";
const EXEMPT = array(WITHOUT_WALL.map(({ table }) => table));
const TABLES = relations("r,p");
/** Tables, partitions included, that hold tenants' rows. */
const WALLED = `(select * from ${TABLES} w where w.name <> all (${EXEMPT}))`;
const TENANT = literal(TENANT_EXPRESSION);

/** What a policy says, in words. */
const POLICY = `format('policy %s: %s, for %s, to %s, using %s, with check %s', p.polname,
  case when p.polpermissive then 'permissive' else 'restrictive' end,
  case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
  (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ') from unnest(p.polroles) r),
  coalesce(pg_get_expr(p.polqual, p.polrelid), 'nothing'), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'nothing'))`;

/** The index columns of `array` that are the tenant, as a test on the first. */
const TENANT_COLUMN = "(select a.attnum from pg_attribute a where a.attrelid = %s and a.attname = 'tenant_id' and not a.attisdropped)";
const tenantColumnOf = (relation: string): string => TENANT_COLUMN.replace("%s", relation);

/** Rules on tables: their walls, keys and what hangs on them. */
export const TABLE_RULES: readonly Rule[] = [
  {
    id: "rls-enabled",
    means: "Row-level security is enabled on every table and partition.",
    sql: `select t.name, 'row-level security is off' from ${TABLES} t where not t.relrowsecurity`,
    fix: "alter table … enable row level security; a new table of a migration calls ctx.raise_wall.",
  },
  {
    id: "rls-forced",
    means: "Row-level security holds the table's owner too.",
    sql: `select t.name, 'row-level security is not forced' from ${TABLES} t where not t.relforcerowsecurity`,
    fix: "alter table … force row level security; a new table of a migration calls ctx.raise_wall.",
  },
  {
    id: "tenant-wall",
    means: "Every table with tenants' rows has the one restrictive wall, exactly as migrations make it.",
    sql: `select t.name, coalesce((select string_agg(${POLICY}, '; ') from pg_policy p where p.polrelid = t.oid and not p.polpermissive),
        'no restrictive policy')
      from ${WALLED} t
      where not exists (
        select from pg_policy p
        where p.polrelid = t.oid and not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
          and pg_get_expr(p.polqual, p.polrelid) = ${TENANT} and pg_get_expr(p.polwithcheck, p.polrelid) = ${TENANT})`,
    fix: "Drop what stands in its place and raise the wall again: select ctx.raise_wall('<table>').",
  },
  {
    id: "policy-known",
    means: "No policy lets anybody see or write what a migration did not mean them to.",
    sql: `select t.name, ${POLICY}
      from ${TABLES} t join pg_policy p on p.polrelid = t.oid
      where p.polpermissive and not case when t.name = any (${EXEMPT})
        then exists (
          select from (${values(WITHOUT_WALL.flatMap(({ table, roles }) => roles.map((role) => [table, role])))}) known (name, role)
          where known.name = t.name and p.polroles = array[to_regrole(known.role)::oid])
        else not t.relispartition and exists (
          select from (${values(TENANT_POLICIES)}) known (name, role, command)
          where ${IS_MEANT} and p.polroles = array[to_regrole(known.role)::oid] and p.polcmd::text = known.command
            and coalesce(pg_get_expr(p.polqual, p.polrelid), ${TENANT}) = ${TENANT}
            and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ${TENANT}) = ${TENANT}
            and (p.polqual is not null or p.polcmd = 'a') and (p.polwithcheck is not null or p.polcmd = 'r'))
        end`,
    fix: `drop policy … on …. ${MIGRATE}`,
  },
  {
    id: "policy-missing",
    means: "Each login that has work on a table has its policy there: without it every answer is empty, and looks right.",
    sql: `select t.name, format('no policy for %s', known.role)
      from ${WALLED} t join (${values(TENANT_POLICIES)}) known (name, role, command) on ${IS_MEANT}
      where not t.relispartition and not exists (
        select from pg_policy p
        where p.polrelid = t.oid and p.polpermissive and p.polroles = array[to_regrole(known.role)::oid] and p.polcmd::text = known.command)`,
    fix: MIGRATE,
  },
  {
    id: "tenant-column",
    means: "Every table with tenants' rows has tenant_id, an integer that is never null.",
    sql: `select t.name, coalesce((
          select format('tenant_id is %s%s', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then '' else ' and may be null' end)
          from pg_attribute a where a.attrelid = t.oid and a.attname = 'tenant_id' and not a.attisdropped), 'no column tenant_id')
      from ${WALLED} t
      where not exists (
        select from pg_attribute a
        where a.attrelid = t.oid and a.attname = 'tenant_id' and a.attnotnull and a.atttypid = 'int4'::regtype and not a.attisdropped)`,
    fix: "alter table … alter column tenant_id set not null; a table without tenants' rows is named in src/db/isolation/expected.ts.",
  },
  {
    id: "key-leads-with-tenant",
    means: "Every primary key and unique key begins with tenant_id, so that no key tells of another tenant's row.",
    sql: `select t.name, format('%s does not begin with tenant_id', i.indexrelid::regclass)
      from ${WALLED} t join pg_index i on i.indrelid = t.oid
      where (i.indisunique or i.indisexclusion) and i.indkey[0] is distinct from ${tenantColumnOf("t.oid")}`,
    fix: "Make the key anew with tenant_id first.",
  },
  {
    id: "foreign-key-carries-tenant",
    means: "Every foreign key to tenants' rows carries tenant_id: one on an id alone tells whether a foreign row exists.",
    sql: `select t.name, format('%s: %s', k.conname, pg_get_constraintdef(k.oid))
      from ${TABLES} t join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
      where exists (select from ${WALLED} target where target.oid = k.confrelid) and not exists (
        select from unnest(k.conkey, k.confkey) pair (own, other)
        where pair.own = ${tenantColumnOf("k.conrelid")} and pair.other = ${tenantColumnOf("k.confrelid")})
      or exists (select from ${WALLED} own where own.oid = t.oid) and k.conkey[1] is distinct from ${tenantColumnOf("k.conrelid")}`,
    fix: "Make the foreign key anew as (tenant_id, …) references … (tenant_id, …).",
  },
  {
    id: "foreign-keys-enforced",
    means: "No key's or constraint's trigger was switched off.",
    sql: `select t.name, format('%s is disabled', g.tgname) from ${TABLES} t join pg_trigger g on g.tgrelid = t.oid
      where g.tgisinternal and g.tgenabled <> 'O'`,
    fix: "alter table … enable trigger all.",
  },
  {
    id: "views",
    means: "There is no view, or it runs as its caller behind a barrier.",
    sql: `select t.name, format('a view of %s without security_invoker and security_barrier', t.relowner::regrole)
      from ${relations("v")} t
      where not coalesce(t.reloptions::text[] && '{security_invoker=true,security_invoker=on,security_invoker=1}', false)
        or not coalesce(t.reloptions::text[] && '{security_barrier=true,security_barrier=on,security_barrier=1}', false)`,
    fix: "drop view …, or alter view … set (security_invoker = true, security_barrier = true).",
  },
  {
    id: "materialized-views",
    means: "There is no materialized view: row-level security cannot hold it.",
    sql: `select t.name, 'a materialized view holds rows outside the walls' from ${relations("m")} t`,
    fix: "drop materialized view …; a rollup is an ordinary table with a wall.",
  },
  {
    id: "foreign-tables",
    means: "There is no foreign table: its rows come from where no wall is.",
    sql: `select t.name, 'a foreign table' from ${relations("f")} t`,
    fix: "drop foreign table ….",
  },
  {
    id: "triggers",
    means: "No trigger does more than was asked: one could copy rows elsewhere.",
    sql: `select t.name, pg_get_triggerdef(g.oid) from ${relations("r,p,v,f")} t join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal`,
    fix: "drop trigger … on ….",
  },
  {
    id: "rewrite-rules",
    means: "No rewrite rule turns a statement into another one.",
    sql: `select t.name, pg_get_ruledef(r.oid) from ${relations("r,p,v,f")} t join pg_rewrite r on r.ev_class = t.oid where r.rulename <> '_RETURN'`,
    fix: "drop rule … on ….",
  },
  {
    id: "publications",
    means: "No table is published to a subscriber, who would get every tenant's rows.",
    sql: `select p.pubname::text, 'publishes tables by logical replication' from pg_publication p
      where p.puballtables or exists (select from pg_publication_tables x where x.pubname = p.pubname)`,
    fix: "drop publication …, or accept knowingly that its subscribers see every tenant.",
  },
];
