-- The warehouse: one row per fact of a tenant's tracker, tenant_id first in every key.
-- Walls (row-level security, grants) follow in 0002.

create schema ctx;
create schema directory;
create schema warehouse;

-- The tenant of the running transaction; null outside one. STABLE, never IMMUTABLE: an immutable
-- context function gave one tenant another's rows through a cached plan.
create function ctx.tenant_id() returns int
  language sql stable parallel safe
  as $$ select nullif(current_setting('app.tenant_id', true), '')::int $$;

-- Read before a tenant is known, by its own login only.
create table directory.tenant (
  tenant_id   int         not null primary key check (tenant_id > 0),
  slug        text        not null unique check (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  name        text        not null,
  timezone    text        not null default 'UTC',
  week_start  smallint    not null default 1 check (week_start between 1 and 7), -- ISO day: 1 Monday … 7 Sunday
  created_at  timestamptz not null default now()
);

-- One row per tenant with data: what the cache and every answer's freshness rest on.
create table warehouse.tenant_state (
  tenant_id    int         not null primary key,
  data_version bigint      not null default 0,  -- +1 at every committed import
  data_as_of   timestamptz,                     -- newest instance's
  updated_at   timestamptz not null default now()
);

create table warehouse.instance (
  tenant_id     int         not null,
  instance_id   text        not null,           -- the operator's name for it: 'inst1'
  kind          text        not null,           -- neutral, jira, github
  base_url      text,
  bug_types     text[]      not null default '{Bug,Defect}',
  escape_labels text[]      not null default '{escaped,escaped-defect,production,customer}',
  data_as_of    timestamptz,                    -- newest instant seen in its data
  imported_at   timestamptz not null default now(),
  primary key (tenant_id, instance_id)
);

-- Which category a tracker status belongs to; null category = unmapped.
create table warehouse.status (
  tenant_id   int     not null,
  instance_id text    not null,
  status_ref  text    not null,                 -- the tracker's status id where there is one, else the name
  name        text    not null,
  category    text    check (category in ('new', 'in_progress', 'done')),
  is_blocked  boolean not null default false,
  origin      text    not null check (origin in ('operator', 'tracker', 'well_known', 'unmapped')),
  primary key (tenant_id, instance_id, status_ref),
  foreign key (tenant_id, instance_id) references warehouse.instance on delete cascade
);

create table warehouse.project (
  tenant_id   int  not null,
  instance_id text not null,
  project_key text not null,
  name        text,
  primary key (tenant_id, instance_id, project_key),
  foreign key (tenant_id, instance_id) references warehouse.instance on delete cascade
);

create table warehouse.sprint (
  tenant_id   int    not null,
  sprint_no   bigint not null,                  -- ours, per tenant; stable over re-imports
  instance_id text   not null,
  sprint_id   text   not null,                  -- the tracker's
  board_id    text,
  project_key text,                             -- mostly null: a sprint belongs to a board and spans projects
  name        text,
  state       text,                             -- future, active, closed
  start_at    timestamptz,
  end_at      timestamptz,
  complete_at timestamptz,
  primary key (tenant_id, sprint_no),
  unique (tenant_id, instance_id, sprint_id),
  foreign key (tenant_id, instance_id) references warehouse.instance on delete cascade
);

create table warehouse.issue (
  tenant_id        int         not null,
  issue_no         bigint      not null,        -- ours, per tenant; stable over re-imports
  instance_id      text        not null,
  issue_key        text        not null,
  tracker_id       text,
  project_key      text        not null,
  issue_type       text,
  priority         text,
  status           text,
  status_ref       text,
  status_category  text,                        -- by the status map, at the last import
  resolution       text,
  summary          text,
  description      text,
  story_points     double precision check (story_points >= 0),
  assignee         text,
  reporter         text,
  created_at       timestamptz not null,
  updated_at       timestamptz,
  resolved_at      timestamptz,
  epic_key         text,
  labels           text[]      not null default '{}',
  components       text[]      not null default '{}',
  fix_versions     text[]      not null default '{}',
  affects_versions text[]      not null default '{}',
  -- derived at import from the instance's settings and the status events
  is_bug               boolean not null default false,
  is_escaped           boolean not null default false, -- carries an escape label
  has_history          boolean not null default false, -- at least one status event
  first_in_progress_at timestamptz,             -- first change into in_progress
  first_done_at        timestamptz,             -- first time done by the events
  last_done_at         timestamptz,             -- last entry into done, where done now
  first_reopened_at    timestamptz,
  in_progress_seconds  double precision,        -- time in in_progress before last_done_at; null without history
  primary key (tenant_id, issue_no),
  unique (tenant_id, instance_id, issue_key),
  foreign key (tenant_id, instance_id) references warehouse.instance on delete cascade,
  foreign key (tenant_id, instance_id, project_key) references warehouse.project
);

-- Field changes. Partitioned by year of `at`; partitions are made by warehouse.ensure_event_partitions.
create table warehouse.issue_event (
  tenant_id     int         not null,
  issue_no      bigint      not null,
  at            timestamptz not null,
  seq           int         not null,           -- order within the issue
  field         text        not null,           -- status, assignee, sprint, story_points, flagged, …
  from_value    text,
  to_value      text,
  from_ref      text,
  to_ref        text,
  author        text,
  from_category text,                           -- status events only, derived from the status map
  to_category   text,
  primary key (tenant_id, issue_no, at, seq),
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade
) partition by range (at);

-- Derived: an issue's life cut at its status events, without gaps, from created_at on; the last one is open.
create table warehouse.status_interval (
  tenant_id  int         not null,
  issue_no   bigint      not null,
  seq        int         not null,
  started_at timestamptz not null,
  ended_at   timestamptz,                       -- null: still open
  status     text,                              -- null: unknown (no history before the resolution)
  category   text,
  primary key (tenant_id, issue_no, seq),
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade,
  check (ended_at >= started_at)
);

-- Derived: spells in a status marked blocked or under a flag, merged so that none overlap.
create table warehouse.blocked_interval (
  tenant_id  int         not null,
  issue_no   bigint      not null,
  seq        int         not null,
  started_at timestamptz not null,
  ended_at   timestamptz,                       -- null: still blocked
  primary key (tenant_id, issue_no, seq),
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade,
  check (ended_at >= started_at)
);

-- Membership over time, one row per spell, as the tracker tells it.
create table warehouse.sprint_issue (
  tenant_id  int         not null,
  sprint_no  bigint      not null,
  issue_no   bigint      not null,
  spell      int         not null,
  added_at   timestamptz,                       -- null: unknown
  removed_at timestamptz,                       -- null: still in, or unknown
  primary key (tenant_id, sprint_no, issue_no, spell),
  foreign key (tenant_id, sprint_no) references warehouse.sprint on delete cascade,
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade
);

-- Derived: what one issue was to one sprint. Rules: docs/catalog.md, "Sprint membership".
create table warehouse.sprint_member (
  tenant_id             int              not null,
  sprint_no             bigint           not null,
  issue_no              bigint           not null,
  is_inferred           boolean          not null, -- added_at unknown, decided by created_at
  was_resolved_before   boolean          not null, -- resolved before the sprint's start
  is_committed          boolean          not null, -- member at the start
  is_added              boolean          not null, -- joined after the start
  is_removed            boolean          not null, -- left between start and completion
  is_final              boolean          not null, -- member at completion
  is_completed          boolean          not null, -- final and resolved between start and completion
  is_committed_completed boolean         not null, -- committed and completed
  is_carried_over       boolean          not null, -- the issue is also in a sprint that starts later
  reopen_events         int              not null, -- between start and completion
  blocked_hours         double precision not null, -- between start and completion
  primary key (tenant_id, sprint_no, issue_no),
  foreign key (tenant_id, sprint_no) references warehouse.sprint on delete cascade,
  foreign key (tenant_id, issue_no) references warehouse.issue on delete cascade
);

-- Indexes: each serves a query that the compiler writes (test/golden/indexes.test.ts); tenant_id first. None on lists:
-- array operators are not leakproof, so under row-level security no plan may use a GIN index for them.
create index issue_created on warehouse.issue (tenant_id, created_at);
create index issue_resolved on warehouse.issue (tenant_id, resolved_at) where resolved_at is not null;
create index issue_last_done on warehouse.issue (tenant_id, last_done_at) where last_done_at is not null;
create index issue_project on warehouse.issue (tenant_id, instance_id, project_key);
create index event_status on warehouse.issue_event (tenant_id, at) where field = 'status';
create index interval_in_progress on warehouse.status_interval (tenant_id, started_at) where category = 'in_progress';
-- an import replaces the memberships of the issues it brings
create index sprint_member_issue on warehouse.sprint_member (tenant_id, issue_no);
create index sprint_issue_issue on warehouse.sprint_issue (tenant_id, issue_no);

-- Makes the yearly partitions that cover [first, last]; called by imports. Runs as the owner because
-- the ingest login may not create tables; each partition gets the wall too and no grant.
create function warehouse.ensure_event_partitions(first timestamptz, last timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
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
      if to_regclass(format('warehouse.%I', partition)) is null then
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
end $$;
