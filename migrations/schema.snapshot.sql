-- What the migrations make, read back from the catalogues. Written by `npm run schema:dump`; do not edit.

schema audit owner metricgate_owner
  grant usage to metricgate_audit_reader
  grant usage to metricgate_auditor

schema bullmq owner metricgate_owner
  grant usage to metricgate_queue

schema ctx owner metricgate_owner
  grant usage to metricgate_audit_reader
  grant usage to metricgate_ingest
  grant usage to metricgate_jobs
  grant usage to metricgate_reader

schema directory owner metricgate_owner
  grant usage to metricgate_directory

schema jobs owner metricgate_owner
  grant usage to metricgate_jobs

schema limits owner metricgate_owner
  grant usage to metricgate_directory

schema ops owner metricgate_owner
  grant usage to metricgate_directory

schema warehouse owner metricgate_owner
  grant usage to metricgate_ingest
  grant usage to metricgate_reader

table audit.anchor owner metricgate_owner row security forced
  tenant_id integer not null
  seq bigint not null
  hash bytea not null
  at timestamp with time zone not null
  pruned_at timestamp with time zone not null default now()
  constraint anchor_pkey PRIMARY KEY (tenant_id, seq)
  policy audit_select permissive for select to metricgate_audit_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy owner_insert permissive for insert to metricgate_owner with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant select to metricgate_audit_reader

table audit.entry owner metricgate_owner partition by RANGE (at) row security forced
  tenant_id integer not null
  seq bigint not null
  at timestamp with time zone not null
  principal text not null
  operation text not null
  tool text
  transport text
  spec jsonb
  spec_hash text
  problems text[] not null default '{}'::text[]
  metric_versions jsonb not null default '{}'::jsonb
  result_id text
  row_count integer
  duration_ms numeric(12,1) not null
  outcome text not null
  trace_id text
  prev_hash bytea not null
  hash bytea not null
  constraint entry_seq_check CHECK ((seq > 0))
  constraint entry_pkey PRIMARY KEY (tenant_id, seq, at)
  policy audit_select permissive for select to metricgate_audit_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy owner_insert permissive for insert to metricgate_owner with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant select to metricgate_audit_reader

table audit.head owner metricgate_owner row security forced
  tenant_id integer not null
  seq bigint not null
  hash bytea not null
  at timestamp with time zone not null
  constraint head_pkey PRIMARY KEY (tenant_id)
  policy audit_select permissive for select to metricgate_audit_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy owner_all permissive for all to metricgate_owner using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant select to metricgate_audit_reader

table bullmq.dedup owner metricgate_owner row security forced
  queue text not null
  dedup_id text not null
  job_id text not null
  expire_at_ms bigint
  constraint dedup_pkey PRIMARY KEY (queue, dedup_id)
  CREATE INDEX dedup_expire_idx ON bullmq.dedup USING btree (queue, expire_at_ms) WHERE (expire_at_ms IS NOT NULL)
  CREATE INDEX dedup_job_idx ON bullmq.dedup USING btree (queue, job_id)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.dedup_next owner metricgate_owner row security forced
  queue text not null
  dedup_id text not null
  payload jsonb not null
  constraint dedup_next_pkey PRIMARY KEY (queue, dedup_id)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.event owner metricgate_owner row security forced
  queue text not null
  id bigint not null default nextval('bullmq.event_seq'::regclass)
  event text not null
  data jsonb not null default '{}'::jsonb
  created_at_ms bigint not null
  constraint event_pkey PRIMARY KEY (queue, id)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

sequence bullmq.event_seq owner metricgate_owner
  last_value bigint not null
  log_cnt bigint not null
  is_called boolean not null
  grant usage to metricgate_queue

