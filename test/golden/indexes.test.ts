import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { tenantPrologue } from "../../src/execute/tenant-transaction.ts";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { compile } from "../../src/sql/compile.ts";
import { explained } from "../../src/sql/values.ts";
import { sharedData } from "../ingest/support.ts";
import { shippedCatalog } from "../support/answers.ts";
import { describeOnNative } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const data = sharedData("duraspace");
const TENANT = testTenant({ id: 2 });
const MONTH = { from: "2013-01-01", to: "2013-02-01" };

/** Each index of migrations/0001-schema.sql that is not a key, with a question that uses it. */
const JUSTIFIED: readonly [string, Record<string, unknown>][] = [
  ["issue_created", { measures: [{ name: "issues_created" }], time: MONTH }],
  ["issue_resolved", { measures: [{ name: "lead_time" }], time: MONTH }],
  ["issue_last_done", { measures: [{ name: "cycle_time" }], time: MONTH }],
  ["issue_project", { measures: [{ name: "issues_created" }], filters: [{ field: "project_key", op: "=", value: "DS" }] }],
  ["issue_event_2013_tenant_id_at_idx", { measures: [{ name: "status_changes" }], time: MONTH }],
  ["interval_in_progress", { measures: [{ name: "wip" }], time: { to: "2013-03-01" } }],
];

describe.skipIf(data === null)("each index is used by the question it is there for", () => {
  describeOnNative("plans", (get) => {
    beforeAll(async () => {
      await importInto(get().database, TENANT, { instanceId: "inst1", source: neutralSource(join(data ?? "")) });
    }, 60_000);

    test.each(JUSTIFIED)("%s", async (index, spec) => {
      const catalog = await shippedCatalog();
      const parsed = parseSpec(spec, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
      if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
      const statement = explained(
        compile(buildPlan(parsed.spec, { catalog, now: new Date(), weekStart: 1 }), testPrincipal(TENANT), catalog),
      );
      const { rows } = await get().database.read({ prologue: tenantPrologue(TENANT, { timeoutMs: 5000 }), statement, timeoutMs: 5000 });
      expect(JSON.stringify(rows)).toContain(index);
    });
  });
});
