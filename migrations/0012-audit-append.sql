-- A cheaper append: of the 0.27 ms that it took in the server, warm, 0.13 went into two calls that are not needed each time.

-- Without a search_path of its own, so that the server can put the expression in place of the call (0.09 ms); every name in it is
-- qualified instead. The order of the columns, and with it every hash, is as before.
create or replace function audit.payload(entry audit.entry) returns text
  language sql stable
  as $$
  select pg_catalog.jsonb_build_array(1, entry.tenant_id, entry.seq,
    pg_catalog.to_char(pg_catalog.timezone('UTC', entry.at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    entry.principal, entry.operation, entry.tool, entry.transport, entry.spec, entry.spec_hash, entry.problems,
    entry.metric_versions, entry.result_id, entry.row_count, entry.duration_ms, entry.outcome, entry.trace_id)::pg_catalog.text
$$;

-- As before, but it looks for the month's partition only with a tenant's first entry of a month: no later one can lack it, since
-- audit.prune keeps the running month.
create or replace function audit.append(said jsonb) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
declare
  tenant constant int := ctx.tenant_id();
  head audit.head;
  entry audit.entry;
begin
  if tenant is null then
    raise exception 'an audit entry needs a tenant' using errcode = 'insufficient_privilege';
  end if;
  select * into head from audit.head h where h.tenant_id = tenant for update;
  if not found then
    insert into audit.head values (tenant, 0, decode(repeat('00', 32), 'hex'), '-infinity') on conflict do nothing;
    select * into head from audit.head h where h.tenant_id = tenant for update;
  end if;
  entry := jsonb_populate_record(null::audit.entry, said);
  entry.tenant_id := tenant;
  entry.seq := head.seq + 1;
  entry.at := greatest(clock_timestamp(), head.at);
  entry.problems := coalesce(entry.problems, '{}');
  entry.metric_versions := coalesce(entry.metric_versions, '{}');
  entry.prev_hash := head.hash;
  entry.hash := sha256(head.hash || convert_to(audit.payload(entry), 'UTF8'));
  if date_trunc('month', head.at at time zone 'UTC') <> date_trunc('month', entry.at at time zone 'UTC') then
    perform audit.ensure_partition(entry.at);
  end if;
  insert into audit.entry select entry.*;
  update audit.head h set seq = entry.seq, hash = entry.hash, at = entry.at where h.tenant_id = tenant;
  return entry.seq;
end $$;