table bullmq.job owner metricgate_owner row security forced
  queue text not null
  id text not null
  seq bigint not null
  name text not null
  state bullmq.job_state not null
  data jsonb not null default '{}'::jsonb
  opts jsonb not null default '{}'::jsonb
  priority integer not null default 0
  delay_ms bigint not null default 0
  max_attempts integer not null default 1
  attempts_made integer not null default 0
  attempts_started integer not null default 0
  progress jsonb
  return_value jsonb
  failed_reason text
  stacktrace jsonb
  deferred_failure text
  processed_by text
  added_at_ms bigint not null
  process_at_ms bigint
  processed_at_ms bigint
  finished_at_ms bigint
  lock_token text
  locked_until_ms bigint
  stalled_count integer not null default 0
  dedup_id text
  scheduler_id text
  parent_queue text
  parent_id text
  parent_key text
  pending_deps integer not null default 0
  stalled_marked boolean not null default false
  constraint job_pkey PRIMARY KEY (queue, id)
  CREATE INDEX job_active_idx ON bullmq.job USING btree (queue, locked_until_ms) WHERE (state = 'active'::bullmq.job_state)
  CREATE INDEX job_delayed_idx ON bullmq.job USING btree (queue, process_at_ms) WHERE (state = 'delayed'::bullmq.job_state)
  CREATE INDEX job_finished_idx ON bullmq.job USING btree (queue, state, finished_at_ms) WHERE (state = ANY (ARRAY['completed'::bullmq.job_state, 'failed'::bullmq.job_state]))
  CREATE INDEX job_parent_idx ON bullmq.job USING btree (parent_queue, parent_id) WHERE (parent_id IS NOT NULL)
  CREATE INDEX job_ready_idx ON bullmq.job USING btree (queue, priority, seq) WHERE (state = 'waiting'::bullmq.job_state)
  CREATE INDEX job_scheduler_idx ON bullmq.job USING btree (queue, scheduler_id) WHERE (scheduler_id IS NOT NULL)
  CREATE INDEX job_waiting_children_idx ON bullmq.job USING btree (queue, seq) WHERE (state = 'waiting-children'::bullmq.job_state)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.job_dependency owner metricgate_owner row security forced
  parent_queue text not null
  parent_id text not null
  child_queue text not null
  child_id text not null
  child_key text not null
  status bullmq.dep_status not null default 'pending'::bullmq.dep_status
  value jsonb
  constraint job_dependency_parent_queue_parent_id_fkey FOREIGN KEY (parent_queue, parent_id) REFERENCES bullmq.job(queue, id) ON DELETE CASCADE
  constraint job_dependency_pkey PRIMARY KEY (parent_queue, parent_id, child_key)
  CREATE INDEX dep_child_idx ON bullmq.job_dependency USING btree (child_queue, child_id)
  CREATE INDEX dep_parent_status_idx ON bullmq.job_dependency USING btree (parent_queue, parent_id, status)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.job_log owner metricgate_owner row security forced
  queue text not null
  job_id text not null
  idx bigint not null
  "row" text not null
  constraint job_log_queue_job_id_fkey FOREIGN KEY (queue, job_id) REFERENCES bullmq.job(queue, id) ON DELETE CASCADE
  constraint job_log_pkey PRIMARY KEY (queue, job_id, idx)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

sequence bullmq.job_seq owner metricgate_owner
  last_value bigint not null
  log_cnt bigint not null
  is_called boolean not null
  grant usage to metricgate_queue

table bullmq.meta owner metricgate_owner row security forced
  queue text not null
  field text not null
  value text
  constraint meta_pkey PRIMARY KEY (queue, field)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.metrics owner metricgate_owner row security forced
  queue text not null
  kind text not null
  count bigint not null default 0
  prev_ts bigint
  prev_count bigint not null default 0
  data bigint[] not null default '{}'::bigint[]
  constraint metrics_pkey PRIMARY KEY (queue, kind)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.migration owner metricgate_owner row security forced
  version integer not null
  name text not null
  min_client_version integer not null
  applied_at timestamp with time zone not null default now()
  constraint migration_pkey PRIMARY KEY (version)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.rate_limit owner metricgate_owner row security forced
  queue text not null
  points bigint not null default 0
  expire_at_ms bigint not null
  constraint rate_limit_pkey PRIMARY KEY (queue)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.relay_inbox owner metricgate_owner row security forced
  id bigint not null default nextval('bullmq.relay_inbox_id_seq'::regclass)
  ns text not null
  node_id text not null
  kind text not null
  topic text not null
  mid bigint not null
  ts bigint not null
  data text not null
  endpoints text[] not null
  constraint relay_inbox_ns_node_id_fkey FOREIGN KEY (ns, node_id) REFERENCES bullmq.relay_node(ns, node_id) ON DELETE CASCADE
  constraint relay_inbox_pkey PRIMARY KEY (id)
  CREATE INDEX relay_inbox_node_idx ON bullmq.relay_inbox USING btree (ns, node_id, id)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

sequence bullmq.relay_inbox_id_seq owner metricgate_owner
  last_value bigint not null
  log_cnt bigint not null
  is_called boolean not null
  grant usage to metricgate_queue

