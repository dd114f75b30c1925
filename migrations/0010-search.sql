-- The index that issues are found by: which terms each has, and how telling. Derived from warehouse.issue by src/search at
-- every import; the text itself stays where it is.

-- One row per tenant whose issues are indexed.
create table warehouse.search_corpus (
  tenant_id int         not null primary key,
  language  text        not null default 'english' check (language ~ '^[a-z]{2,20}$'), -- dictionary that stems words; simple: none
  tokeniser int         not null,               -- version of the code that cut the texts; another one means: build anew
  issues    int         not null default 0,     -- indexed issues
  built_at  timestamptz not null default now()
);

-- What an issue brought to the index, so that it can be taken out again when its text changes.
create table warehouse.search_document (
  tenant_id int    not null,
  issue_no  bigint not null,
  text_hash text   not null,                    -- of summary and description
  terms     text[] not null,
  primary key (tenant_id, issue_no),
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade
);

-- A term's issues, 4,096 numbers to a row: a row per issue took five times the room, and index-only scans need a vacuum that
-- the embedded database never has. The impact is the saturated BM25F weight, without anything of other issues in it.
create table warehouse.search_posting (
  tenant_id int              not null,
  term      text collate "C" not null,
  block     int              not null,          -- issue_no >> 12
  issues    int              not null,          -- entries in postings
  postings  int[]            not null,          -- (issue_no & 4095) << 16 | impact
  primary key (tenant_id, term, block)
);

do $$
declare
  relation regclass;
begin
  foreach relation in array array['warehouse.search_corpus', 'warehouse.search_document', 'warehouse.search_posting']::regclass[] loop
    perform ctx.raise_wall(relation);
    execute format('grant select on %s to metricgate_reader', relation);
    execute format('grant select, insert, update, delete on %s to metricgate_ingest', relation);
  end loop;
end $$;

-- The stem of a word in a language, null for one that says nothing: the same for the index and for queries.
create function warehouse.search_lexeme(language text, word text) returns text
  language sql stable parallel safe
  as $$ select (ts_lexize(('pg_catalog.' || case language when 'simple' then 'simple' else language || '_stem' end)::regdictionary, word))[1] $$;

revoke execute on function warehouse.search_lexeme(text, text) from public;
grant execute on function warehouse.search_lexeme(text, text) to metricgate_reader, metricgate_ingest;

create or replace function warehouse.refresh_statistics() returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
begin
  analyze warehouse.tenant_state, warehouse.instance, warehouse.project, warehouse.status, warehouse.sprint, warehouse.issue,
    warehouse.issue_event, warehouse.status_interval, warehouse.blocked_interval, warehouse.sprint_issue, warehouse.sprint_member,
    warehouse.search_corpus, warehouse.search_document, warehouse.search_posting;
end $$;
