import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { ClientBase } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import type { TestDatabase } from "../support/databases.ts";
import { sharedData } from "./support.ts";

const data = sharedData(".");
const TENANT = { id: 1 };

function golden(name: string): Record<string, string>[] {
  return parse(readFileSync(join(data ?? "", "golden", name)), { columns: true });
}

/** As the golden files write it: six decimals, empty for null, `0` for a zero that stands for no rows. */
function same(value: unknown, expected: string | undefined): boolean {
  if (expected === "" || expected === undefined) return value === null;
  return value !== null && Math.abs(Number(value) - Number(expected)) < 1e-6;
}

async function rows(get: () => TestDatabase, text: string): Promise<Record<string, unknown>[]> {
  return get().asSuperuser(async (client: ClientBase) => (await client.query<Record<string, unknown>>(text)).rows);
}

function load(get: () => TestDatabase, name: string): void {
  beforeAll(async () => {
    const report = await importInto(get().database, TENANT, { instanceId: name, source: neutralSource(join(data ?? "", name)) });
    expect(report.refusedCount).toBe(0);
  }, 120_000);
}

describe.skipIf(data === null)("known answers", () => {
  describeOnEachDatabase("devlake_ee", (get) => {
    load(get, "devlake_ee");

    test("sprints: committed, added, removed, at completion, completed, not", async () => {
      const members = await rows(
        get,
        `
        select s.sprint_id, s.name, to_char(s.start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as start_at,
          to_char(s.complete_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as complete_at,
          count(*) filter (where is_committed) as committed_at_start, count(*) filter (where is_added) as added_after_start,
          count(*) filter (where is_removed) as removed_before_complete, count(*) filter (where is_final) as in_sprint_at_complete,
          count(*) filter (where is_completed) as completed, count(*) filter (where is_final and not is_completed) as not_completed
        from warehouse.sprint s join warehouse.sprint_member m using (tenant_id, sprint_no)
        where s.state = 'closed' group by 1, 2, 3, 4 order by s.sprint_id::int`,
      );
      const asText = members.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, String(value)])));
      expect(asText).toEqual(golden("devlake_ee_sprints.csv"));
    });

    test("negative and textual points, a status with two categories, unmapped statuses", async () => {
      expect(await rows(get, "select story_points from warehouse.issue where issue_key = 'EE-1'")).toEqual([{ story_points: null }]);
      expect(await rows(get, "select category, origin from warehouse.status where status_ref = '10068'")).toEqual([
        { category: "done", origin: "tracker" },
      ]);
      expect(await rows(get, "select name from warehouse.status where origin = 'unmapped' order by 1")).toEqual([
        { name: "Inbox" },
        { name: "Ready for Dev" },
      ]);
    });
  });

  describeOnEachDatabase("duraspace", (get) => {
    load(get, "duraspace");

    test("every row of the status history", async () => {
      const computed = await rows(
        get,
        `
        with event as (
          select i.project_key, count(*) as status_changes,
                 count(*) filter (where from_category = 'done' and to_category is distinct from 'done') as reopen_events
          from warehouse.issue_event e join warehouse.issue i using (tenant_id, issue_no) where e.field = 'status'
          group by grouping sets ((i.project_key), ()))
        select coalesce(i.project_key, '*') as project_key, coalesce(max(e.status_changes), 0) as status_changes,
          coalesce(max(e.reopen_events), 0) as reopen_events,
          count(i.first_reopened_at) as issues_reopened, count(i.first_done_at) as issues_ever_done,
          count(i.first_reopened_at)::float8 / nullif(count(i.first_done_at), 0) as reopen_rate,
          count(*) filter (where i.first_in_progress_at is not null and i.last_done_at is not null) as cycle_n,
          percentile_cont(0.5) within group (order by extract(epoch from i.last_done_at - i.first_in_progress_at) / 86400) as cycle_days_p50,
          percentile_cont(0.9) within group (order by extract(epoch from i.last_done_at - i.first_in_progress_at) / 86400) as cycle_days_p90,
          sum(i.in_progress_seconds) / sum(extract(epoch from i.last_done_at - i.created_at)) filter (where i.in_progress_seconds is not null) as flow_efficiency
        from warehouse.issue i left join event e on e.project_key is not distinct from i.project_key
        group by grouping sets ((i.project_key), ())`,
      );
      const total = await rows(
        get,
        `
        select count(*) as status_changes, count(*) filter (where from_category = 'done' and to_category is distinct from 'done') as reopen_events
        from warehouse.issue_event where field = 'status'`,
      );
      const byProject = new Map(computed.map((row) => [row["project_key"], row["project_key"] === "*" ? { ...row, ...total[0] } : row]));
      const expected = golden("duraspace_status_history.csv");
      expect(expected).toHaveLength(19);
      for (const row of expected) {
        const mine = byProject.get(row["project_key"] ?? "") ?? {};
        for (const [column, value] of Object.entries(row)) {
          if (column !== "project_key")
            expect([row["project_key"], column, mine[column], value, same(mine[column], value)]).toEqual([
              row["project_key"],
              column,
              mine[column],
              value,
              true,
            ]);
        }
      }
    });

    test("every state at an instant, from the intervals", async () => {
      const expected = golden("duraspace_state_at.csv");
      expect(expected.length).toBeGreaterThan(20);
      const instants = expected.map((row) => `('${row["at"]}'::timestamptz)`).join(", ");
      const computed = await rows(
        get,
        `
        select count(*) filter (where category = 'new')::text as new, count(*) filter (where category = 'in_progress')::text as indeterminate,
               count(*) filter (where category = 'done')::text as done
        from (values ${instants}) t (at)
        left join warehouse.status_interval s on s.started_at <= t.at and (s.ended_at is null or s.ended_at > t.at)
        group by t.at order by t.at`,
      );
      expect(computed).toEqual(expected.map(({ new: fresh, indeterminate, done }) => ({ new: fresh, indeterminate, done })));
    });

    test("intervals have no gaps, no overlaps, and end open", async () => {
      expect(
        await rows(
          get,
          `
        with life as (select s.*, lead(started_at) over w as next_at, lead(seq) over w as next_seq, lag(seq) over w as seq_before, i.created_at
                      from warehouse.status_interval s join warehouse.issue i using (tenant_id, issue_no)
                      window w as (partition by tenant_id, issue_no order by seq))
        select issue_no, seq from life
        where ended_at is distinct from next_at or (next_seq is not null and next_seq <> seq + 1)
           or (seq_before is null and (started_at <> created_at or seq <> 1))`,
        ),
      ).toEqual([]);
    });

    test("the current status is where the last interval is", async () => {
      expect(
        await rows(
          get,
          `
        select i.issue_key from warehouse.issue i join warehouse.status_interval s using (tenant_id, issue_no)
        where s.ended_at is null and (s.status, s.category) is distinct from (i.status, i.status_category)`,
        ),
      ).toEqual([]);
    });

    test("issues and lead time per project", async () => {
      const computed = await rows(
        get,
        `
        select coalesce(project_key, '*') as project_key, count(*) as issues, count(*) filter (where is_bug) as bugs,
          count(*) filter (where status_category is distinct from 'done') as not_done, count(resolved_at) as resolved, sum(story_points) as story_points_sum,
          count(story_points) as issues_with_points,
          percentile_cont(0.9) within group (order by extract(epoch from resolved_at - created_at) / 86400) as lead_days_p90
        from warehouse.issue group by grouping sets ((project_key), ())`,
      );
      const expected = golden("duraspace_per_project.csv");
      expect(computed).toHaveLength(expected.length);
      for (const row of computed) {
        const wanted = expected.find((one) => one["project_key"] === row["project_key"]) ?? {};
        for (const [column, value] of Object.entries(row)) {
          if (column !== "project_key")
            expect([row["project_key"], column, same(value, wanted[column])]).toEqual([row["project_key"], column, true]);
        }
      }
    });
  });

  describeOnEachDatabase("titanium", (get) => {
    load(get, "titanium");

    test("members over closed sprints with dates", async () => {
      expect(
        await rows(
          get,
          `
        select count(*)::int as members, count(*) filter (where is_completed)::int as completed,
          count(*) filter (where was_resolved_before)::int as before, count(*) filter (where is_carried_over)::int as carried,
          count(*) filter (where is_final and not is_completed and not was_resolved_before)::int as later, count(*) filter (where not is_final)::int as left,
          sum(i.story_points) filter (where is_completed) as points
        from warehouse.sprint_member m join warehouse.sprint s using (tenant_id, sprint_no) join warehouse.issue i using (tenant_id, issue_no)
        where s.state = 'closed' and s.start_at is not null and s.complete_at is not null`,
        ),
      ).toEqual([{ members: 9246, completed: 4521, before: 563, carried: 3547, later: 4162, left: 0, points: 9270 }]);
    });

    test("every sprint", async () => {
      const computed = await rows(
        get,
        `
        select s.sprint_id, count(m.issue_no)::text as issues, count(*) filter (where is_completed)::text as completed_in_sprint,
          count(*) filter (where was_resolved_before)::text as resolved_before_start, count(*) filter (where is_carried_over)::text as in_a_later_sprint,
          count(*) filter (where is_bug)::text as bugs
        from warehouse.sprint s left join warehouse.sprint_member m using (tenant_id, sprint_no) left join warehouse.issue i using (tenant_id, issue_no)
        where s.state = 'closed' and s.start_at is not null and s.complete_at is not null group by s.sprint_id order by s.sprint_id::int`,
      );
      const expected = golden("titanium_sprints.csv").map(
        ({ sprint_id, issues, completed_in_sprint, resolved_before_start, in_a_later_sprint, bugs }) => ({
          sprint_id,
          issues,
          completed_in_sprint,
          resolved_before_start,
          in_a_later_sprint,
          bugs,
        }),
      );
      expect(computed).toEqual(expected.toSorted((a, b) => Number(a.sprint_id) - Number(b.sprint_id)));
    });

    test("issues, closed, bugs; none has a history", async () => {
      expect(
        await rows(
          get,
          `
        select count(*)::int as issues, count(resolved_at)::int as closed, count(*) filter (where is_bug)::int as bugs,
          count(*) filter (where has_history)::int as with_history, max(length(description)) as longest from warehouse.issue`,
        ),
      ).toEqual([{ issues: 29_057, closed: 26_108, bugs: 20_959, with_history: 0, longest: 1_108_247 }]);
    });
  });
});
