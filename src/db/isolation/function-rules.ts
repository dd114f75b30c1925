import { DEFINER_FUNCTIONS, EXTENSIONS, FUNCTION_GRANTS, TENANT_FUNCTION } from "./expected.ts";
import { array, functions, literal, ROLE_NAME, values } from "./fragments.ts";
import type { Rule } from "./rule.ts";

/** By catalogue, since asking by name needs a right on the schema, which the asking login does not have. */
const IS_TENANT_FUNCTION =
  "p.proname = 'tenant_id' and p.pronargs = 0 and p.pronamespace = (select oid from pg_namespace where nspname = 'ctx')";

/** Rules on code in the database. */
export const FUNCTION_RULES: readonly Rule[] = [
  {
    id: "tenant-function",
    means:
      "ctx.tenant_id() reads the transaction's setting and nothing else, and is STABLE: an IMMUTABLE one gave one tenant another's rows.",
    sql: `select 'ctx.tenant_id()', coalesce((
        select format('volatility %s, parallel %s, language %s%s, body: %s', p.provolatile, p.proparallel,
          (select lanname from pg_language l where l.oid = p.prolang), case when p.prosecdef then ', security definer' else '' end, p.prosrc)
        from pg_proc p where ${IS_TENANT_FUNCTION}), 'does not exist')
      where not exists (
        select from pg_proc p
        where ${IS_TENANT_FUNCTION} and p.provolatile = 's' and p.proparallel = 's' and not p.prosecdef
          and not p.proleakproof and p.proconfig is null and p.prorettype = 'int4'::regtype and not p.proretset
          and p.prolang = (select oid from pg_language where lanname = 'sql') and p.prosrc = ${literal(TENANT_FUNCTION)})`,
    fix: "create or replace it as migrations/0001-schema.sql has it.",
  },
  {
    id: "definer-functions",
    means: "Only the functions that must run with the owner's rights do so, and they look names up in pg_catalog first.",
    sql: `select t.name, case when t.name = any (${array([...DEFINER_FUNCTIONS])}) then 'its search_path is not pinned' else 'runs with the rights of ' || t.proowner::regrole end
      from ${functions()} t
      where t.prosecdef and (t.name <> all (${array([...DEFINER_FUNCTIONS])})
        or not coalesce('search_path=pg_catalog, pg_temp' = any (t.proconfig), false))`,
    fix: "alter function … security invoker, or drop it; set search_path = pg_catalog, pg_temp where it is ours.",
  },
  {
    id: "function-grants",
    means: "A function is executed only by whom a migration names, never by everybody.",
    sql: `select t.name, format('may be executed by %s', ${ROLE_NAME})
      from ${functions()} t, aclexplode(coalesce(t.proacl, acldefault('f', t.proowner))) a
      where a.grantee <> t.proowner and (a.is_grantable or not exists (
        select from (${values(FUNCTION_GRANTS)}) known (name, role) where (known.name = t.name or right(known.name, 2) = '.%' and t.name like known.name) and a.grantee = to_regrole(known.role)::oid))`,
    fix: "revoke execute on function … from ….",
  },
  {
    id: "leakproof-functions",
    means: "No function of ours claims to be leakproof: it would see rows before the wall does.",
    sql: `select t.name, 'is marked leakproof' from ${functions()} t where t.proleakproof`,
    fix: "alter function … not leakproof.",
  },
  {
    id: "extensions",
    means: "Only known extensions are installed: others can read files, other servers or other sessions.",
    sql: `select e.extname::text, 'is not on the list' from pg_extension e where e.extname <> all (${array([...EXTENSIONS])})`,
    fix: "drop extension …, or read what it can do and add it to src/db/isolation/expected.ts.",
  },
];
