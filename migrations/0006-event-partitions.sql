-- Two sessions that need the same new year: the second waited for the first and then still read from its own catalogue
-- cache that there was no such partition ("relation already exists"). It now looks into the catalogue itself.
create or replace function warehouse.ensure_event_partitions(first timestamptz, last timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
declare
  y int;
  partition text;
begin
  if extract(year from last at time zone 'UTC') - extract(year from first at time zone 'UTC') > 200 then
    raise exception 'event times span more than 200 years';
  end if;
  for y in extract(year from first at time zone 'UTC')::int .. extract(year from last at time zone 'UTC')::int loop
    partition := format('issue_event_%s', y);
    if to_regclass(format('warehouse.%I', partition)) is null then
      perform pg_advisory_xact_lock(hashtext('metricgate.issue_event'), y);
      if not exists (
        select from pg_class where relnamespace = 'warehouse'::regnamespace and relname = partition)
      then
        execute format(
          'create table warehouse.%I partition of warehouse.issue_event for values from (%L) to (%L)',
          partition, make_timestamptz(y, 1, 1, 0, 0, 0, 'UTC'), make_timestamptz(y + 1, 1, 1, 0, 0, 0, 'UTC'));
        execute format('alter table warehouse.%I enable row level security, force row level security', partition);
        execute format(
          'create policy tenant_wall on warehouse.%I as restrictive for all to public '
          'using (tenant_id = (select ctx.tenant_id())) with check (tenant_id = (select ctx.tenant_id()))', partition);
      end if;
    end if;
  end loop;
end $$;
