import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { safeCsv, safeCsvRows } from "../../src/result/csv.ts";
import type { Cell } from "../../src/result/result.ts";
import type { Tenant } from "../../src/tenant.ts";
import { testPrincipal } from "../support/tenants.ts";
import { describeOnEachQueue, tenantWith } from "./stage.ts";

const ROWS = 100_000;
const SPEC = {
  measures: [
    { name: "issues_created", as: "n" },
    { name: "issues_closed", as: "closed" },
    { name: "story_points_closed", as: "points" },
  ],
  dimensions: ["issue_key", "project_key", "issue_type", "priority", "status"],
  limit: ROWS,
};
const MAX_GROWTH_BYTES = 64 * 2 ** 20;

describeOnEachQueue("a result of 100,000 rows", (get, open) => {
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await tenantWith(get(), 1, ROWS);
  }, 180_000);

  test("is found within bounded memory, paged, and as CSV what the database itself says", async () => {
    await using on = await open();
    const ann = testPrincipal(tenant, "ann");
    await on.work();
    let isRunning = true;
    let mostBytes = 0;
    global.gc?.();
    const beforeBytes = process.memoryUsage().rss;
    const watching = (async () => {
      while (isRunning) {
        mostBytes = Math.max(mostBytes, process.memoryUsage().rss);
        await sleep(20);
      }
    })();
    const { job_id } = await on.pipeline.startJob(ann, { spec: SPEC });
    const job = await on.ended(ann, job_id);
    isRunning = false;
    await watching;
    process.stderr.write(`100,000 rows: +${Math.round((mostBytes - beforeBytes) / 2 ** 20)} MB\n`);
    expect(job).toMatchObject({ state: "done", progress: { rows: ROWS } });
    const result_id = job.result_id ?? "";

    const texts: string[] = [];
    for (let cursor: string | null = null, pages = 0; pages === 0 || cursor !== null; pages += 1) {
      const { data } = await on.pipeline.page(ann, { result_id, cursor, isExport: true });
      texts.push(
        pages === 0
          ? safeCsv(
              data.columns.map(({ name }) => name),
              data.rows,
            )
          : safeCsvRows(data.rows),
      );
      cursor = data.next_cursor;
    }
    const { rows } = await get().asSuperuser((client) =>
      client.query<Cell[]>({
        text: "select issue_key, project_key, issue_type, priority, status from warehouse.issue where tenant_id = $1",
        values: [tenant.id],
        rowMode: "array",
      }),
    );
    const exported = texts
      .join("")
      .split("\r\n")
      .slice(1, -1)
      .map((line) => line.split(",").slice(0, 5).join(","));
    expect(exported.toSorted()).toEqual(rows.map((row) => row.map((cell) => cell ?? "").join(",")).toSorted());
    const middle = await on.pipeline.page(ann, { result_id, limit: 1000, cursor: Buffer.from("o:50500").toString("base64url") });
    expect(middle.data.rows).toHaveLength(1000);
    expect(texts.join("")).toContain(safeCsvRows(middle.data.rows));
    expect(mostBytes - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES);
  }, 180_000);
});
