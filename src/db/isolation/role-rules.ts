import { LOGIN_ROLES, MEMBERSHIPS, SERVING_ROLES } from "./expected.ts";
import { array, functions, relations, schemas, values } from "./fragments.ts";
import type { Rule } from "./rule.ts";

const OUR_ROLES = "(select r.* from pg_roles r where r.rolname like 'metricgate\\_%')";
const NOT_OWNING = array([...SERVING_ROLES, "metricgate_migrator"]);

/** Rules on roles: what they are, whom they may become, what they own. */
export const ROLE_RULES: readonly Rule[] = [
  {
    id: "roles-present",
    means: "Every role of this release exists.",
    sql: `select role, 'does not exist' from unnest(${array([...SERVING_ROLES, "metricgate_owner", "metricgate_migrator"])}) role where to_regrole(role) is null`,
    fix: "Run `metricgate migrate` once as a user that may create roles.",
  },
  {
    id: "role-powers",
    means: "No role of ours is a superuser, passes row-level security, makes roles or databases, or replicates.",
    sql: `select t.rolname::text, concat_ws(', ', case when t.rolsuper then 'superuser' end, case when t.rolbypassrls then 'bypassrls' end,
        case when t.rolcreaterole then 'createrole' end, case when t.rolcreatedb then 'createdb' end, case when t.rolreplication then 'replication' end)
      from ${OUR_ROLES} t where t.rolsuper or t.rolbypassrls or t.rolcreaterole or t.rolcreatedb or t.rolreplication`,
    fix: "alter role … nosuperuser nobypassrls nocreaterole nocreatedb noreplication.",
  },
  {
    id: "role-logins",
    means: "The owner and the roles that carry rights cannot log in, and a serving login inherits nothing.",
    sql: `select t.rolname::text, case when t.rolcanlogin then 'can log in' else 'cannot log in' end
        from ${OUR_ROLES} t
        where t.rolcanlogin and t.rolname in ('metricgate_owner', 'metricgate_reader', 'metricgate_audit_reader')
          or not t.rolcanlogin and t.rolname = any (${array([...LOGIN_ROLES])})
      union all
      select t.rolname::text, 'inherits the rights of roles that it may become'
        from ${OUR_ROLES} t where t.rolinherit and t.rolcanlogin and t.rolname <> 'metricgate_migrator'`,
    fix: "alter role … nologin, or alter role … noinherit.",
  },
  {
    id: "role-memberships",
    means: "No role of ours may become another one, a built-in one of power, or anybody's, but api the reader and migrator the owner.",
    sql: `select t.rolname::text, format('is a member of %s', m.roleid::regrole)
        from ${OUR_ROLES} t join pg_auth_members m on m.member = t.oid
        where not exists (
          select from (${values(MEMBERSHIPS)}) known (member, role)
          where to_regrole(known.member)::oid = m.member and to_regrole(known.role)::oid = m.roleid) or m.admin_option
      union all
      select m.member::regrole::text, format('is a member of %s and not a role of metricgate', t.rolname)
        from ${OUR_ROLES} t join pg_auth_members m on m.roleid = t.oid join pg_roles other on other.oid = m.member
        where other.rolname not like 'metricgate\\_%' and not other.rolcreaterole and not other.rolsuper`,
    fix: "revoke … from ….",
  },
  {
    id: "owned-by-owner",
    means: "Everything of ours belongs to metricgate_owner, which nobody logs in as.",
    sql: `select t.name, format('belongs to %s', t.relowner::regrole) from ${relations("r,p,v,m,S,f")} t where t.relowner is distinct from to_regrole('metricgate_owner')::oid
      union all
      select t.name, format('belongs to %s', t.proowner::regrole) from ${functions()} t where t.proowner is distinct from to_regrole('metricgate_owner')::oid
      union all
      select t.name, format('belongs to %s', t.nspowner::regrole) from ${schemas()} t
        where t.name <> 'public' and t.nspowner is distinct from to_regrole('metricgate_owner')::oid`,
    fix: "alter … owner to metricgate_owner, or drop it where no migration made it.",
  },
  {
    id: "logins-own-nothing",
    means: "No login and no serving role owns anything: an owner passes or lowers its own walls.",
    sql: `select r.role, format('owns %s', pg_describe_object(d.classid, d.objid, d.objsubid))
      from unnest(${NOT_OWNING}) r (role) join pg_shdepend d
        on d.refclassid = 'pg_authid'::regclass and d.refobjid = to_regrole(r.role)::oid and d.deptype = 'o'
      where d.dbid in (0, (select oid from pg_database where datname = current_database()))`,
    fix: "alter … owner to metricgate_owner.",
  },
  {
    id: "context-preset",
    means: "No role and no database brings a tenant, a role or weaker reading rules along.",
    sql: `select coalesce(r.rolname::text, 'every role') || case when s.setdatabase = 0 then '' else ' in this database' end, format('starts with %s', setting)
      from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) setting
      where (s.setdatabase = 0 or s.setdatabase = (select oid from pg_database where datname = current_database()))
        and (r.rolname is null or r.rolname like 'metricgate\\_%') and (
        setting ~* '^(app[.]|role=|session_authorization=|search_path=|row_security=|session_preload_libraries=|local_preload_libraries=)'
        or setting = 'default_transaction_read_only=off' and r.rolname = 'metricgate_api')`,
    fix: "alter role … reset …, or alter database … reset ….",
  },
];
