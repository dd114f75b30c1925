import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { beforeAll, describe, expect, test } from "vitest";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { Cell } from "../../src/result/result.ts";
import { sharedData } from "../ingest/support.ts";
import { type Asked, ask, testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase, type TestDatabase } from "../support/databases.ts";
import { testTenant } from "../support/tenants.ts";

/*
 * Every known answer of METRICS.md and every row of the golden CSV files that the catalog can express, asked as specs of
 * the imported data. The files were computed twice by independent means (reference/data.md section 4).
 */
const data = sharedData(".");
const TENANTS = { titanium: testTenant({ id: 1 }), duraspace: testTenant({ id: 2 }), devlake_ee: testTenant({ id: 3 }) };
type Set = keyof typeof TENANTS;

const golden = (name: string): Record<string, string>[] => parse(readFileSync(join(data ?? "", "golden", name)), { columns: true });
const measure = (name: string, agg?: string, as = agg === undefined ? name : `${name}_${agg}`) => ({
  name,
  as,
  ...(agg === undefined ? {} : { agg }),
});

/** Equal to six decimals; an empty field of a golden file is null. */
function expectSame(found: Cell | undefined, expected: string | number | undefined, what: string): void {
  if (expected === "" || expected === undefined) expect(found ?? null, what).toBeNull();
  else
    expect(Math.abs(Number(found ?? Number.NaN) - Number(expected)), `${what}: ${String(found)} should be ${expected}`).toBeLessThan(1e-6);
}