sequence bullmq.relay_mid_seq owner metricgate_owner
  last_value bigint not null
  log_cnt bigint not null
  is_called boolean not null
  grant usage to metricgate_queue

table bullmq.relay_node owner metricgate_owner row security forced
  ns text not null
  node_id text not null
  lease_until timestamp with time zone not null
  registered_at timestamp with time zone not null default clock_timestamp()
  last_heartbeat timestamp with time zone
  info jsonb not null default '{}'::jsonb
  backlog integer not null default 0
  dropped bigint not null default 0
  in_flight bigint[] not null default '{}'::bigint[]
  constraint relay_node_pkey PRIMARY KEY (ns, node_id)
  CREATE INDEX relay_node_lease_idx ON bullmq.relay_node USING btree (lease_until)
  CREATE INDEX relay_node_registered_idx ON bullmq.relay_node USING btree (ns, registered_at)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.relay_retained owner metricgate_owner row security forced
  ns text not null
  topic text not null
  mid bigint not null
  ts bigint not null
  data text not null
  expires_at timestamp with time zone not null
  constraint relay_retained_pkey PRIMARY KEY (ns, topic)
  CREATE INDEX relay_retained_expiry_idx ON bullmq.relay_retained USING btree (expires_at)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.relay_subscription owner metricgate_owner row security forced
  ns text not null
  node_id text not null
  endpoint_id text not null
  pattern text not null
  root text
  constraint relay_subscription_ns_node_id_fkey FOREIGN KEY (ns, node_id) REFERENCES bullmq.relay_node(ns, node_id) ON DELETE CASCADE
  constraint relay_subscription_pkey PRIMARY KEY (ns, pattern, node_id, endpoint_id)
  CREATE INDEX relay_subscription_endpoint_idx ON bullmq.relay_subscription USING btree (ns, node_id, endpoint_id)
  CREATE INDEX relay_subscription_root_idx ON bullmq.relay_subscription USING btree (ns, root)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table bullmq.scheduler owner metricgate_owner row security forced
  queue text not null
  scheduler_id text not null
  name text
  next_run_ms bigint
  pattern text
  every_ms bigint
  tz text
  start_date_ms bigint
  end_date_ms bigint
  limit_count integer
  iteration_count integer not null default 0
  template_data jsonb
  template_opts jsonb
  producer_id text
  offset_ms bigint
  constraint scheduler_pkey PRIMARY KEY (queue, scheduler_id)
  CREATE INDEX scheduler_next_idx ON bullmq.scheduler USING btree (queue, next_run_ms)
  policy queue_all permissive for all to metricgate_queue using true with check true
  grant delete, insert, select, update to metricgate_queue

table directory.api_key owner metricgate_owner row security forced
  tenant_id integer not null
  key_id text not null
  name text not null
  user_name text not null
  hash bytea not null
  hash_kid text not null
  scopes text[] not null
  metrics text[]
  projects text[]
  instances text[]
  created_at timestamp with time zone not null default now()
  expires_at timestamp with time zone
  last_used_at timestamp with time zone, grant update to metricgate_directory
  revoked_at timestamp with time zone, grant update to metricgate_directory
  constraint api_key_hash_check CHECK ((length(hash) = 32))
  constraint api_key_key_id_check CHECK ((key_id ~ '^[0-9a-z]{16}$'::text))
  constraint api_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES directory.tenant(tenant_id)
  constraint api_key_pkey PRIMARY KEY (tenant_id, key_id)
  constraint api_key_key_id_key UNIQUE (key_id)
  policy directory_all permissive for all to metricgate_directory using true with check true
  grant insert, select to metricgate_directory

table directory.tenant owner metricgate_owner row security forced
  tenant_id integer not null
  slug text not null
  name text not null
  timezone text not null default 'UTC'::text
  week_start smallint not null default 1
  created_at timestamp with time zone not null default now()
  constraint tenant_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text))
  constraint tenant_tenant_id_check CHECK ((tenant_id > 0))
  constraint tenant_week_start_check CHECK (((week_start >= 1) AND (week_start <= 7)))
  constraint tenant_pkey PRIMARY KEY (tenant_id)
  constraint tenant_slug_key UNIQUE (slug)
  policy directory_all permissive for all to metricgate_directory using true with check true
  grant insert, select, update to metricgate_directory

