-- What has been applied; read by every server at start. Run as the owner before every migration; idempotent.
create schema if not exists ops;
create table if not exists ops.migration (
  number     int         not null primary key,
  name       text        not null,
  sha256     text        not null,
  breaking   boolean     not null,
  applied_at timestamptz not null default now()
);
do $$ begin
  if not exists (select from pg_policy where polrelid = 'ops.migration'::regclass) then
    alter table ops.migration enable row level security, force row level security;
    create policy owner_all on ops.migration to metricgate_owner using (true) with check (true);
    create policy directory_select on ops.migration for select to metricgate_directory using (true);
    grant usage on schema ops to metricgate_directory;
    grant select on ops.migration to metricgate_directory;
  end if;
end $$;
