-- What issues mean, as an embedding model of the operator's choice says it. Kept as plain arrays, so that the schema is the same
-- where pgvector is not to be had; queries cast them (src/sql/nearest.ts).

-- One row per tenant and model that it was, is or will be searched by.
create table warehouse.search_model (
  tenant_id    int         not null,
  model        text        not null,              -- provider, model and dimension: 'https://api.example.com/v1 small@512'
  name         text        not null,              -- what the provider calls it
  dimension    int         not null check (dimension between 1 and 2000),
  vectors      int         not null default 0,    -- issues that have one
  is_ready     boolean     not null default false, -- all issues had one once: may be searched by
  leased_until timestamptz,                       -- some worker is at it
  updated_at   timestamptz not null default now(),
  primary key (tenant_id, model)
);

create table warehouse.search_embedding (
  tenant_id int    not null,
  model     text   not null,
  issue_no  bigint not null,
  text_hash text   not null,                      -- of the text that it was made from, as in search_document
  embedding real[] not null,
  primary key (tenant_id, model, issue_no),
  foreign key (tenant_id, model) references warehouse.search_model on delete cascade,
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade
);
create index search_embedding_issue on warehouse.search_embedding (tenant_id, issue_no);
-- Numbers do not compress.
alter table warehouse.search_embedding alter column embedding set storage external;

do $$
declare
  relation regclass;
begin
  foreach relation in array array['warehouse.search_model', 'warehouse.search_embedding']::regclass[] loop
    perform ctx.raise_wall(relation);
    execute format('grant select on %s to metricgate_reader', relation);
    execute format('grant select, insert, update, delete on %s to metricgate_ingest', relation);
  end loop;
end $$;

-- An approximate index over one model's vectors of all tenants; the reader's wall stands before what it finds. Runs as the
-- owner because the ingest login may not create indexes. Nothing where pgvector is not installed.
create function warehouse.ensure_embedding_index(model text, dimension int) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
declare
  name constant text := 'search_embedding_' || substr(md5(model), 1, 16);
begin
  if to_regtype('vectors.vector') is null then return false; end if;
  if to_regclass('warehouse.' || name) is null then
    perform pg_advisory_xact_lock(hashtext('metricgate.search_embedding'), 0);
    if to_regclass('warehouse.' || name) is null then
      execute format(
        'create index %I on warehouse.search_embedding using hnsw ((embedding::vectors.vector(%s)) vectors.vector_cosine_ops) where model = %L',
        name, dimension, model);
    end if;
  end if;
  return true;
end $$;
revoke execute on function warehouse.ensure_embedding_index(text, int) from public;
grant execute on function warehouse.ensure_embedding_index(text, int) to metricgate_ingest;
