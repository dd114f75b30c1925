/** One way to weaken a migrated database, and the rule that must notice. */
export interface Mutation {
  readonly name: string;
  readonly sql: string;
  /** The id of a rule, or of several that must all notice. */
  readonly caughtBy: string | readonly string[];
}

const WALL = "(tenant_id = (select ctx.tenant_id()))";

export const MUTATIONS: readonly Mutation[] = [
  // walls
  { name: "row-level security switched off", sql: "alter table warehouse.issue disable row level security", caughtBy: "rls-enabled" },
  { name: "row-level security not forced", sql: "alter table warehouse.issue no force row level security", caughtBy: "rls-forced" },
  { name: "not forced on a partition", sql: "alter table warehouse.issue_event_2020 no force row level security", caughtBy: "rls-forced" },
  { name: "wall dropped", sql: "drop policy tenant_wall on warehouse.sprint", caughtBy: "tenant-wall" },
  { name: "wall dropped from a partition", sql: "drop policy tenant_wall on warehouse.issue_event_2020", caughtBy: "tenant-wall" },
  { name: "wall that is always true", sql: "alter policy tenant_wall on warehouse.issue using (true)", caughtBy: "tenant-wall" },
  {
    name: "wall that checks nothing on write",
    sql: "alter policy tenant_wall on warehouse.issue with check (true)",
    caughtBy: "tenant-wall",
  },
  {
    name: "wall with a way around",
    sql: "alter policy tenant_wall on warehouse.issue using (tenant_id = (select ctx.tenant_id()) or issue_no = 1)",
    caughtBy: "tenant-wall",
  },
  {
    name: "wall by a function evaluated per row",
    sql: "alter policy tenant_wall on warehouse.issue using (tenant_id = ctx.tenant_id())",
    caughtBy: "tenant-wall",
  },
  {
    name: "wall made permissive",
    sql: `drop policy tenant_wall on warehouse.issue; create policy tenant_wall on warehouse.issue for all to public using ${WALL} with check ${WALL}`,
    caughtBy: ["tenant-wall", "policy-known"],
  },
  {
    name: "wall for reading only",
    sql: `drop policy tenant_wall on warehouse.issue; create policy tenant_wall on warehouse.issue as restrictive for select to public using ${WALL}`,
    caughtBy: "tenant-wall",
  },
  { name: "wall for one role only", sql: "alter policy tenant_wall on warehouse.issue to metricgate_ingest", caughtBy: "tenant-wall" },
  {
    name: "second permissive policy for the reader",
    sql: "create policy more on warehouse.issue for select to metricgate_reader using (true)",
    caughtBy: "policy-known",
  },
  {
    name: "permissive policy for everybody on a partition",
    sql: "create policy more on warehouse.issue_event_2020 for all using (true)",
    caughtBy: "policy-known",
  },
  { name: "reader policy dropped", sql: "drop policy reader_select on warehouse.issue", caughtBy: "policy-missing" },
  { name: "reader policy always true", sql: "alter policy reader_select on warehouse.issue using (true)", caughtBy: "policy-known" },
  { name: "ingest policy dropped", sql: "drop policy ingest_all on warehouse.issue", caughtBy: "policy-missing" },
  {
    name: "the reader let into the tenant directory",
    sql: "create policy more on directory.tenant for select to metricgate_reader using (true)",
    caughtBy: "policy-known",
  },
  {
    name: "new table without walls",
    sql: "set role metricgate_owner; create table warehouse.rollup (tenant_id int not null, n int, primary key (tenant_id, n)); reset role",
    caughtBy: ["rls-enabled", "rls-forced", "tenant-wall", "policy-missing"],
  },
  {
    name: "new table without a tenant",
    sql: "set role metricgate_owner; create table warehouse.lookup (n int primary key); reset role",
    caughtBy: ["tenant-column", "key-leads-with-tenant"],
  },
  {
    name: "table in a schema of somebody's own",
    sql: "create schema side; create table side.copy as select * from warehouse.issue",
    caughtBy: ["rls-enabled", "owned-by-owner"],
  },
  { name: "wall dropped from the search index", sql: "drop policy tenant_wall on warehouse.search_posting", caughtBy: "tenant-wall" },
  { name: "wall dropped from the search terms", sql: "drop policy tenant_wall on warehouse.search_term", caughtBy: "tenant-wall" },
  { name: "the search index not forced", sql: "alter table warehouse.search_document no force row level security", caughtBy: "rls-forced" },
  {
    name: "the search index closed to the reader",
    sql: "drop policy reader_select on warehouse.search_corpus",
    caughtBy: "policy-missing",
  },
  {
    name: "terms of all tenants under one key",
    sql: "create unique index on warehouse.search_posting (term, tenant_id, block)",
    caughtBy: "key-leads-with-tenant",
  },
  // the context
  {
    name: "the context always tenant 1",
    sql: "create or replace function ctx.tenant_id() returns int language sql stable parallel safe as 'select 1'",
    caughtBy: "tenant-function",
  },
  { name: "the context IMMUTABLE", sql: "alter function ctx.tenant_id() immutable", caughtBy: "tenant-function" },
  { name: "the context with a default", sql: "alter function ctx.tenant_id() set app.tenant_id = '1'", caughtBy: "tenant-function" },
  { name: "a tenant preset for the api login", sql: "alter role metricgate_api set app.tenant_id = '1'", caughtBy: "context-preset" },
  {
    name: "a tenant preset for the database",
    sql: "do $$ begin execute format('alter database %I set app.tenant_id = 1', current_database()); end $$",
    caughtBy: "context-preset",
  },
  {
    name: "set_config given to the reader",
    sql: "grant execute on function pg_catalog.set_config(text, text, boolean) to metricgate_reader",
    caughtBy: "dangerous-built-ins",
  },
  {
    name: "query_to_xml given to everybody",
    sql: "grant execute on function pg_catalog.query_to_xml(text, boolean, boolean, text) to public",
    caughtBy: "dangerous-built-ins",
  },
  {
    name: "lo_create given to the api login",
    sql: "grant execute on function pg_catalog.lo_create(oid) to metricgate_api",
    caughtBy: "dangerous-built-ins",
  },
  // keys
  {
    name: "tenant_id may be null",
    sql: "alter table warehouse.status_interval drop constraint status_interval_pkey; alter table warehouse.status_interval alter column tenant_id drop not null",
    caughtBy: "tenant-column",
  },
  { name: "unique key without the tenant", sql: "create unique index on warehouse.issue (issue_key)", caughtBy: "key-leads-with-tenant" },
  {
    name: "unique key with the tenant last",
    sql: "alter table warehouse.issue add unique (issue_key, tenant_id)",
    caughtBy: "key-leads-with-tenant",
  },
  {
    name: "unique key on an expression",
    sql: "create unique index on warehouse.issue ((issue_no + tenant_id))",
    caughtBy: "key-leads-with-tenant",
  },
  {
    name: "foreign key on an id alone",
    sql: "create unique index one on warehouse.sprint (sprint_no); alter table warehouse.sprint_member add foreign key (sprint_no) references warehouse.sprint (sprint_no)",
    caughtBy: ["foreign-key-carries-tenant", "key-leads-with-tenant"],
  },
  { name: "foreign keys switched off", sql: "alter table warehouse.sprint_member disable trigger all", caughtBy: "foreign-keys-enforced" },
  // copies and detours
  {
    name: "view of a superuser",
    sql: "create view warehouse.all_issues as select * from warehouse.issue",
    caughtBy: ["views", "owned-by-owner"],
  },
  {
    name: "view that runs as its caller, without a barrier",
    sql: "set role metricgate_owner; create view warehouse.mine with (security_invoker = true) as select * from warehouse.issue; reset role",
    caughtBy: "views",
  },
  {
    name: "materialized view, granted",
    sql: "create materialized view warehouse.rollup as select tenant_id, count(*) from warehouse.issue group by 1; grant select on warehouse.rollup to metricgate_reader",
    caughtBy: ["materialized-views", "table-grants"],
  },
  { name: "partition granted", sql: "grant select on warehouse.issue_event_2020 to metricgate_reader", caughtBy: "partition-grants" },
  {
    name: "trigger that copies rows",
    sql: `create table public.taken (row jsonb); create function public.take() returns trigger language plpgsql as $$ begin insert into public.taken values (to_jsonb(new)); return new; end $$;
          create trigger take after insert on warehouse.issue for each row execute function public.take()`,
    caughtBy: ["triggers", "function-grants", "rls-enabled"],
  },
  {
    name: "rule that copies rows",
    sql: "create table public.taken (n bigint); create rule take as on insert to warehouse.issue do also insert into public.taken values (new.issue_no)",
    caughtBy: "rewrite-rules",
  },
  {
    name: "foreign table",
    sql: "create foreign data wrapper far; create server far foreign data wrapper far; create foreign table warehouse.far (n int) server far",
    caughtBy: "foreign-tables",
  },
  {
    name: "extension that reads other servers",
    sql: `set local allow_system_table_mods = on;
          insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) values (99999, 'dblink', 10, 11, false, '1.2')`,
    caughtBy: "extensions",
  },
  { name: "rows published", sql: "create publication everything for table warehouse.issue", caughtBy: "publications" },
  // code
  {
    name: "function with its owner's rights for everybody",
    sql: "create function warehouse.peek() returns bigint language sql security definer as 'select count(*) from warehouse.issue'",
    caughtBy: ["definer-functions", "function-grants", "owned-by-owner"],
  },
  {
    name: "our definer function open to everybody",
    sql: "grant execute on function warehouse.refresh_statistics() to public",
    caughtBy: "function-grants",
  },
  {
    name: "our definer function with a free search_path",
    sql: "alter function audit.append(jsonb) reset search_path",
    caughtBy: "definer-functions",
  },
  {
    name: "audit.append given to the api login",
    sql: "grant execute on function audit.append(jsonb) to metricgate_api",
    caughtBy: "function-grants",
  },
  {
    name: "function that claims to be leakproof",
    sql: "create function ctx.looks(text) returns boolean language plpgsql leakproof as $$ begin raise notice '%', $1; return true; end $$",
    caughtBy: ["leakproof-functions", "function-grants"],
  },
  // rights
  { name: "insert given to the reader", sql: "grant insert on warehouse.issue to metricgate_reader", caughtBy: "table-grants" },
  { name: "select given to the api login", sql: "grant select on warehouse.issue to metricgate_api", caughtBy: "table-grants" },
  {
    name: "sealed credentials opened to the reader",
    sql: "grant select on warehouse.instance_credential to metricgate_reader",
    caughtBy: "table-grants",
  },
  {
    name: "a reader's policy on sealed credentials",
    sql: "create policy reader_select on warehouse.instance_credential for select to metricgate_reader using (tenant_id = (select ctx.tenant_id()))",
    caughtBy: "policy-known",
  },
  {
    name: "a column of the keys given to ingest",
    sql: "grant update (hash) on directory.api_key to metricgate_ingest",
    caughtBy: "column-grants",
  },
  {
    name: "call counts opened to the api login",
    sql: "grant usage on schema limits to metricgate_api; grant select on limits.call_count to metricgate_api",
    caughtBy: ["table-grants", "schema-grants"],
  },
  { name: "select given to everybody", sql: "grant select on warehouse.issue to public", caughtBy: "table-grants" },
  { name: "truncate given to ingest", sql: "grant truncate on warehouse.issue to metricgate_ingest", caughtBy: "table-grants" },
  { name: "references given to ingest", sql: "grant references on warehouse.issue to metricgate_ingest", caughtBy: "table-grants" },
  {
    name: "a right that may be passed on",
    sql: "grant select on warehouse.issue to metricgate_reader with grant option",
    caughtBy: "table-grants",
  },
  {
    name: "a column given to the directory login",
    sql: "grant select (summary) on warehouse.issue to metricgate_directory",
    caughtBy: "column-grants",
  },
  { name: "the trail given to the auditor", sql: "grant select on audit.entry to metricgate_auditor", caughtBy: "table-grants" },
  {
    name: "create given to the api login",
    sql: "grant create on schema warehouse to metricgate_api",
    caughtBy: ["create-rights", "schema-grants"],
  },
  { name: "public open to everybody", sql: "grant all on schema public to public", caughtBy: ["create-rights", "schema-grants"] },
  {
    name: "temporary tables for everybody",
    sql: "do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$",
    caughtBy: "create-rights",
  },
  {
    name: "default privileges opened",
    sql: "alter default privileges for role metricgate_owner in schema warehouse grant select on tables to public",
    caughtBy: "default-privileges",
  },
  {
    name: "functions executable by default again",
    sql: "alter default privileges for role metricgate_owner grant execute on functions to public",
    caughtBy: "default-privileges",
  },
  { name: "a large object", sql: "select lo_create(4711)", caughtBy: "large-objects" },
  // roles: cluster-wide, so only ever inside a transaction that is rolled back
  { name: "a reader that passes the walls", sql: "alter role metricgate_reader bypassrls", caughtBy: "role-powers" },
  { name: "a superuser that serves", sql: "alter role metricgate_api superuser", caughtBy: "role-powers" },
  { name: "a login that makes roles", sql: "alter role metricgate_directory createrole", caughtBy: "role-powers" },
  { name: "the api login in the owner", sql: "grant metricgate_owner to metricgate_api", caughtBy: "role-memberships" },
  { name: "ingest in the migrator", sql: "grant metricgate_migrator to metricgate_ingest", caughtBy: "role-memberships" },
  { name: "the reader in pg_read_all_data", sql: "grant pg_read_all_data to metricgate_reader", caughtBy: "role-memberships" },
  {
    name: "a stranger in the reader",
    sql: "create role stranger login; grant metricgate_reader to stranger",
    caughtBy: "role-memberships",
  },
  { name: "an owner that can log in", sql: "alter role metricgate_owner login", caughtBy: "role-logins" },
  { name: "an api login that inherits", sql: "alter role metricgate_api inherit", caughtBy: "role-logins" },
  {
    name: "a table of the api login",
    sql: "alter table warehouse.issue owner to metricgate_api",
    caughtBy: ["logins-own-nothing", "owned-by-owner"],
  },
  { name: "a role gone", sql: "alter role metricgate_reader rename to metricgate_former", caughtBy: "roles-present" },
  // jobs and their queue
  { name: "wall dropped from refused texts", sql: "drop policy tenant_wall on warehouse.search_refusal", caughtBy: "tenant-wall" },
  { name: "wall dropped from stored results", sql: "drop policy tenant_wall on jobs.result_chunk", caughtBy: "tenant-wall" },
  { name: "jobs shown to the reader", sql: "grant select on jobs.job to metricgate_reader", caughtBy: "table-grants" },
  {
    name: "the queue's login let into the jobs",
    sql: "grant usage on schema jobs to metricgate_queue; grant select on jobs.job to metricgate_queue",
    caughtBy: ["schema-grants", "table-grants"],
  },
  {
    name: "the queue's login let into the warehouse",
    sql: "grant select on warehouse.issue to metricgate_queue",
    caughtBy: "table-grants",
  },
  {
    name: "the writer of jobs let into the warehouse",
    sql: "grant usage on schema warehouse to metricgate_jobs",
    caughtBy: "schema-grants",
  },
  {
    name: "somebody else let into the queue",
    sql: "create policy more on bullmq.job for select to metricgate_api using (true)",
    caughtBy: "policy-known",
  },
  {
    name: "the queue's functions open to all",
    sql: "grant execute on function bullmq.next_job_id(text) to public",
    caughtBy: "function-grants",
  },
  {
    name: "the queue's login may set the context",
    sql: "grant execute on function set_config(text, text, boolean) to metricgate_queue",
    caughtBy: "dangerous-built-ins",
  },
  {
    name: "a sequence of the queue open to the reader",
    sql: "grant usage on sequence bullmq.job_seq to metricgate_reader",
    caughtBy: "table-grants",
  },
];