table jobs.job owner metricgate_owner row security forced
  tenant_id integer not null
  job_id text not null
  user_name text not null
  extent text not null
  owner text not null
  spec json not null
  priority text not null
  turn integer not null
  state text not null default 'queued'::text
  stage text
  rows_read integer not null default 0
  attempts integer not null default 0
  put_off_at timestamp with time zone
  idempotency_key text
  spec_hash text not null
  created_at timestamp with time zone not null default now()
  started_at timestamp with time zone
  finished_at timestamp with time zone
  error_code text
  error_message text
  error_next text
  result_id text
  constraint job_job_id_check CHECK ((job_id ~ '^job_[A-Za-z0-9_-]{22}$'::text))
  constraint job_priority_check CHECK ((priority = ANY (ARRAY['high'::text, 'low'::text])))
  constraint job_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])))
  constraint job_pkey PRIMARY KEY (tenant_id, job_id)
  constraint job_tenant_id_owner_idempotency_key_key UNIQUE (tenant_id, owner, idempotency_key)
  CREATE INDEX job_line ON jobs.job USING btree (tenant_id, state, priority, turn)
  policy jobs_all permissive for all to metricgate_jobs using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_jobs

table jobs.result owner metricgate_owner row security forced
  tenant_id integer not null
  result_id text not null
  job_id text
  owner text not null
  answer json not null
  row_count integer not null
  bytes bigint not null
  created_at timestamp with time zone not null default now()
  expires_at timestamp with time zone not null
  few_rows json
  constraint result_result_id_check CHECK ((result_id ~ '^res_[A-Za-z0-9_-]{22}$'::text))
  constraint result_tenant_id_job_id_fkey FOREIGN KEY (tenant_id, job_id) REFERENCES jobs.job(tenant_id, job_id) ON DELETE CASCADE
  constraint result_pkey PRIMARY KEY (tenant_id, result_id)
  constraint result_tenant_id_job_id_key UNIQUE (tenant_id, job_id)
  CREATE INDEX result_of_call ON jobs.result USING btree (tenant_id, created_at) INCLUDE (bytes) WHERE (job_id IS NULL)
  policy jobs_all permissive for all to metricgate_jobs using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_jobs

table jobs.result_chunk owner metricgate_owner row security forced
  tenant_id integer not null
  result_id text not null
  first_row integer not null
  row_count integer not null
  rows bytea not null
  constraint result_chunk_tenant_id_result_id_fkey FOREIGN KEY (tenant_id, result_id) REFERENCES jobs.result(tenant_id, result_id) ON DELETE CASCADE
  constraint result_chunk_pkey PRIMARY KEY (tenant_id, result_id, first_row)
  policy jobs_all permissive for all to metricgate_jobs using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_jobs

table limits.call_count owner metricgate_owner row security forced
  key text not null
  points integer not null
  expire bigint
  constraint call_count_pkey PRIMARY KEY (key)
  policy directory_all permissive for all to metricgate_directory using true with check true
  grant delete, insert, select, update to metricgate_directory

table ops.migration owner metricgate_owner row security forced
  number integer not null
  name text not null
  sha256 text not null
  breaking boolean not null
  applied_at timestamp with time zone not null default now()
  constraint migration_pkey PRIMARY KEY (number)
  policy directory_select permissive for select to metricgate_directory using true
  policy owner_all permissive for all to metricgate_owner using true with check true
  grant select to metricgate_directory

table warehouse.blocked_interval owner metricgate_owner row security forced
  tenant_id integer not null
  issue_no bigint not null
  seq integer not null
  started_at timestamp with time zone not null
  ended_at timestamp with time zone
  constraint blocked_interval_check CHECK ((ended_at >= started_at))
  constraint blocked_interval_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint blocked_interval_pkey PRIMARY KEY (tenant_id, issue_no, seq)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.instance owner metricgate_owner row security forced
  tenant_id integer not null
  instance_id text not null
  kind text not null
  base_url text
  bug_types text[] not null default '{Bug,Defect}'::text[]
  escape_labels text[] not null default '{escaped,escaped-defect,production,customer}'::text[]
  data_as_of timestamp with time zone
  imported_at timestamp with time zone not null default now()
  constraint instance_pkey PRIMARY KEY (tenant_id, instance_id)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.instance_credential owner metricgate_owner row security forced
  tenant_id integer not null
  instance_id text not null
  name text not null
  envelope text not null
  updated_at timestamp with time zone not null default now()
  constraint instance_credential_envelope_check CHECK ((envelope ~~ 'v2.%'::text))
  constraint instance_credential_tenant_id_instance_id_fkey FOREIGN KEY (tenant_id, instance_id) REFERENCES warehouse.instance(tenant_id, instance_id) ON DELETE CASCADE
  constraint instance_credential_pkey PRIMARY KEY (tenant_id, instance_id, name)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest

