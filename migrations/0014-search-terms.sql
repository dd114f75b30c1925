-- breaking: an import by an earlier release would not count the terms that it indexes.
-- How many issues have each term: what rarity is counted by, and what a misspelt word may have meant. Summing up the blocks of a
-- term's postings took 3 ms a question at 200,000 issues, listing the terms of one letter 170 ms.

create table warehouse.search_term (
  tenant_id int              not null,
  term      text collate "C" not null,
  issues    int              not null,          -- the sum of its postings' issues
  primary key (tenant_id, term)
);

-- Of what is indexed already; the owner is behind the wall too.
alter table warehouse.search_posting no force row level security;
insert into warehouse.search_term select tenant_id, term, sum(issues) from warehouse.search_posting group by tenant_id, term;
alter table warehouse.search_posting force row level security;

do $$ begin perform ctx.raise_wall('warehouse.search_term'); end $$;
grant select on warehouse.search_term to metricgate_reader;
grant select, insert, update, delete on warehouse.search_term to metricgate_ingest;

create or replace function warehouse.refresh_statistics() returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
begin
  analyze warehouse.tenant_state, warehouse.instance, warehouse.project, warehouse.status, warehouse.sprint, warehouse.issue,
    warehouse.issue_event, warehouse.status_interval, warehouse.blocked_interval, warehouse.sprint_issue, warehouse.sprint_member,
    warehouse.search_corpus, warehouse.search_document, warehouse.search_posting, warehouse.search_term;
end $$;
