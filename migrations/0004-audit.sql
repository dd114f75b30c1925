-- Who asked what, and how it ended: one chain a tenant, written before an answer leaves (docs/adr, "The audit chain").
-- Every row carries the hash of the one before it, so that no row can be changed, moved or taken out unseen.

create schema audit;

-- The tenant wall alone, for tables that the warehouse's own logins have no business with.
create function ctx.raise_tenant_wall(relation regclass) returns void
  language plpgsql set search_path = pg_catalog, pg_temp
  as $$
declare
  tenant constant text := '(tenant_id = (select ctx.tenant_id()))';
begin
  execute format('alter table %s enable row level security, force row level security', relation);
  execute format('create policy tenant_wall on %s as restrictive for all to public using %s with check %s',
    relation, tenant, tenant);
end $$;

-- Partitioned by month of `at`; partitions are made by audit.append and dropped whole by audit.prune.
create table audit.entry (
  tenant_id       int            not null,
  seq             bigint         not null check (seq > 0), -- 1, 2, 3, … without a gap
  at              timestamptz    not null,                 -- when it was written; never before the entry before it
  principal       text           not null,                 -- the user or key that acted
  operation       text           not null,                 -- run, page, values, audit_prune
  tool            text,                                    -- the protocol's tool; null where no tool was called
  transport       text,
  spec            jsonb,                                   -- canonical, what looks like a secret taken out; null where refused
  spec_hash       text,                                    -- sha256 of what was asked, hex
  problems        text[]         not null default '{}',    -- codes of a refused spec
  metric_versions jsonb          not null default '{}',    -- {"lead_time": "1.0.0"}
  result_id       text,
  row_count       int,                                     -- rows that left; null where the call failed
  duration_ms     numeric(12, 1) not null,
  outcome         text           not null,                 -- ok, or the error's code
  trace_id        text,
  prev_hash       bytea          not null,
  hash            bytea          not null,
  primary key (tenant_id, seq, at)
) partition by range (at);

-- The newest row of each chain: what tells that a tail was cut off.
create table audit.head (
  tenant_id int         not null primary key,
  seq       bigint      not null,
  hash      bytea       not null,
  at        timestamptz not null
);

-- The last row of each chain in each partition that was dropped: where verification starts afterwards.
create table audit.anchor (
  tenant_id int         not null,
  seq       bigint      not null,
  hash      bytea       not null,
  at        timestamptz not null,
  pruned_at timestamptz not null default now(),
  primary key (tenant_id, seq)
);

do $$
declare
  relation regclass;
begin
  foreach relation in array array['audit.entry', 'audit.head', 'audit.anchor']::regclass[] loop
    perform ctx.raise_tenant_wall(relation);
    execute format('create policy audit_select on %s for select to metricgate_audit_reader using (tenant_id = (select ctx.tenant_id()))', relation);
    execute format('grant select on %s to metricgate_audit_reader', relation);
  end loop;
end $$;

-- The functions below run as the owner, which the wall holds too.
create policy owner_insert on audit.entry for insert to metricgate_owner with check (tenant_id = (select ctx.tenant_id()));
create policy owner_insert on audit.anchor for insert to metricgate_owner with check (tenant_id = (select ctx.tenant_id()));
create policy owner_all on audit.head for all to metricgate_owner
  using (tenant_id = (select ctx.tenant_id())) with check (tenant_id = (select ctx.tenant_id()));

-- What a row's hash is made of, besides the hash before it. `audit verify` spells the same in its own statement and
-- hashes outside the database, so that a changed function here is found and not believed.
create function audit.payload(entry audit.entry) returns text
  language sql stable set search_path = pg_catalog, pg_temp
  as $$
  select jsonb_build_array(1, entry.tenant_id, entry.seq, to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    entry.principal, entry.operation, entry.tool, entry.transport, entry.spec, entry.spec_hash, entry.problems,
    entry.metric_versions, entry.result_id, entry.row_count, entry.duration_ms, entry.outcome, entry.trace_id)::text
$$;

-- Makes the month's partition where it is missing; behind the wall and without grants, like its parent. Made apart and
-- attached: `partition of` would wait for every reader of the trail, and every answer would wait behind it.
create function audit.ensure_partition(at timestamptz) returns void
  language plpgsql set search_path = pg_catalog, pg_temp
  as $$
declare
  month constant date := date_trunc('month', at at time zone 'UTC')::date;
  name constant text := 'entry_' || to_char(month, 'YYYY_MM');
  partition constant text := 'audit.' || name;
begin
  if to_regclass(partition) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('metricgate.audit_entry'), to_char(month, 'YYYYMM')::int);
  -- Not to_regclass again: it may answer from this session's cache, which an advisory lock does not bring up to date.
  if not exists (select from pg_class c where c.relnamespace = 'audit'::regnamespace and c.relname = name) then
    execute format('create table %s (like audit.entry including defaults including constraints including indexes)', partition);
    perform ctx.raise_tenant_wall(partition::regclass);
    execute format('alter table audit.entry attach partition %s for values from (%L) to (%L)',
      partition, month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
  end if;
end $$;

-- Appends to the chain of the transaction's tenant and returns the new row's number. The only way in: it locks the
-- chain's head, so that appends of one tenant take turns.
create function audit.append(said jsonb) returns bigint
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
  perform audit.ensure_partition(entry.at);
  insert into audit.entry select entry.*;
  update audit.head h set seq = entry.seq, hash = entry.hash, at = entry.at where h.tenant_id = tenant;
  return entry.seq;
end $$;

-- Drops the partitions of whole months before `before`; for the owner only. Of each chain in them it keeps the last
-- row's number and hash, and says so in the chain itself: an anchor that no row tells of was not made here.
create function audit.prune(before date, who text) returns table (month text, tenants int)
  language plpgsql set search_path = pg_catalog, pg_temp
  as $$
declare
  partition regclass;
  last record;
begin
  if before > date_trunc('month', now() at time zone 'UTC') then
    raise exception 'the running month is kept' using errcode = 'invalid_parameter_value';
  end if;
  for partition, month in
    select i.inhrelid::regclass, right(c.relname, 7)
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit.entry'::regclass and right(c.relname, 7) < to_char(before, 'YYYY_MM')
    order by 2
  loop
    -- The owner may look over the wall of what it is about to drop, and of nothing else.
    execute format('alter table %s no force row level security', partition);
    tenants := 0;
    for last in execute format(
      'select distinct on (tenant_id) tenant_id, seq, hash, at from %s order by tenant_id, seq desc', partition)
    loop
      execute format('set local app.tenant_id = %L', last.tenant_id);
      insert into audit.anchor (tenant_id, seq, hash, at) values (last.tenant_id, last.seq, last.hash, last.at);
      perform audit.append(jsonb_build_object('principal', who, 'operation', 'audit_prune', 'duration_ms', 0, 'outcome', 'ok',
        'spec', jsonb_build_object('seq', last.seq, 'hash', encode(last.hash, 'hex'))));
      tenants := tenants + 1;
    end loop;
    execute format('drop table %s', partition);
    return next;
  end loop;
  set local app.tenant_id = '';
end $$;

revoke execute on all functions in schema audit from public;
revoke execute on function ctx.raise_tenant_wall(regclass) from public;
grant usage on schema audit to metricgate_auditor, metricgate_audit_reader;
grant usage on schema ctx to metricgate_audit_reader;
grant execute on function ctx.tenant_id() to metricgate_audit_reader;
grant execute on function audit.append(jsonb) to metricgate_auditor;
