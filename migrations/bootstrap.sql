-- Roles (cluster-wide) and the rights in this database that only its owner or a superuser can give or take.
-- Run by `migrate` where the connecting user may create roles; idempotent, and writes nothing when all is right.
-- Passwords are no part of this file.

do $$
declare
  is_super constant boolean := (select rolsuper from pg_roles where rolname = current_user);
  r record;
begin
  -- One at a time in the whole cluster: advisory locks end at the database, this catalogue does not.
  if is_super then
    lock table pg_catalog.pg_authid in share row exclusive mode;
  end if;

  for r in
    select * from (values
      ('metricgate_owner',     'nologin nobypassrls'),
      ('metricgate_migrator',  'login nobypassrls connection limit 5'),
      ('metricgate_ingest',    'login noinherit nobypassrls connection limit 20'),
      ('metricgate_api',       'login noinherit nobypassrls connection limit 60'),
      ('metricgate_reader',    'nologin nobypassrls'),
      ('metricgate_directory', 'login noinherit nobypassrls connection limit 20'),
      ('metricgate_auditor',   'login noinherit nobypassrls connection limit 40'),
      ('metricgate_audit_reader', 'nologin nobypassrls'),
      ('metricgate_jobs',      'login noinherit nobypassrls connection limit 40'),
      ('metricgate_queue',     'login noinherit nobypassrls connection limit 60')
    ) as role (name, attributes)
    where to_regrole(name) is null
  loop
    execute format('create role %I %s', r.name, r.attributes);
  end loop;

  for r in
    select * from (values
      ('metricgate_owner', 'metricgate_migrator'),
      ('metricgate_reader', 'metricgate_api'),
      ('metricgate_audit_reader', 'metricgate_migrator')
    ) as membership (role, member)
    where not exists (
      select from pg_auth_members m
      where m.roleid = to_regrole(role) and m.member = to_regrole(membership.member))
  loop
    execute format('grant %I to %I', r.role, r.member);
  end loop;
  if not is_super and not pg_has_role(current_user, 'metricgate_owner', 'member') then
    execute format('grant metricgate_owner to %I', current_user);
  end if;

  -- Only a superuser may install it; where it is not to be had, issues are found by words alone.
  if is_super and not exists (select from pg_extension where extname = 'vector')
    and exists (select from pg_available_extensions where name = 'vector')
  then
    create schema if not exists vectors authorization metricgate_owner;
    create extension vector schema vectors;
  end if;
  for r in
    select role from unnest(array['metricgate_reader', 'metricgate_ingest']) as role
    where is_super and to_regnamespace('vectors') is not null and not has_schema_privilege(role, 'vectors', 'usage')
  loop
    execute format('grant usage on schema vectors to %I', r.role);
  end loop;

  for r in
    select * from (values
      -- Without these an approximate search gives up before a small tenant has its rows.
      ('metricgate_api', 'hnsw.iterative_scan', 'relaxed_order'),
      ('metricgate_api', 'hnsw.ef_search', '100'),
      ('metricgate_api', 'hnsw.max_scan_tuples', '100000'),
      ('metricgate_api', 'default_transaction_read_only', 'on'),
      ('metricgate_api', 'statement_timeout', '60s'),
      ('metricgate_api', 'lock_timeout', '2s'),
      ('metricgate_api', 'idle_in_transaction_session_timeout', '30s'),
      ('metricgate_directory', 'statement_timeout', '10s'),
      ('metricgate_directory', 'lock_timeout', '2s'),
      ('metricgate_directory', 'idle_in_transaction_session_timeout', '30s'),
      ('metricgate_auditor', 'statement_timeout', '10s'),
      ('metricgate_auditor', 'lock_timeout', '5s'),
      ('metricgate_auditor', 'idle_in_transaction_session_timeout', '30s'),
      ('metricgate_auditor', 'synchronous_commit', 'on'),
      ('metricgate_jobs', 'statement_timeout', '30s'),
      ('metricgate_jobs', 'lock_timeout', '10s'),
      ('metricgate_jobs', 'idle_in_transaction_session_timeout', '30s'),
      ('metricgate_queue', 'statement_timeout', '30s'),
      ('metricgate_queue', 'idle_in_transaction_session_timeout', '30s'),
      ('metricgate_ingest', 'lock_timeout', '30s'),
      ('metricgate_ingest', 'idle_in_transaction_session_timeout', '10min')
    ) as setting (role, name, value)
    where not exists (
      select from pg_db_role_setting s
      where s.setdatabase = 0 and s.setrole = to_regrole(role) and format('%s=%s', name, value) = any (s.setconfig))
  loop
    execute format('alter role %I set %s = %L', r.role, r.name, r.value);
  end loop;
