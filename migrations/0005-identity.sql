-- API keys, read before a tenant is known: like directory.tenant seen by one login only, which sees no warehouse table.
-- Of a key only its keyed hash is kept; a key is never changed, only revoked.
create table directory.api_key (
  tenant_id    int         not null references directory.tenant,
  key_id       text        not null unique check (key_id ~ '^[0-9a-z]{16}$'), -- public: the middle part of the key
  name         text        not null,
  user_name    text        not null,                 -- who acts
  hash         bytea       not null check (length(hash) = 32),
  hash_kid     text        not null,                 -- the key of the key ring that the hash was made with
  scopes       text[]      not null,
  metrics      text[],                               -- null: all of them
  projects     text[],
  instances    text[],
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  last_used_at timestamptz,                          -- at most a minute behind
  revoked_at   timestamptz,
  primary key (tenant_id, key_id)
);

alter table directory.api_key enable row level security, force row level security;
create policy directory_all on directory.api_key to metricgate_directory using (true) with check (true);
grant select, insert on directory.api_key to metricgate_directory;
grant update (last_used_at, revoked_at) on directory.api_key to metricgate_directory;

-- What an instance's tracker wants to see, sealed by the key ring. Questions never need it, so the reader cannot see it.
create table warehouse.instance_credential (
  tenant_id   int         not null,
  instance_id text        not null,
  name        text        not null,
  envelope    text        not null check (envelope like 'v2.%'),
  updated_at  timestamptz not null default now(),
  primary key (tenant_id, instance_id, name),
  foreign key (tenant_id, instance_id) references warehouse.instance on delete cascade
);

select ctx.raise_wall('warehouse.instance_credential');
drop policy reader_select on warehouse.instance_credential;
grant select, insert, update, delete on warehouse.instance_credential to metricgate_ingest;