table warehouse.issue owner metricgate_owner row security forced
  tenant_id integer not null
  issue_no bigint not null
  instance_id text not null
  issue_key text not null
  tracker_id text
  project_key text not null
  issue_type text
  priority text
  status text
  status_ref text
  status_category text
  resolution text
  summary text
  description text
  story_points double precision
  assignee text
  reporter text
  created_at timestamp with time zone not null
  updated_at timestamp with time zone
  resolved_at timestamp with time zone
  epic_key text
  labels text[] not null default '{}'::text[]
  components text[] not null default '{}'::text[]
  fix_versions text[] not null default '{}'::text[]
  affects_versions text[] not null default '{}'::text[]
  is_bug boolean not null default false
  is_escaped boolean not null default false
  has_history boolean not null default false
  first_in_progress_at timestamp with time zone
  first_done_at timestamp with time zone
  last_done_at timestamp with time zone
  first_reopened_at timestamp with time zone
  in_progress_seconds double precision
  constraint issue_story_points_check CHECK ((story_points >= (0)::double precision))
  constraint issue_tenant_id_instance_id_fkey FOREIGN KEY (tenant_id, instance_id) REFERENCES warehouse.instance(tenant_id, instance_id) ON DELETE CASCADE
  constraint issue_tenant_id_instance_id_project_key_fkey FOREIGN KEY (tenant_id, instance_id, project_key) REFERENCES warehouse.project(tenant_id, instance_id, project_key)
  constraint issue_pkey PRIMARY KEY (tenant_id, issue_no)
  constraint issue_tenant_id_instance_id_issue_key_key UNIQUE (tenant_id, instance_id, issue_key)
  CREATE INDEX issue_created ON warehouse.issue USING btree (tenant_id, created_at)
  CREATE INDEX issue_last_done ON warehouse.issue USING btree (tenant_id, last_done_at) WHERE (last_done_at IS NOT NULL)
  CREATE INDEX issue_project ON warehouse.issue USING btree (tenant_id, instance_id, project_key)
  CREATE INDEX issue_resolved ON warehouse.issue USING btree (tenant_id, resolved_at) WHERE (resolved_at IS NOT NULL)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.issue_event owner metricgate_owner partition by RANGE (at) row security forced
  tenant_id integer not null
  issue_no bigint not null
  at timestamp with time zone not null
  seq integer not null
  field text not null
  from_value text
  to_value text
  from_ref text
  to_ref text
  author text
  from_category text
  to_category text
  constraint issue_event_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint issue_event_pkey PRIMARY KEY (tenant_id, issue_no, at, seq)
  CREATE INDEX event_status ON ONLY warehouse.issue_event USING btree (tenant_id, at) WHERE (field = 'status'::text)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.project owner metricgate_owner row security forced
  tenant_id integer not null
  instance_id text not null
  project_key text not null
  name text
  constraint project_tenant_id_instance_id_fkey FOREIGN KEY (tenant_id, instance_id) REFERENCES warehouse.instance(tenant_id, instance_id) ON DELETE CASCADE
  constraint project_pkey PRIMARY KEY (tenant_id, instance_id, project_key)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_corpus owner metricgate_owner row security forced
  tenant_id integer not null
  language text not null default 'english'::text
  tokeniser integer not null
  issues integer not null default 0
  built_at timestamp with time zone not null default now()
  constraint search_corpus_language_check CHECK ((language ~ '^[a-z]{2,20}$'::text))
  constraint search_corpus_pkey PRIMARY KEY (tenant_id)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_document owner metricgate_owner row security forced
  tenant_id integer not null
  issue_no bigint not null
  text_hash text not null
  terms text[] not null
  constraint search_document_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint search_document_pkey PRIMARY KEY (tenant_id, issue_no)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_embedding owner metricgate_owner row security forced
  tenant_id integer not null
  model text not null
  issue_no bigint not null
  text_hash text not null
  embedding real[] not null
  constraint search_embedding_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint search_embedding_tenant_id_model_fkey FOREIGN KEY (tenant_id, model) REFERENCES warehouse.search_model(tenant_id, model) ON DELETE CASCADE
  constraint search_embedding_pkey PRIMARY KEY (tenant_id, model, issue_no)
  CREATE INDEX search_embedding_issue ON warehouse.search_embedding USING btree (tenant_id, issue_no)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_model owner metricgate_owner row security forced
  tenant_id integer not null
  model text not null
  name text not null
  dimension integer not null
  vectors integer not null default 0
  is_ready boolean not null default false
  leased_until timestamp with time zone
  updated_at timestamp with time zone not null default now()
  constraint search_model_dimension_check CHECK (((dimension >= 1) AND (dimension <= 2000)))
  constraint search_model_pkey PRIMARY KEY (tenant_id, model)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_posting owner metricgate_owner row security forced
  tenant_id integer not null
  term text not null
  block integer not null
  issues integer not null
  postings integer[] not null
  constraint search_posting_pkey PRIMARY KEY (tenant_id, term, block)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_refusal owner metricgate_owner row security forced
  tenant_id integer not null
  model text not null
  issue_no bigint not null
  text_hash text not null
  refused_at timestamp with time zone not null default now()
  constraint search_refusal_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint search_refusal_tenant_id_model_fkey FOREIGN KEY (tenant_id, model) REFERENCES warehouse.search_model(tenant_id, model) ON DELETE CASCADE
  constraint search_refusal_pkey PRIMARY KEY (tenant_id, model, issue_no)
  CREATE INDEX search_refusal_issue ON warehouse.search_refusal USING btree (tenant_id, issue_no)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.search_term owner metricgate_owner row security forced
  tenant_id integer not null
  term text not null
  issues integer not null
  constraint search_term_pkey PRIMARY KEY (tenant_id, term)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.sprint owner metricgate_owner row security forced
  tenant_id integer not null
  sprint_no bigint not null
  instance_id text not null
  sprint_id text not null
  board_id text
  project_key text
  name text
  state text
  start_at timestamp with time zone
  end_at timestamp with time zone
  complete_at timestamp with time zone
  constraint sprint_tenant_id_instance_id_fkey FOREIGN KEY (tenant_id, instance_id) REFERENCES warehouse.instance(tenant_id, instance_id) ON DELETE CASCADE
  constraint sprint_pkey PRIMARY KEY (tenant_id, sprint_no)
  constraint sprint_tenant_id_instance_id_sprint_id_key UNIQUE (tenant_id, instance_id, sprint_id)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.sprint_issue owner metricgate_owner row security forced
  tenant_id integer not null
  sprint_no bigint not null
  issue_no bigint not null
  spell integer not null
  added_at timestamp with time zone
  removed_at timestamp with time zone
  constraint sprint_issue_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint sprint_issue_tenant_id_sprint_no_fkey FOREIGN KEY (tenant_id, sprint_no) REFERENCES warehouse.sprint(tenant_id, sprint_no) ON DELETE CASCADE
  constraint sprint_issue_pkey PRIMARY KEY (tenant_id, sprint_no, issue_no, spell)
  CREATE INDEX sprint_issue_issue ON warehouse.sprint_issue USING btree (tenant_id, issue_no)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.sprint_member owner metricgate_owner row security forced
  tenant_id integer not null
  sprint_no bigint not null
  issue_no bigint not null
  is_inferred boolean not null
  was_resolved_before boolean not null
  is_committed boolean not null
  is_added boolean not null
  is_removed boolean not null
  is_final boolean not null
  is_completed boolean not null
  is_committed_completed boolean not null
  is_carried_over boolean not null
  reopen_events integer not null
  blocked_hours double precision not null
  constraint sprint_member_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint sprint_member_tenant_id_sprint_no_fkey FOREIGN KEY (tenant_id, sprint_no) REFERENCES warehouse.sprint(tenant_id, sprint_no) ON DELETE CASCADE
  constraint sprint_member_pkey PRIMARY KEY (tenant_id, sprint_no, issue_no)
  CREATE INDEX sprint_member_issue ON warehouse.sprint_member USING btree (tenant_id, issue_no)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.status owner metricgate_owner row security forced
  tenant_id integer not null
  instance_id text not null
  status_ref text not null
  name text not null
  category text
  is_blocked boolean not null default false
  origin text not null
  constraint status_category_check CHECK ((category = ANY (ARRAY['new'::text, 'in_progress'::text, 'done'::text])))
  constraint status_origin_check CHECK ((origin = ANY (ARRAY['operator'::text, 'tracker'::text, 'well_known'::text, 'unmapped'::text])))
  constraint status_tenant_id_instance_id_fkey FOREIGN KEY (tenant_id, instance_id) REFERENCES warehouse.instance(tenant_id, instance_id) ON DELETE CASCADE
  constraint status_pkey PRIMARY KEY (tenant_id, instance_id, status_ref)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.status_interval owner metricgate_owner row security forced
  tenant_id integer not null
  issue_no bigint not null
  seq integer not null
  started_at timestamp with time zone not null
  ended_at timestamp with time zone
  status text
  category text
  constraint status_interval_check CHECK ((ended_at >= started_at))
  constraint status_interval_tenant_id_issue_no_fkey FOREIGN KEY (tenant_id, issue_no) REFERENCES warehouse.issue(tenant_id, issue_no) ON DELETE CASCADE
  constraint status_interval_pkey PRIMARY KEY (tenant_id, issue_no, seq)
  CREATE INDEX interval_in_progress ON warehouse.status_interval USING btree (tenant_id, started_at) WHERE (category = 'in_progress'::text)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

