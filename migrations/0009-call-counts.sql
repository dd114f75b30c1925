-- How often callers have called, where METRICGATE_RATE_LIMIT_STORE=postgres: rate-limiter-flexible's own columns. Keys are a
-- tenant's number and a hash of the caller's name. Not logged: after a crash everybody starts anew.

create schema limits;

create unlogged table limits.call_count (
  key    text   not null primary key,
  points int    not null,
  expire bigint                        -- milliseconds since 1970
);

alter table limits.call_count enable row level security, force row level security;
create policy directory_all on limits.call_count to metricgate_directory using (true) with check (true);

grant usage on schema limits to metricgate_directory;
grant select, insert, update, delete on limits.call_count to metricgate_directory;
