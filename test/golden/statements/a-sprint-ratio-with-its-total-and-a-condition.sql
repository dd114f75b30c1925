with "state" as (
select t.data_as_of, t.data_version from "warehouse"."tenant_state" as "t" where "t"."tenant_id" = $1::int
), "current_spine" as (
select b.*, e.spine_start, e.spine_end, least(e.spine_end, s.data_as_of) as spine_instant,
    least(e.spine_end, s.data_as_of + interval '1 microsecond') as spine_cover,
    b.spine_cut or e.spine_end > s.data_as_of as spine_partial
  from (select 1 as spine_i, null::date as spine_bucket, '-infinity'::timestamp as spine_first, 'infinity'::timestamp as spine_next, false as spine_cut) as b
  cross join lateral (select least(b.spine_first at time zone $2::text, (b.spine_first - interval '1 hour') at time zone $2::text + interval '1 hour') as spine_start, least(b.spine_next at time zone $2::text, (b.spine_next - interval '1 hour') at time zone $2::text + interval '1 hour') as spine_end) as e
  left join state as s on true
), "current_edges" as (
select array_agg(spine_start order by spine_i) as starts, array_agg(spine_end order by spine_i) as ends, array_agg(spine_cover order by spine_i) as covers,
    min(spine_start) as lo, max(spine_end) as hi, count(*)::int as n from current_spine
), "total_spine" as (
select b.*, e.spine_start, e.spine_end, least(e.spine_end, s.data_as_of) as spine_instant,
    least(e.spine_end, s.data_as_of + interval '1 microsecond') as spine_cover,
    b.spine_cut or e.spine_end > s.data_as_of as spine_partial
  from (select 1 as spine_i, null::date as spine_bucket, coalesce(min(spine_first), '-infinity'::timestamp) as spine_first, coalesce(max(spine_next), '-infinity'::timestamp) as spine_next, false as spine_cut from current_spine) as b
  cross join lateral (select least(b.spine_first at time zone $2::text, (b.spine_first - interval '1 hour') at time zone $2::text + interval '1 hour') as spine_start, least(b.spine_next at time zone $2::text, (b.spine_next - interval '1 hour') at time zone $2::text + interval '1 hour') as spine_end) as e
  left join state as s on true
), "total_edges" as (
select array_agg(spine_start order by spine_i) as starts, array_agg(spine_end order by spine_i) as ends, array_agg(spine_cover order by spine_i) as covers,
    min(spine_start) as lo, max(spine_end) as hi, count(*)::int as n from total_spine
), "current_f1" as (
select spine_i, "d1", (sum(("m1_num")::float8) filter (where "m1_num" is not null and "m1_den" is not null) / nullif(sum(("m1_den")::float8) filter (where "m1_num" is not null and "m1_den" is not null), 0)) as "m1", count(*) as "m1_n", sum("n1_1")::bigint as "n1_1", sum("rows1")::bigint as "rows1" from (select 1 as spine_i, "r"."sprint_name" as "d1", (count(*) filter (where committed and is_committed_completed))::float8 as "m1_num", (count(*) filter (where committed))::float8 as "m1_den", count(*) filter (where (is_inferred)) as "n1_1", count(*) as "rows1" from (select plain.*, (coalesce(sprint_complete_at, sprint_end_at)) as "sprint_closed_at"
, (is_committed and not was_resolved_before) as "committed" from (select "sprint"."name" as "sprint_name", "issue"."labels" as "label", "sprint"."state" as "sprint_state", "sprint_member"."sprint_no" as "sprint_no", "sprint"."complete_at" as "sprint_complete_at", "sprint"."end_at" as "sprint_end_at", "sprint_member"."is_committed" as "is_committed", "sprint_member"."was_resolved_before" as "was_resolved_before", "sprint_member"."is_committed_completed" as "is_committed_completed", "sprint_member"."is_inferred" as "is_inferred" from "warehouse"."sprint_member" as "sprint_member" join "warehouse"."sprint" as "sprint" on "sprint"."tenant_id" = $1::int and "sprint"."sprint_no" = "sprint_member"."sprint_no"
 join "warehouse"."issue" as "issue" on "issue"."tenant_id" = $1::int and "issue"."issue_no" = "sprint_member"."issue_no" where "sprint_member"."tenant_id" = $1::int) as plain) as r where "r"."label" && $3::text[] and "r"."sprint_state" = any($4::text[]) group by 1, 2, "r"."sprint_no") as u group by 1, 2
), "grid_stack" as (
select spine_i, "d1", "m1" as "m1", "m1_n" as "m1_n", "n1_1" as "n1_1", "rows1" as "rows1" from "current_f1"
), "answer" as (
select c.spine_i, s.spine_bucket, s.spine_partial, c."d1", "c"."m1" as "o1", "c"."n1_1", "c"."rows1" from (select spine_i, "d1", max("m1") as "m1", max("m1_n") as "m1_n", max("n1_1") as "n1_1", max("rows1") as "rows1" from (select * from "grid_stack" union all select spine_i, "d1", null as "m1", null as "m1_n", null as "n1_1", null as "rows1" from current_spine cross join (select distinct "d1" from "grid_stack") as g) as every group by spine_i, "d1") as c join current_spine as s on s.spine_i = c.spine_i
), "page" as (
select answer.*, count(*) over () as "total_rows", sum("n1_1") over () as "sum_n1_1", coalesce(sum("rows1") over (), 0) as "rows_read",
    row_number() over (order by spine_i, "d1" nulls last) as "ord"
  from answer where "o1" < $5::float8
), "total_f1" as (
select spine_i, (sum(("m1_num")::float8) filter (where "m1_num" is not null and "m1_den" is not null) / nullif(sum(("m1_den")::float8) filter (where "m1_num" is not null and "m1_den" is not null), 0)) as "m1", count(*) as "m1_n", sum("n1_1")::bigint as "n1_1", sum("rows1")::bigint as "rows1" from (select 1 as spine_i, (count(*) filter (where committed and is_committed_completed))::float8 as "m1_num", (count(*) filter (where committed))::float8 as "m1_den", count(*) filter (where (is_inferred)) as "n1_1", count(*) as "rows1" from (select plain.*, (coalesce(sprint_complete_at, sprint_end_at)) as "sprint_closed_at"
, (is_committed and not was_resolved_before) as "committed" from (select "sprint"."name" as "sprint_name", "issue"."labels" as "label", "sprint"."state" as "sprint_state", "sprint_member"."sprint_no" as "sprint_no", "sprint"."complete_at" as "sprint_complete_at", "sprint"."end_at" as "sprint_end_at", "sprint_member"."is_committed" as "is_committed", "sprint_member"."was_resolved_before" as "was_resolved_before", "sprint_member"."is_committed_completed" as "is_committed_completed", "sprint_member"."is_inferred" as "is_inferred" from "warehouse"."sprint_member" as "sprint_member" join "warehouse"."sprint" as "sprint" on "sprint"."tenant_id" = $1::int and "sprint"."sprint_no" = "sprint_member"."sprint_no"
 join "warehouse"."issue" as "issue" on "issue"."tenant_id" = $1::int and "issue"."issue_no" = "sprint_member"."issue_no" where "sprint_member"."tenant_id" = $1::int) as plain) as r where "r"."label" && $6::text[] and "r"."sprint_state" = any($7::text[]) group by 1, "r"."sprint_no") as u group by 1
), "total_stack" as (
select spine_i, "m1" as "m1", "m1_n" as "m1_n", "n1_1" as "n1_1", "rows1" as "rows1" from "total_f1"
), "total_answer" as (
select c.spine_i, s.spine_bucket, s.spine_partial, "c"."m1" as "o1", "c"."n1_1", "c"."rows1" from (select spine_i, max("m1") as "m1", max("m1_n") as "m1_n", max("n1_1") as "n1_1", max("rows1") as "rows1" from (select * from "total_stack" union all select spine_i, null as "m1", null as "m1_n", null as "n1_1", null as "rows1" from total_spine) as every group by spine_i) as c join total_spine as s on s.spine_i = c.spine_i
)
select s.data_as_of as "data_as_of", s.data_version as "data_version", (select array_agg(wanted) from unnest($8::text[]) as wanted where (select 1 from (select "issue"."labels" as "label" from "warehouse"."issue" as "issue" where "issue"."tenant_id" = $1::int) as r where "r"."label" @> array[wanted] limit 1) is null) as "missing1", p.* from (select 1) as one left join state as s on true left join (select "ord", "total_rows", "rows_read"::bigint as "rows_read", "sum_n1_1"::bigint as "n1_1", spine_partial as "is_partial", spine_bucket as "bucket", "d1", "o1" from page where "ord" <= $9::int union all select 0::bigint, null::bigint, null::bigint, null::bigint, false, null::date, null::text, "o1" from total_answer) as p on true order by p."ord"

-- [4711,"Europe/Prague",["ui"],["closed"],0.5,["ui"],["closed"],["ui"],100]