end $$;

do $$
declare
  database constant text := current_database();
  may_alter constant boolean := (
    select pg_has_role(current_user, datdba, 'usage') from pg_database where datname = database);
  r record;
begin
  if may_alter then
    if exists (
      select from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
      where d.datname = database and a.grantee = 0)
    then
      execute format('revoke all on database %I from public', database);
    end if;
    for r in
      select * from (values
        ('metricgate_owner', 'create'),
        ('metricgate_migrator', 'connect'),
        ('metricgate_ingest', 'connect'),
        ('metricgate_api', 'connect'),
        ('metricgate_directory', 'connect'),
        ('metricgate_auditor', 'connect'),
        ('metricgate_jobs', 'connect'),
        ('metricgate_queue', 'connect')
      ) as wanted (role, privilege)
      where not has_database_privilege(role, database, privilege)
    loop
      execute format('grant %s on database %I to %I', r.privilege, database, r.role);
    end loop;
  end if;

  if (select pg_has_role(current_user, nspowner, 'usage') from pg_namespace where nspname = 'public') and exists (
    select from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
    where n.nspname = 'public' and a.grantee = 0)
  then
    revoke all on schema public from public;
  end if;

  -- Built-ins that change the context, write in a read-only transaction, run SQL text, or reach other sessions.
  for r in
    select p.oid::regprocedure as name
    from pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace
      and (p.proname like 'pg\_%advisory\_%' or p.proname in (
        'set_config',
        'lo_create', 'lo_creat', 'lo_from_bytea', 'lo_put', 'lo_unlink', 'lo_open', 'lo_get', 'loread', 'lowrite',
        'lo_truncate', 'lo_truncate64', 'lo_lseek', 'lo_lseek64', 'lo_tell', 'lo_tell64', 'lo_close',
        'pg_terminate_backend', 'pg_cancel_backend', 'pg_notify',
        'pg_sleep', 'pg_sleep_for', 'pg_sleep_until', 'pg_logical_emit_message', 'pg_export_snapshot',
        'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'cursor_to_xml', 'cursor_to_xmlschema',
        'table_to_xml', 'table_to_xmlschema', 'table_to_xml_and_xmlschema',
        'schema_to_xml', 'schema_to_xmlschema', 'schema_to_xml_and_xmlschema',
        'database_to_xml', 'database_to_xmlschema', 'database_to_xml_and_xmlschema',
        'ts_stat', 'ts_rewrite', 'nextval', 'setval'))
      and pg_has_role(current_user, p.proowner, 'usage')
      and exists (
        select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
  loop
    execute format('revoke execute on function %s from public', r.name);
  end loop;

  -- What our own writers need of them: transaction-scoped locks, so that two imports, migrations or orders of jobs take
  -- turns. The queue, which sees no tenant's row, also numbers and wakes.
  for r in
    select p.oid::regprocedure as name, role
    from pg_proc p, unnest(array['metricgate_owner', 'metricgate_migrator', 'metricgate_ingest', 'metricgate_jobs', 'metricgate_queue']) as role
    where p.pronamespace = 'pg_catalog'::regnamespace
      and (p.proname in ('pg_advisory_xact_lock', 'pg_try_advisory_xact_lock')
        or role = 'metricgate_queue' and p.proname in ('pg_advisory_xact_lock_shared', 'pg_notify', 'nextval'))
      and pg_has_role(current_user, p.proowner, 'usage')
      and not has_function_privilege(role, p.oid, 'execute')
  loop
    execute format('grant execute on function %s to %I', r.name, r.role);
  end loop;
end $$;
