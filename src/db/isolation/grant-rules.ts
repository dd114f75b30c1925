import {
  COLUMN_GRANTS,
  DANGEROUS_BUILT_INS,
  NEEDED_BUILT_INS,
  SCHEMA_USAGE,
  SEQUENCE_GRANTS,
  SERVING_ROLES,
  TABLE_GRANTS,
} from "./expected.ts";
import { array, IS_MEANT, relations, ROLE_NAME, schemas, values } from "./fragments.ts";
import type { Rule } from "./rule.ts";

const REVOKE = "revoke … on … from …; migrations/ shows what was granted.";
const KNOWN_GRANTS = values(TABLE_GRANTS.flatMap(([tables, role, privileges]) => privileges.map((one) => [tables, role, one])));
const SERVING = array([...SERVING_ROLES]);

/** Rules on rights: who may do what to which object. */
export const GRANT_RULES: readonly Rule[] = [
  {
    id: "table-grants",
    means: "On tables nobody has more than their work needs: the reader selects, ingest writes rows, the api login has nothing.",
    sql: `select t.name, format('%s granted to %s%s', lower(a.privilege_type), ${ROLE_NAME}, case when a.is_grantable then ' with grant option' else '' end)
      from ${relations("r,p,v,m,S,f")} t, aclexplode(t.relacl) a
      where a.grantee <> t.relowner and not t.relispartition and (a.is_grantable or not exists (
        select from (${KNOWN_GRANTS}) known (name, role, privilege)
        where t.relkind in ('r', 'p') and ${IS_MEANT} and a.grantee = to_regrole(known.role)::oid and a.privilege_type = known.privilege)
        and not exists (
        select from (${values(SEQUENCE_GRANTS)}) known (name, role, privilege)
        where t.relkind = 'S' and t.name like known.name and a.grantee = to_regrole(known.role)::oid and a.privilege_type = known.privilege))`,
    fix: REVOKE,
  },
  {
    id: "partition-grants",
    means: "Partitions are reached through their parent only: asked directly, one does not have the parent's policies.",
    sql: `select t.name, format('%s granted to %s', lower(a.privilege_type), ${ROLE_NAME})
      from ${relations("r,p,f")} t, aclexplode(t.relacl) a where t.relispartition and a.grantee <> t.relowner`,
    fix: "revoke all on … from …; rights are granted on the parent.",
  },
  {
    id: "column-grants",
    means: "No right that was not meant is granted on a single column, where a look at the table's rights would miss it.",
    sql: `select format('%s.%s', t.name, c.attname), format('%s granted to %s', lower(a.privilege_type), ${ROLE_NAME})
      from ${relations("r,p,v,m,f")} t join pg_attribute c on c.attrelid = t.oid, aclexplode(c.attacl) a
      where a.grantee <> t.relowner and (a.is_grantable or not exists (
        select from (${values(COLUMN_GRANTS)}) known (name, role, privilege)
        where known.name = format('%s.%s', t.name, c.attname) and a.grantee = to_regrole(known.role)::oid and a.privilege_type = known.privilege))`,
    fix: "revoke … (…) on … from ….",
  },
  {
    id: "schema-grants",
    means: "Each role reaches the schemas of its work, and creates in none.",
    sql: `select t.name, format('%s granted to %s', lower(a.privilege_type), ${ROLE_NAME})
      from ${schemas()} t, aclexplode(t.nspacl) a
      where a.grantee <> t.nspowner and not exists (
        select from (${values(SCHEMA_USAGE)}) known (name, role)
        where known.name = t.name and a.grantee = to_regrole(known.role)::oid and a.privilege_type = 'USAGE' and not a.is_grantable)
        and not pg_has_role(a.grantee, (select d.datdba from pg_database d where d.datname = current_database()), 'usage')`,
    fix: REVOKE,
  },
  {
    id: "create-rights",
    means: "No serving role can create anything, not even a temporary table.",
    sql: `select r.role, format('may create in schema %s', t.name) from unnest(${SERVING}) r (role), ${schemas()} t
        where to_regrole(r.role) is not null and has_schema_privilege(to_regrole(r.role)::oid, t.oid, 'create')
      union all
      select r.role, format('has the right %s on the database', lower(p.privilege)) from unnest(${SERVING}) r (role), (values ('CREATE'), ('TEMP')) p (privilege)
        where to_regrole(r.role) is not null and has_database_privilege(to_regrole(r.role)::oid, current_database(), p.privilege)`,
    fix: "revoke create on schema … from …; revoke create, temporary on database … from public.",
  },
  {
    id: "dangerous-built-ins",
    means:
      "No serving role can execute a built-in that changes the context, writes in a read-only transaction, runs SQL text or reaches other sessions.",
    sql: `select r.role, format('may execute %s', string_agg(p.oid::regprocedure::text, ', ' order by p.oid::regprocedure::text))
      from unnest(${SERVING}) r (role), pg_proc p
      where p.pronamespace = 'pg_catalog'::regnamespace and p.proname like any (${array([...DANGEROUS_BUILT_INS])})
        and to_regrole(r.role) is not null and has_function_privilege(to_regrole(r.role)::oid, p.oid, 'execute')
        and not exists (select from (${values(NEEDED_BUILT_INS)}) needed (role, functions) where needed.role = r.role and p.proname like needed.functions)
      group by r.role`,
    fix:
      "Run `metricgate migrate` once as a superuser. A managed server may not let its own functions be revoked: then the second lock cannot be closed, " +
      "and the wall and the bound tenant_id stand without it.",
  },
  {
    id: "default-privileges",
    means: "What is created later starts without rights for anybody.",
    sql: `select d.defaclrole::regrole::text, format('gives %s on new objects (%s) to %s', lower(a.privilege_type), d.defaclobjtype, ${ROLE_NAME})
        from pg_default_acl d, aclexplode(d.defaclacl) a where a.grantee <> d.defaclrole
      union all
      select 'metricgate_owner', 'new functions may be executed by public'
        where not exists (
          select from pg_default_acl d where d.defaclrole = to_regrole('metricgate_owner')::oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f')`,
    fix: "alter default privileges … revoke … from …; alter default privileges for role metricgate_owner revoke execute on functions from public.",
  },
  {
    id: "large-objects",
    means: "There is no large object: no wall holds one.",
    sql: `select format('large object %s', l.oid), format('of %s', l.lomowner::regrole) from pg_largeobject_metadata l`,
    fix: "select lo_unlink(…) as its owner.",
  },
];