describe.skipIf(data === null)("known answers", () => {
  describeOnEachDatabase("from imported data", (get: () => TestDatabase) => {
    let pipeline: Pipeline;
    const on = (set: Set, spec: Record<string, unknown>): Promise<Asked> => ask(pipeline, TENANTS[set], { limit: 1000, ...spec });

    beforeAll(async () => {
      for (const [name, tenant] of Object.entries(TENANTS)) {
        await importInto(get().database, tenant, { instanceId: "inst1", source: neutralSource(join(data ?? "", name)) });
      }
      pipeline = await testPipeline(get().database);
    }, 180_000);

    test("titanium and duraspace as a whole", async () => {
      const measures = [
        measure("issues_created"),
        measure("issues_closed"),
        measure("bug_count"),
        measure("lead_time", "p50"),
        measure("lead_time", "p90"),
        measure("cycle_time", "p50"),
        measure("cycle_time", "p90"),
        measure("reopened_count"),
        measure("reopened_issues"),
        measure("reopen_rate"),
      ];
      const titanium = (await on("titanium", { measures })).rows[0];
      const duraspace = (await on("duraspace", { measures })).rows[0];
      const known: [string, number, number | undefined][] = [
        ["issues_created", 3036, 29_057],
        ["issues_closed", 2377, 26_108],
        ["bug_count", 1179, 20_959],
        ["lead_time_p50", 41.14681, 22.065243],
        ["lead_time_p90", 394.455595, 971.340448],
        ["cycle_time_p50", 4.068748, undefined],
        ["cycle_time_p90", 73.065217, undefined],
        ["reopened_count", 154, 0],
        ["reopened_issues", 141, 0],
        ["reopen_rate", 0.059194, undefined],
      ];
      for (const [name, ofDuraspace, ofTitanium] of known) {
        expectSame(duraspace?.[name], ofDuraspace, `duraspace ${name}`);
        expectSame(titanium?.[name], ofTitanium, `titanium ${name}`);
      }
    });

    test.each(["titanium", "duraspace"] as const)("%s per project", async (set) => {
      const measures = [
        measure("issues_created"),
        measure("bug_count"),
        measure("issues_closed"),
        measure("backlog_open"),
        measure("lead_time", "avg"),
        measure("lead_time", "p50"),
        measure("lead_time", "p85"),
        measure("lead_time", "p90"),
        measure("lead_time", "p95"),
      ];
      const { rows, totals } = await on(set, { measures, dimensions: ["project_key"], totals: true });
      for (const row of golden(`${set}_per_project.csv`)) {
        const own = row["project_key"] === "*" ? totals : rows.find((one) => one["project_key"] === row["project_key"]);
        const columns = {
          issues: "issues_created",
          bugs: "bug_count",
          resolved: "issues_closed",
          not_done: "backlog_open",
          lead_days_mean: "lead_time_avg",
          lead_days_p50: "lead_time_p50",
          lead_days_p85: "lead_time_p85",
          lead_days_p90: "lead_time_p90",
          lead_days_p95: "lead_time_p95",
        };
        for (const [theirs, ours] of Object.entries(columns)) expectSame(own?.[ours], row[theirs], `${row["project_key"]} ${theirs}`);
      }
    });

    test.each(["titanium", "duraspace"] as const)("%s per project and month", async (set) => {
      const measures = [measure("issues_created"), measure("issues_closed")];
      const projects = (await on(set, { measures, dimensions: ["project_key"] })).rows.map((row) => String(row["project_key"]));
      const expected = golden(`${set}_issues_per_month.csv`);
      let seen = 0;
      for (const project of projects) {
        const { rows } = await on(set, {
          measures,
          time: { grain: "month" },
          filters: [{ field: "project_key", op: "=", values: [project] }],
        });
        const own = new Map(expected.filter((row) => row["project_key"] === project).map((row) => [row["month"], row]));
        for (const row of rows) {
          const month = String(row["time"]).slice(0, 7);
          expectSame(row["issues_created"], own.get(month)?.["created"] ?? 0, `${project} ${month} created`);
          expectSame(row["issues_closed"], own.get(month)?.["resolved"] ?? 0, `${project} ${month} resolved`);
          if (own.has(month)) seen += 1;
        }
      }
      expect(seen).toBe(expected.length);
    });

    test("duraspace's status history per project", async () => {
      const measures = [
        measure("status_changes"),
        measure("reopened_count"),
        measure("reopened_issues"),
        measure("reopen_rate"),
        measure("cycle_time", "p50"),
        measure("cycle_time", "p90"),
        measure("flow_efficiency"),
      ];
      const { rows, totals } = await on("duraspace", { measures, dimensions: ["project_key"], totals: true });
      for (const row of golden("duraspace_status_history.csv")) {
        const own = row["project_key"] === "*" ? totals : rows.find((one) => one["project_key"] === row["project_key"]);
        const columns = {
          status_changes: "status_changes",
          reopen_events: "reopened_count",
          issues_reopened: "reopened_issues",
          reopen_rate: "reopen_rate",
          cycle_days_p50: "cycle_time_p50",
          cycle_days_p90: "cycle_time_p90",
          flow_efficiency: "flow_efficiency",
        };
        // A project without any status change has no group; its row in the file is all zeros and blanks.
        if (own)
          for (const [theirs, ours] of Object.entries(columns)) expectSame(own[ours], row[theirs], `${row["project_key"]} ${theirs}`);
        else expect(row["status_changes"]).toBe("0");
      }
    });

    test("duraspace's state at each quarter's end", async () => {
      const time = { grain: "quarter", from: "2007-10-01", to: "2015-10-01" };
      const { rows } = await on("duraspace", { measures: [measure("wip"), measure("backlog_open"), measure("issues_created")], time });
      const created = await on("duraspace", { measures: [measure("issues_created")], time: { grain: "quarter", to: "2015-10-01" } });
      const states = new Map(rows.map((row) => [String(row["time"]), row]));
      for (const row of golden("duraspace_state_at.csv")) {
        const end = String(row["at"]).slice(0, 10);
        const start = new Date(`${end}T00:00:00Z`);
        start.setUTCMonth(start.getUTCMonth() - 3);
        const own = states.get(start.toISOString().slice(0, 10));
        const sofar = created.rows.filter((one) => String(one["time"]) < end).reduce((sum, one) => sum + Number(one["issues_created"]), 0);
        expectSame(own?.["wip"], row["indeterminate"], `${end} in progress`);
        expectSame(own?.["backlog_open"], Number(row["new"]) + Number(row["indeterminate"]), `${end} open`);
        expectSame(sofar - Number(own?.["backlog_open"]), row["done"], `${end} done`);
      }
    });

    test("a day is held against the same day of a shorter month, and against nothing where there is none", async () => {
      const time = { grain: "day", from: "2014-03-01", to: "2014-04-01", compare: "previous_period" };
      const { rows } = await on("duraspace", { measures: [measure("issues_created")], time, timezone: "Europe/Prague" });
      const before = new Map(rows.map((row) => [String(row["time"]).slice(8), row["issues_created__previous"]]));
      expect([before.get("28"), before.get("29"), before.get("30"), before.get("31")]).toEqual([2, null, null, null]);
    });

    test("titanium's sprints, each and together", async () => {
      const measures = [
        measure("velocity_issues"),
        measure("velocity", "sum"),
        measure("planned_points"),
        measure("spillover_ratio"),
        measure("carry_over_ratio"),
        measure("completed_issues"),
        measure("completed_points"),
      ];
      const { rows, totals } = await on("titanium", { measures, dimensions: ["sprint_id"], totals: true });
      expectSame(totals["spillover_ratio"], 4162 / 8683, "spillover");
      expectSame(totals["carry_over_ratio"], 3547 / 9246, "carry-over");
      expectSame(totals["completed_points"], 9270, "completed points");
      expectSame(totals["planned_points"], 12_827, "planned points");
      expectSame(totals["completed_issues"], 4521, "completed issues");
      const found = new Map(rows.map((row) => [String(row["sprint_id"]), row]));
      const expected = golden("titanium_sprints.csv");
      for (const row of expected) {
        const own = found.get(String(row["sprint_id"]));
        const count = (name: string): number => Number(row[name]);
        if (own === undefined) {
          expect(row["issues"], `sprint ${row["sprint_id"]} has no members`).toBe("0");
          continue;
        }
        const counted = count("issues") - count("resolved_before_start");
        expectSame(own["completed_issues"], count("completed_in_sprint"), `${row["sprint_id"]} completed`);
        expectSame(
          own["spillover_ratio"],
          counted === 0 ? "" : (count("resolved_after") + count("unresolved")) / counted,
          `${row["sprint_id"]} spillover`,
        );
        expectSame(own["carry_over_ratio"], count("in_a_later_sprint") / count("issues"), `${row["sprint_id"]} carry-over`);
        // The file writes 0 where no member has an estimate; the catalog says null.
        expect(Number(own["planned_points"] ?? 0), `${row["sprint_id"]} points`).toBeCloseTo(count("points"), 6);
        expect(Number(own["velocity_sum"] ?? 0), `${row["sprint_id"]} velocity`).toBeCloseTo(count("points_completed"), 6);
      }
      expect(expected.length).toBeGreaterThan(300);
    });

    test("devlake_ee's sprints", async () => {
      const names = ["committed_issues", "added_issues", "removed_issues", "completed_issues"];
      const { rows } = await on("devlake_ee", {
        measures: [...names.map((name) => measure(name)), measure("spillover_ratio")],
        dimensions: ["sprint_id"],
      });
      for (const row of golden("devlake_ee_sprints.csv")) {
        const own = rows.find((one) => one["sprint_id"] === row["sprint_id"]);
        const theirs = ["committed_at_start", "added_after_start", "removed_before_complete", "completed"];
        for (const [index, name] of names.entries()) expectSame(own?.[name], row[theirs[index] ?? ""], `${row["name"]} ${name}`);
        const members = Number(row["in_sprint_at_complete"]);
        expectSame(own?.["spillover_ratio"], members === 0 ? "" : Number(row["not_completed"]) / members, `${row["name"]} spillover`);
      }
    });
  });
});
