-- Answers of calls are kept beside those of jobs, and so outlive the process that gave them.

alter table jobs.result alter column job_id drop not null; -- null: the answer of a call
alter table jobs.result add column few_rows json;          -- all its rows where they are few; otherwise they are in chunks
-- A tenant's answers from the latest on, with what decides how many of them stay.
create index result_of_call on jobs.result (tenant_id, created_at) include (bytes) where job_id is null;

-- Texts that the embedding service refuses: left out until they change.
create table warehouse.search_refusal (
  tenant_id  int         not null,
  model      text        not null,
  issue_no   bigint      not null,
  text_hash  text        not null,                  -- of the text that was refused, as in search_document
  refused_at timestamptz not null default now(),
  primary key (tenant_id, model, issue_no),
  foreign key (tenant_id, model) references warehouse.search_model on delete cascade,
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade
);
create index search_refusal_issue on warehouse.search_refusal (tenant_id, issue_no);

do $$
begin
  perform ctx.raise_wall('warehouse.search_refusal');
  grant select on warehouse.search_refusal to metricgate_reader;
  grant select, insert, update, delete on warehouse.search_refusal to metricgate_ingest;
end $$;
