with "state" as (
select t.data_as_of, t.data_version from "warehouse"."tenant_state" as "t" where "t"."tenant_id" = $1::int
), "current_spine" as (
select b.*, e.spine_start, e.spine_end, least(e.spine_end, s.data_as_of) as spine_instant,
    least(e.spine_end, s.data_as_of + interval '1 microsecond') as spine_cover,
    b.spine_cut or e.spine_end > s.data_as_of as spine_partial
  from (select (row_number() over (order by bucket))::int as spine_i, bucket::date as spine_bucket,
    greatest(bucket, $2::timestamp) as spine_first, least(bucket + $3::interval, $4::timestamp) as spine_next,
    bucket < $2::timestamp or bucket + $3::interval > $4::timestamp as spine_cut
  from generate_series((date_trunc($5::text, $2::timestamp - $6::interval) + $6::interval), ($4::timestamp - interval '1 microsecond'), $3::interval) as bucket) as b
  cross join lateral (select least(b.spine_first at time zone $7::text, (b.spine_first - interval '1 hour') at time zone $7::text + interval '1 hour') as spine_start, least(b.spine_next at time zone $7::text, (b.spine_next - interval '1 hour') at time zone $7::text + interval '1 hour') as spine_end) as e
  left join state as s on true
), "current_edges" as (
select array_agg(spine_start order by spine_i) as starts, array_agg(spine_end order by spine_i) as ends, array_agg(spine_cover order by spine_i) as covers,
    min(spine_start) as lo, max(spine_end) as hi, count(*)::int as n from current_spine
), "previous_spine" as (
select b.*, e.spine_start, e.spine_end, least(e.spine_end, s.data_as_of) as spine_instant,
    least(e.spine_end, s.data_as_of + interval '1 microsecond') as spine_cover,
    b.spine_cut or e.spine_end > s.data_as_of as spine_partial
  from (select spine_i, spine_bucket, (spine_first - $8::interval) as spine_first, (spine_next - $9::interval) as spine_next, false as spine_cut from current_spine) as b
  cross join lateral (select least(b.spine_first at time zone $7::text, (b.spine_first - interval '1 hour') at time zone $7::text + interval '1 hour') as spine_start, least(b.spine_next at time zone $7::text, (b.spine_next - interval '1 hour') at time zone $7::text + interval '1 hour') as spine_end) as e
  left join state as s on true
), "previous_edges" as (
select array_agg(spine_start order by spine_i) as starts, array_agg(spine_end order by spine_i) as ends, array_agg(spine_cover order by spine_i) as covers,
    min(spine_start) as lo, max(spine_end) as hi, count(*)::int as n from previous_spine
), "current_f1" as (
select s.spine_i as spine_i, (count(*) filter (where (status_category = 'in_progress')))::float8 as "m1", count(*) filter (where (status_category = 'in_progress')) as "m1_n", count(*) filter (where (not has_history)) as "n1_1", count(*) as "rows1" from (select "status_interval"."started_at" as "started_at", "status_interval"."ended_at" as "left_at", "status_interval"."category" as "status_category", "issue"."has_history" as "has_history" from "warehouse"."status_interval" as "status_interval" join "warehouse"."issue" as "issue" on "issue"."tenant_id" = $1::int and "issue"."issue_no" = "status_interval"."issue_no" where "status_interval"."tenant_id" = $1::int) as r cross join current_edges as e cross join lateral generate_series(width_bucket("r"."started_at", e.covers) + 1, coalesce(width_bucket("r"."left_at", e.covers), e.n)) as held(i) join current_spine as s on s.spine_i = held.i cross join lateral (select s.spine_instant as instant) as at where ((status_category = 'in_progress')) group by 1
), "previous_f1" as (
select s.spine_i as spine_i, (count(*) filter (where (status_category = 'in_progress')))::float8 as "m1", count(*) filter (where (status_category = 'in_progress')) as "m1_n", count(*) filter (where (not has_history)) as "n1_1", count(*) as "rows1" from (select "status_interval"."started_at" as "started_at", "status_interval"."ended_at" as "left_at", "status_interval"."category" as "status_category", "issue"."has_history" as "has_history" from "warehouse"."status_interval" as "status_interval" join "warehouse"."issue" as "issue" on "issue"."tenant_id" = $1::int and "issue"."issue_no" = "status_interval"."issue_no" where "status_interval"."tenant_id" = $1::int) as r cross join previous_edges as e cross join lateral generate_series(width_bucket("r"."started_at", e.covers) + 1, coalesce(width_bucket("r"."left_at", e.covers), e.n)) as held(i) join previous_spine as s on s.spine_i = held.i cross join lateral (select s.spine_instant as instant) as at where ((status_category = 'in_progress')) group by 1
), "grid_stack" as (
select spine_i, "m1" as "m1", "m1_n" as "m1_n", null::float8 as "previous_m1", null::bigint as "previous_m1_n", "n1_1" as "n1_1", "rows1" as "rows1" from "current_f1" union all select spine_i, null::float8 as "m1", null::bigint as "m1_n", "m1" as "previous_m1", "m1_n" as "previous_m1_n", null::bigint as "n1_1", null::bigint as "rows1" from "previous_f1"
), "answer" as (
select compared.*, ("o1" - "o1_previous") / nullif("o1_previous", 0) as "o1_delta" from (select c.spine_i, s.spine_bucket, s.spine_partial, case when coalesce("c"."m1_n", 0) = 0 then 0 else "c"."m1" end as "o1", case when q.spine_first >= q.spine_next and q.spine_first > '-infinity' then null else case when coalesce("c"."previous_m1_n", 0) = 0 then 0 else "c"."previous_m1" end end as "o1_previous", "c"."n1_1", "c"."rows1" from (select spine_i, max("m1") as "m1", max("m1_n") as "m1_n", max("previous_m1") as "previous_m1", max("previous_m1_n") as "previous_m1_n", max("n1_1") as "n1_1", max("rows1") as "rows1" from (select * from "grid_stack" union all select spine_i, null as "m1", null as "m1_n", null as "previous_m1", null as "previous_m1_n", null as "n1_1", null as "rows1" from current_spine) as every group by spine_i) as c join current_spine as s on s.spine_i = c.spine_i join previous_spine as q on q.spine_i = c.spine_i) as compared
), "page" as (
select answer.*, count(*) over () as "total_rows", sum("n1_1") over () as "sum_n1_1", coalesce(sum("rows1") over (), 0) as "rows_read",
    row_number() over (order by spine_i) as "ord"
  from answer where true
)
select s.data_as_of as "data_as_of", s.data_version as "data_version", p.* from (select 1) as one left join state as s on true left join (select "ord", "total_rows", "rows_read"::bigint as "rows_read", "sum_n1_1"::bigint as "n1_1", spine_partial as "is_partial", spine_bucket as "bucket", "o1", "o1_previous", "o1_delta" from page where "ord" <= $10::int) as p on true order by p."ord"

-- [4711,"2024-01-07","7 days","2024-02-04","week","6 days","Europe/Prague","28 days","28 days",100]
