with "state" as (
select t.data_as_of, t.data_version from "warehouse"."tenant_state" as "t" where "t"."tenant_id" = $1::int
), "current_spine" as (
select b.*, e.spine_start, e.spine_end, least(e.spine_end, s.data_as_of) as spine_instant,
    least(e.spine_end, s.data_as_of + interval '1 microsecond') as spine_cover,
    b.spine_cut or e.spine_end > s.data_as_of as spine_partial
  from (select (row_number() over (order by bucket))::int as spine_i, bucket::date as spine_bucket,
    greatest(bucket, $2::timestamp) as spine_first, least(bucket + $3::interval, $4::timestamp) as spine_next,
    bucket < $2::timestamp or bucket + $3::interval > $4::timestamp as spine_cut
  from generate_series(date_trunc($5::text, $2::timestamp), ($4::timestamp - interval '1 microsecond'), $3::interval) as bucket) as b
  cross join lateral (select least(b.spine_first at time zone $6::text, (b.spine_first - interval '1 hour') at time zone $6::text + interval '1 hour') as spine_start, least(b.spine_next at time zone $6::text, (b.spine_next - interval '1 hour') at time zone $6::text + interval '1 hour') as spine_end) as e
  left join state as s on true
), "current_edges" as (
select array_agg(spine_start order by spine_i) as starts, array_agg(spine_end order by spine_i) as ends, array_agg(spine_cover order by spine_i) as covers,
    min(spine_start) as lo, max(spine_end) as hi, count(*)::int as n from current_spine
), "current_f1" as (
select width_bucket("r"."created_at", (select starts from current_edges)) as spine_i, "r"."issue_type" as "d1", (count(*))::float8 as "m1", count(*) as "m1_n", count(*) as "rows1" from (select "issue"."issue_type" as "issue_type", "issue"."created_at" as "created_at" from "warehouse"."issue" as "issue" where "issue"."tenant_id" = $1::int) as r where "r"."created_at" >= least($7::timestamp at time zone $6::text, ($7::timestamp - interval '1 hour') at time zone $6::text + interval '1 hour') and "r"."created_at" < least($8::timestamp at time zone $6::text, ($8::timestamp - interval '1 hour') at time zone $6::text + interval '1 hour') group by 1, 2
), "grid_stack" as (
select spine_i, "d1", "m1" as "m1", "m1_n" as "m1_n", "rows1" as "rows1" from "current_f1"
), "answer" as (
select c.spine_i, s.spine_bucket, s.spine_partial, c."d1", case when coalesce("c"."m1_n", 0) = 0 then 0 else "c"."m1" end as "o1", "c"."rows1" from (select spine_i, "d1", max("m1") as "m1", max("m1_n") as "m1_n", max("rows1") as "rows1" from (select * from "grid_stack" union all select spine_i, "d1", null as "m1", null as "m1_n", null as "rows1" from current_spine cross join (select distinct "d1" from "grid_stack") as g) as every group by spine_i, "d1") as c join current_spine as s on s.spine_i = c.spine_i
), "page" as (
select answer.*, count(*) over () as "total_rows", coalesce(sum("rows1") over (), 0) as "rows_read",
    row_number() over (order by spine_i, "d1" nulls last) as "ord"
  from answer where true
)
select s.data_as_of as "data_as_of", s.data_version as "data_version", p.* from (select 1) as one left join state as s on true left join (select "ord", "total_rows", "rows_read"::bigint as "rows_read", spine_partial as "is_partial", spine_bucket as "bucket", "d1", "o1" from page where "ord" <= $9::int) as p on true order by p."ord"

-- [4711,"2024-01-01","1 month","2024-04-01","month","Europe/Prague","2024-01-01","2024-04-01",100]
