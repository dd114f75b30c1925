-- The walls between tenants: row-level security enabled and forced on every table, one restrictive policy that
-- no other policy can widen, one permissive policy per login that has work there, and nothing else granted.

alter default privileges for role metricgate_owner revoke execute on functions from public;
revoke execute on all functions in schema ctx, warehouse from public;

-- The one place that spells the wall; later migrations call it for each new table that has a tenant_id.
create function ctx.raise_wall(relation regclass) returns void
  language plpgsql set search_path = pg_catalog, pg_temp
  as $$
declare
  tenant constant text := '(tenant_id = (select ctx.tenant_id()))';
begin
  execute format('alter table %s enable row level security, force row level security', relation);
  execute format('create policy tenant_wall on %s as restrictive for all to public using %s with check %s',
    relation, tenant, tenant);
  execute format('create policy reader_select on %s for select to metricgate_reader using %s', relation, tenant);
  execute format('create policy ingest_all on %s for all to metricgate_ingest using %s with check %s',
    relation, tenant, tenant);
end $$;

grant usage on schema ctx, warehouse to metricgate_reader, metricgate_ingest;
grant execute on function ctx.tenant_id() to metricgate_reader, metricgate_ingest;
grant execute on function warehouse.ensure_event_partitions(timestamptz, timestamptz) to metricgate_ingest;

do $$
declare
  relation regclass;
begin
  for relation in
    select c.oid from pg_class c
    where c.relnamespace = 'warehouse'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  loop
    perform ctx.raise_wall(relation);
    execute format('grant select on %s to metricgate_reader', relation);
    execute format('grant select, insert, update, delete on %s to metricgate_ingest', relation);
  end loop;
end $$;

-- Read before a tenant is known, so it has no tenant wall: one login sees it, and that login sees nothing else.
alter table directory.tenant enable row level security, force row level security;
create policy directory_all on directory.tenant to metricgate_directory using (true) with check (true);
grant usage on schema directory to metricgate_directory;
grant select, insert, update on directory.tenant to metricgate_directory;