table warehouse.tenant_state owner metricgate_owner row security forced
  tenant_id integer not null
  data_version bigint not null default 0
  data_as_of timestamp with time zone
  updated_at timestamp with time zone not null default now()
  constraint tenant_state_pkey PRIMARY KEY (tenant_id)
  policy ingest_all permissive for all to metricgate_ingest using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy reader_select permissive for select to metricgate_reader using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  policy tenant_wall restrictive for all to public using (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))
  grant delete, insert, select, update to metricgate_ingest
  grant select to metricgate_reader

function audit.append(jsonb) owner metricgate_owner
  grant execute to metricgate_auditor
CREATE OR REPLACE FUNCTION audit.append(said jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
  if date_trunc('month', head.at at time zone 'UTC') <> date_trunc('month', entry.at at time zone 'UTC') then
    perform audit.ensure_partition(entry.at);
  end if;
  insert into audit.entry select entry.*;
  update audit.head h set seq = entry.seq, hash = entry.hash, at = entry.at where h.tenant_id = tenant;
  return entry.seq;
end $function$

function audit.ensure_partition(timestamp with time zone) owner metricgate_owner
CREATE OR REPLACE FUNCTION audit.ensure_partition(at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$

function audit.payload(audit.entry) owner metricgate_owner
CREATE OR REPLACE FUNCTION audit.payload(entry audit.entry)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select pg_catalog.jsonb_build_array(1, entry.tenant_id, entry.seq,
    pg_catalog.to_char(pg_catalog.timezone('UTC', entry.at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    entry.principal, entry.operation, entry.tool, entry.transport, entry.spec, entry.spec_hash, entry.problems,
    entry.metric_versions, entry.result_id, entry.row_count, entry.duration_ms, entry.outcome, entry.trace_id)::pg_catalog.text
$function$

function audit.prune(date,text) owner metricgate_owner
CREATE OR REPLACE FUNCTION audit.prune(before date, who text)
 RETURNS TABLE(month text, tenants integer)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$

function ctx.raise_tenant_wall(regclass) owner metricgate_owner
CREATE OR REPLACE FUNCTION ctx.raise_tenant_wall(relation regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant constant text := '(tenant_id = (select ctx.tenant_id()))';
begin
  execute format('alter table %s enable row level security, force row level security', relation);
  execute format('create policy tenant_wall on %s as restrictive for all to public using %s with check %s',
    relation, tenant, tenant);
end $function$

function ctx.raise_wall(regclass) owner metricgate_owner
CREATE OR REPLACE FUNCTION ctx.raise_wall(relation regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant constant text := '(tenant_id = (select ctx.tenant_id()))';
begin
  execute format('alter table %s enable row level security, force row level security', relation);
  execute format('create policy tenant_wall on %s as restrictive for all to public using %s with check %s',
    relation, tenant, tenant);
  execute format('create policy reader_select on %s for select to metricgate_reader using %s', relation, tenant);
  execute format('create policy ingest_all on %s for all to metricgate_ingest using %s with check %s',
    relation, tenant, tenant);
end $function$

function ctx.tenant_id() owner metricgate_owner
  grant execute to metricgate_audit_reader
  grant execute to metricgate_ingest
  grant execute to metricgate_jobs
  grant execute to metricgate_reader
CREATE OR REPLACE FUNCTION ctx.tenant_id()
 RETURNS integer
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(current_setting('app.tenant_id', true), '')::int $function$

function warehouse.ensure_embedding_index(text,integer) owner metricgate_owner
  grant execute to metricgate_ingest
CREATE OR REPLACE FUNCTION warehouse.ensure_embedding_index(model text, dimension integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$

function warehouse.ensure_event_partitions(timestamp with time zone,timestamp with time zone) owner metricgate_owner
  grant execute to metricgate_ingest
CREATE OR REPLACE FUNCTION warehouse.ensure_event_partitions(first timestamp with time zone, last timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  y int;
  partition text;
begin
  if extract(year from last at time zone 'UTC') - extract(year from first at time zone 'UTC') > 200 then
    raise exception 'event times span more than 200 years';
  end if;
  for y in extract(year from first at time zone 'UTC')::int .. extract(year from last at time zone 'UTC')::int loop
    partition := format('issue_event_%s', y);
    if to_regclass(format('warehouse.%I', partition)) is null then
      perform pg_advisory_xact_lock(hashtext('metricgate.issue_event'), y);
      if not exists (
        select from pg_class where relnamespace = 'warehouse'::regnamespace and relname = partition)
      then
        execute format(
          'create table warehouse.%I partition of warehouse.issue_event for values from (%L) to (%L)',
          partition, make_timestamptz(y, 1, 1, 0, 0, 0, 'UTC'), make_timestamptz(y + 1, 1, 1, 0, 0, 0, 'UTC'));
        execute format('alter table warehouse.%I enable row level security, force row level security', partition);
        execute format(
          'create policy tenant_wall on warehouse.%I as restrictive for all to public '
          'using (tenant_id = (select ctx.tenant_id())) with check (tenant_id = (select ctx.tenant_id()))', partition);
      end if;
    end if;
  end loop;
end $function$

function warehouse.refresh_statistics() owner metricgate_owner
  grant execute to metricgate_ingest
CREATE OR REPLACE FUNCTION warehouse.refresh_statistics()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  analyze warehouse.tenant_state, warehouse.instance, warehouse.project, warehouse.status, warehouse.sprint, warehouse.issue,
    warehouse.issue_event, warehouse.status_interval, warehouse.blocked_interval, warehouse.sprint_issue, warehouse.sprint_member,
    warehouse.search_corpus, warehouse.search_document, warehouse.search_posting, warehouse.search_term;
end $function$

function warehouse.search_lexeme(text,text) owner metricgate_owner
  grant execute to metricgate_ingest
  grant execute to metricgate_reader
CREATE OR REPLACE FUNCTION warehouse.search_lexeme(language text, word text)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select (ts_lexize(('pg_catalog.' || case language when 'simple' then 'simple' else language || '_stem' end)::regdictionary, word))[1] $function$

built-in nextval(regclass) granted to metricgate_queue

built-in pg_advisory_xact_lock(bigint) granted to metricgate_ingest

built-in pg_advisory_xact_lock(bigint) granted to metricgate_jobs

built-in pg_advisory_xact_lock(bigint) granted to metricgate_migrator

built-in pg_advisory_xact_lock(bigint) granted to metricgate_owner

built-in pg_advisory_xact_lock(bigint) granted to metricgate_queue

built-in pg_advisory_xact_lock(integer,integer) granted to metricgate_ingest

built-in pg_advisory_xact_lock(integer,integer) granted to metricgate_jobs

built-in pg_advisory_xact_lock(integer,integer) granted to metricgate_migrator

built-in pg_advisory_xact_lock(integer,integer) granted to metricgate_owner

built-in pg_advisory_xact_lock(integer,integer) granted to metricgate_queue

built-in pg_advisory_xact_lock_shared(bigint) granted to metricgate_queue

built-in pg_advisory_xact_lock_shared(integer,integer) granted to metricgate_queue

built-in pg_notify(text,text) granted to metricgate_queue

built-in pg_try_advisory_xact_lock(bigint) granted to metricgate_ingest

built-in pg_try_advisory_xact_lock(bigint) granted to metricgate_jobs

built-in pg_try_advisory_xact_lock(bigint) granted to metricgate_migrator

built-in pg_try_advisory_xact_lock(bigint) granted to metricgate_owner

built-in pg_try_advisory_xact_lock(bigint) granted to metricgate_queue

built-in pg_try_advisory_xact_lock(integer,integer) granted to metricgate_ingest

built-in pg_try_advisory_xact_lock(integer,integer) granted to metricgate_jobs

built-in pg_try_advisory_xact_lock(integer,integer) granted to metricgate_migrator

built-in pg_try_advisory_xact_lock(integer,integer) granted to metricgate_owner

built-in pg_try_advisory_xact_lock(integer,integer) granted to metricgate_queue

default privileges of metricgate_owner for f
