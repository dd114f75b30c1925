-- Background jobs and what they found, under the tenant's wall. The queue carries ids only; the row here
-- is the truth. One login writes it, in the tenant's context, and sees nothing of the warehouse.

create schema jobs;

create table jobs.job (
  tenant_id       int         not null,
  job_id          text        not null check (job_id ~ '^job_[A-Za-z0-9_-]{22}$'),
  user_name       text        not null,                  -- who asked
  extent          text        not null,                  -- what they may see, as src/tenant.ts writes it
  owner           text        not null,                  -- sha256 of both, hex
  spec            json        not null,                  -- canonical
  priority        text        not null check (priority in ('high', 'low')),
  turn            int         not null,                  -- place in line; smaller runs earlier
  state           text        not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  stage           text,                                  -- how far the running attempt is
  rows_read       int         not null default 0,        -- rows the running attempt has got so far
  attempts        int         not null default 0,
  put_off_at      timestamptz,                           -- when its turn came and its tenant had enough running
  idempotency_key text,
  spec_hash       text        not null,
  created_at      timestamptz not null default now(),
  started_at      timestamptz,                           -- of the last attempt
  finished_at     timestamptz,
  error_code      text,
  error_message   text,
  error_next      text,
  result_id       text,
  primary key (tenant_id, job_id),
  unique (tenant_id, owner, idempotency_key)
);
create index job_line on jobs.job (tenant_id, state, priority, turn);

-- At most one a job, so that a job that two workers ran has one result all the same.
create table jobs.result (
  tenant_id  int         not null,
  result_id  text        not null check (result_id ~ '^res_[A-Za-z0-9_-]{22}$'),
  job_id     text        not null,
  owner      text        not null,
  answer     json        not null,                       -- all of it but the rows
  row_count  int         not null,
  bytes      bigint      not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, result_id),
  unique (tenant_id, job_id),
  foreign key (tenant_id, job_id) references jobs.job on delete cascade
);

create table jobs.result_chunk (
  tenant_id int   not null,
  result_id text  not null,
  first_row int   not null,
  row_count int   not null,
  rows      bytea not null,                              -- a JSON array of rows, gzip
  primary key (tenant_id, result_id, first_row),
  foreign key (tenant_id, result_id) references jobs.result on delete cascade
);
-- Compressed already.
alter table jobs.result_chunk alter column rows set storage external;

do $$
declare
  relation regclass;
begin
  foreach relation in array array['jobs.job', 'jobs.result', 'jobs.result_chunk']::regclass[] loop
    perform ctx.raise_tenant_wall(relation);
    execute format('create policy jobs_all on %s for all to metricgate_jobs using (tenant_id = (select ctx.tenant_id())) with check (tenant_id = (select ctx.tenant_id()))', relation);
    execute format('grant select, insert, update, delete on %s to metricgate_jobs', relation);
  end loop;
end $$;

grant usage on schema ctx, jobs to metricgate_jobs;
grant execute on function ctx.tenant_id() to metricgate_jobs;
