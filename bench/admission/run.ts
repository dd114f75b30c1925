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
import { createAdmission } from "../../src/execute/admission.ts";
import { ADMISSION_LIMITS } from "../../src/execute/limits.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { must } from "../../src/must.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { questionOf } from "../../src/question.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { compile } from "../../src/sql/compile.ts";
import { createScratch } from "../../test/support/native-database.ts";
import { testPrincipal, testTenant } from "../../test/support/tenants.ts";

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
  const heads = ["explain ms", "est. cost", "work", "verdict", "ms"];
  console.log(`${issues} issues\n${"spec".padEnd(44)}${heads.map((head) => head.padStart(13)).join("")}`);
  const catalog = await loadCatalog(join(import.meta.dirname, "../../catalog"));
  for (const [name, given] of Object.entries(SPECS)) {
    const parsed = parseSpec({ limit: 1000, ...given }, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
    if ("problems" in parsed) throw new Error(`${name}: ${JSON.stringify(parsed.problems)}`);
    const { spec } = parsed;
    const plan = buildPlan(spec, { catalog, now: NOW, weekStart: 1 });
    const statement = compile(plan, testPrincipal(tenant), catalog);
    const timed = async <T>(_stage: unknown, work: () => T | Promise<T>): Promise<T> => work();
    const question = questionOf({ spec, plan, statement }, { catalog, principal: testPrincipal(tenant), now: () => NOW, timed });
    const weighable = {
      tenant,
      dataVersion: "1",
      about: question.weightKey,
      shapeStatement: question.shapeStatement,
      weigh: question.weigh,
    };
    const look = (one: typeof statement) => readAsTenant(database, tenant, one, { timeoutMs: ADMISSION_LIMITS.lookMs });
    const admission = createAdmission(() => undefined);
    await admission.explain(weighable, look);
    const explainMs = performance.now();
    const { estimate, work, verdict } = await admission.explain(weighable, look);
    const cells = [(performance.now() - explainMs).toFixed(1), estimate.cost.toFixed(0), String(work), verdict.kind];
    const startMs = performance.now();
    const took = await readAsTenant(database, tenant, statement, { timeoutMs: LONGEST_MS }).then(
      () => (performance.now() - startMs).toFixed(0),
      (thrown: unknown) => toAppError(thrown).code,
    );
    console.log(name.padEnd(44) + [...cells, took].map((cell) => cell.padStart(13)).join(""));
  }
} finally {
  await database.close();
  await scratch.drop();
}
