/**
 * What the planner's estimate says against what statements take, on native PostgreSQL and real data:
 * `node bench/admission/run.ts <neutral folder> [copies]` with TEST_DATABASE_URL set. The bound of src/execute/limits.ts comes from
 * this table. `copies` loads the folder as so many instances of one tenant, to see what grows how.
 */
import { join } from "node:path";
import { loadCatalog } from "../../src/catalog/load.ts";
import { openNative } from "../../src/db/native.ts";
import { tenantDirectory } from "../../src/db/tenant-directory.ts";
import { toAppError } from "../../src/errors.ts";
import { readEstimate } from "../../src/execute/estimate.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { must } from "../../src/must.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { compile } from "../../src/sql/compile.ts";
import { explained } from "../../src/sql/values.ts";
import { createScratch } from "../../test/support/native-database.ts";
import { testTenant } from "../../test/support/tenants.ts";

const [folder = "../shared/data/titanium", copies = "1"] = process.argv.slice(2);
const LONGEST_MS = 60_000;
const NOW = new Date("2021-06-15T12:00:00Z");
const measures = (...names: string[]) => ({ measures: names.map((name) => ({ name })) });
const year = { range: "last_12_months" };

const SPECS: Record<string, Record<string, unknown>> = {
  count: measures("issues_created"),
  "count, 14 days": { ...measures("issues_created"), time: { range: "last_14_days" } },
  "count by type": { ...measures("issues_created"), dimensions: ["issue_type"] },
  "month × type, all": { ...measures("issues_created", "bug_ratio"), dimensions: ["issue_type"], time: { grain: "month", range: "all" } },
  "lead time p85 month": { measures: [{ name: "lead_time", agg: "p85" }], time: { grain: "month", range: "all" } },
  "count by issue": { ...measures("issues_created"), dimensions: ["issue_key"] },
  "day × project, year": { ...measures("issues_created", "issues_closed"), dimensions: ["project_key"], time: { grain: "day", ...year } },
  "day × project, all": { ...measures("issues_created"), dimensions: ["project_key"], time: { grain: "day", range: "all" } },
  "day × assignee, all": { ...measures("issues_created"), dimensions: ["assignee"], time: { grain: "day", range: "all" } },
  "week × assignee, all": { ...measures("issues_created"), dimensions: ["assignee"], time: { grain: "week", range: "all" } },
  "month × assignee, all": { ...measures("issues_created"), dimensions: ["assignee"], time: { grain: "month", range: "all" } },
  "month × issue, all": { ...measures("issues_created"), dimensions: ["issue_key"], time: { grain: "month", range: "all" } },
  "year × issue, all": { ...measures("issues_created"), dimensions: ["issue_key"], time: { grain: "year", range: "all" } },
  "day × issue, year": { ...measures("issues_created"), dimensions: ["issue_key"], time: { grain: "day", ...year } },
  "wip month, all": { ...measures("wip"), time: { grain: "month", range: "all" } },
  "wip day, all": { ...measures("wip"), time: { grain: "day", range: "all" } },
  "backlog day, year": { ...measures("backlog_open"), time: { grain: "day", ...year } },
  "backlog day, all": { ...measures("backlog_open"), time: { grain: "day", range: "all" } },
  "backlog day × project, all": { ...measures("backlog_open"), dimensions: ["project_key"], time: { grain: "day", range: "all" } },
  "backlog week × project, all": { ...measures("backlog_open"), dimensions: ["project_key"], time: { grain: "week", range: "all" } },
  "age p85 week, all": { measures: [{ name: "work_item_age", agg: "p85" }], time: { grain: "week", range: "all" } },
  "age p85 day, all": { measures: [{ name: "work_item_age", agg: "p85" }], time: { grain: "day", range: "all" } },
  "stuck month, year": { ...measures("stuck_count"), time: { grain: "month", ...year } },
  "stuck week, all": { ...measures("stuck_count"), time: { grain: "week", range: "all" } },
  "spillover by sprint": { ...measures("spillover_ratio", "velocity"), dimensions: ["sprint_name"] },
  "score by sprint": { ...measures("sprint_problematic_score"), dimensions: ["sprint_name"], totals: true },
  "time in status by status": { ...measures("time_in_status"), dimensions: ["status"] },
  "time in status day, all": { ...measures("time_in_status"), dimensions: ["status"], time: { grain: "day", range: "all" } },
  "ten measures, month": {
    ...measures(
      "issues_created",
      "issues_closed",
      "lead_time",
      "cycle_time",
      "bug_ratio",
      "backlog_open",
      "wip",
      "reopen_rate",
      "velocity",
      "spillover_ratio",
    ),
    dimensions: ["project_key"],
    time: { grain: "month", range: "all", compare: "previous_year" },
    totals: true,
  },
  "labels × assignee × type, month": {
    ...measures("issues_created", "lead_time"),
    dimensions: ["label", "assignee", "issue_type"],
    time: { grain: "month", range: "all" },
  },
  "labels × components × assignee × reporter": {
    ...measures("issues_created"),
    dimensions: ["label", "component", "assignee", "reporter", "issue_type"],
  },
};

const scratch = await createScratch(must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL"));
const database = openNative({ url: scratch.url, observe: () => undefined });
try {
  const { id } = await tenantDirectory(database).create({ slug: "one", name: "one", timezone: "UTC", weekStart: 1 });
  const tenant = testTenant({ id });
  let issues = 0;
  for (let copy = 1; copy <= Number(copies); copy += 1) {
    issues += (await importInto(database, tenant, { instanceId: `inst${copy}`, source: neutralSource(folder) })).stored.issues;
  }
  console.log(
    `${issues} issues\n${"spec".padEnd(44)}${"explain ms".padStart(11)}${"est. cost".padStart(15)}${"est. rows".padStart(12)}${"ms".padStart(9)}`,
  );
  const catalog = await loadCatalog(join(import.meta.dirname, "../../catalog"));
  for (const [name, spec] of Object.entries(SPECS)) {
    const parsed = parseSpec({ limit: 1000, ...spec }, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
    if ("problems" in parsed) throw new Error(`${name}: ${JSON.stringify(parsed.problems)}`);
    let line = name.padEnd(44);
    try {
      const statement = compile(buildPlan(parsed.spec, { catalog, now: NOW, weekStart: 1 }), tenant, catalog);
      const explain = () => readAsTenant(database, tenant, explained(statement), { timeoutMs: 10_000 });
      await explain();
      const explainMs = performance.now();
      const { cost, rows } = readEstimate(await explain());
      line += (performance.now() - explainMs).toFixed(1).padStart(11) + cost.toFixed(0).padStart(15) + String(rows).padStart(12);
      const startMs = performance.now();
      await readAsTenant(database, tenant, statement, { timeoutMs: LONGEST_MS });
      line += (performance.now() - startMs).toFixed(0).padStart(9);
    } catch (thrown) {
      line += `   ${toAppError(thrown).code} ${toAppError(thrown).message}`;
    }
    console.log(line);
  }
} finally {
  await database.close();
  await scratch.drop();
}
