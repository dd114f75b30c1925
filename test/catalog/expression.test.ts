import { beforeAll, expect, test } from "vitest";
import { loadGrammar, verifyExpression } from "../../src/catalog/expression.ts";

beforeAll(loadGrammar);

const columns = new Set(["points", "status", "created_at", "resolved_at", "is_bug", "labels"]);
const verify = (text: string, aggregates = false) => verifyExpression(text, { columns, aggregates });

test.each([
  ["1", []],
  ["points", ["points"]],
  ["points + 2 * -points", ["points"]],
  ["extract(epoch from (resolved_at - created_at)) / 86400.0", ["created_at", "resolved_at"]],
  ["case when status = 'Done' then points when is_bug then 0 else null end", ["is_bug", "points", "status"]],
  ["case status when 'Done' then 1 end", ["status"]],
  ["coalesce(resolved_at, created_at) is not null", ["created_at", "resolved_at"]],
  ["not is_bug and (status is distinct from 'x' or is_bug is true)", ["is_bug", "status"]],
  ["nullif(points, 0)", ["points"]],
  ["greatest(points, 1) > least(2, points)", ["points"]],
  ["created_at + interval '14 days' < resolved_at", ["created_at", "resolved_at"]],
  ["cardinality(labels) > 0", ["labels"]],
  ["points::int8::float8", ["points"]],
  ["pg_catalog.lower(status) = 'a''b'", ["status"]],
])("a plain expression is accepted with the columns it reads: %s", (text, used) => {
  expect(verify(` ${text} `)).toEqual({ text, columns: used });
});

test("aggregates are accepted where rows are folded", () => {
  expect(verify("sum(points) filter (where is_bug) / nullif(count(*), 0)", true).columns).toEqual(["is_bug", "points"]);
  expect(verify("coalesce(max(points), 0) + abs(min(points))", true).columns).toEqual(["points"]);
});

test.each([
  ["(select 1)", "SubLink is not allowed"],
  ["exists (select 1 from warehouse.issue)", "SubLink is not allowed"],
  ["points in (select 1)", "SubLink is not allowed"],
  ["1) from warehouse.issue where (1 = 1", "only a single expression"],
  ["1) union select (2", "only a single expression"],
  ["1), (2", "only a single expression"],
  ["1) as x, (2", "only a single expression"],
  ["1) limit (1", "only a single expression"],
  ["1) order by (1", "only a single expression"],
  ["1) for update of (x", "not a SQL expression"],
  ["1; drop table warehouse.issue", "comments and semicolons"],
  ["1 -- and nothing else", "comments and semicolons"],
  ["1 /* quietly */", "comments and semicolons"],
  ["points, points", "RowExpr is not allowed"],
  ["", "not a SQL expression"],
  ["points +", "not a SQL expression"],
  ["points as p", "not a SQL expression"],
  ["unheard_of + 1", "unknown column \"unheard_of\"; there are created_at, is_bug"],
  ["issue.points", "columns are named without a qualifier"],
  ["*", "not a SQL expression"],
  ["pg_sleep(10)", "function pg_sleep is not allowed; allowed: extract, abs"],
  ["pg_read_file('/etc/passwd')", "function pg_read_file is not allowed"],
  ["set_config('app.tenant_id', '2', false)", "function set_config is not allowed"],
  ["evil.lower(status)", "evil.lower is qualified; only built-ins"],
  ["points operator(evil.+) 1", "evil.+ is qualified; only built-ins"],
  ["status like '%x'", "LIKE is not allowed"],
  ["status ~ 'x'", "operator ~ is not allowed"],
  ["status || 'x'", "operator || is not allowed"],
  ["points in (1, 2)", "IN is not allowed"],
  ["points between 1 and 2", "BETWEEN is not allowed"],
  ["points = any(labels)", "ANY is not allowed"],
  ["'issue'::regclass", "a cast to regclass is not allowed; allowed: interval"],
  ["points::evil.kind", "evil.kind is qualified"],
  ["points::numeric", "a cast to numeric is not allowed"],
  ["sum(points)", "sum is an aggregate; aggregates are for metrics with \"per\""],
  ["current_user", "SQLValueFunction is not allowed"],
  ["current_date", "SQLValueFunction is not allowed"],
  ["$1", "ParamRef is not allowed"],
  ["labels[1]", "A_Indirection is not allowed"],
  ["array[1]", "A_ArrayExpr is not allowed"],
  ["(points).x", "A_Indirection is not allowed"],
  ["status collate \"C\"", "CollateClause is not allowed"],
  ["lower(variadic labels)", "func_variadic is not allowed in a call of lower"],
])("anything but a plain expression is refused: %s", (text, message) => {
  expect(() => verify(text)).toThrow(message);
});

test.each([
  ["sum(avg(points))", "aggregates cannot be nested (avg)"],
  ["sum(points) filter (where max(points) > 1)", "aggregates cannot be nested (max)"],
  ["sum(points) over ()", "over is not allowed in a call of sum"],
  ["sum(points) over (order by status)", "over is not allowed in a call of sum"],
  ["count(distinct status)", "agg_distinct is not allowed in a call of count"],
  ["sum(points order by status)", "agg_order is not allowed in a call of sum"],
  ["percentile_cont(0.5) within group (order by points)", "agg_order is not allowed in a call of percentile_cont"],
  ["string_agg(status)", "function string_agg is not allowed; allowed: extract, abs, round, floor, ceil, lower, upper, length, cardinality, sum"],
  ["points", "points stands outside an aggregate"],
  ["sum(points) + points", "points stands outside an aggregate"],
  ["case when is_bug then sum(points) end", "is_bug stands outside an aggregate"],
])("where rows are folded: %s is refused", (text, message) => {
  expect(() => verify(text, true)).toThrow(message);
});
