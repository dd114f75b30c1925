import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { safeCsv, safeCsvRows } from "../../src/result/csv.ts";
import type { Cell } from "../../src/result/result.ts";
import type { Tenant } from "../../src/tenant.ts";
import { testPrincipal } from "../support/tenants.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { BY_ISSUE, stage, tenantWith, urlOf, workerProcess } from "./stage.ts";

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

/** What a process holds now, and the most that it ever held, in bytes. */
function memoryOf(pid: number | undefined): { readonly nowBytes: number; readonly mostBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
  return { nowBytes: bytes("VmRSS"), mostBytes: bytes("VmHWM") };
}

describeOnEachDatabase("a result of 100,000 rows", (get) => {
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await tenantWith(get(), 1, ROWS);
  }, 180_000);

  test("is found within bounded memory, paged, and as CSV what the database itself says", async () => {
    const isNative = get().database.mode === "native";
    const databaseUrl = isNative ? await urlOf(get()) : "postgres://test/large";
    await using on = await stage(get().database, "large", { databaseUrl });
    const ann = testPrincipal(tenant, "ann");
    // Embedded, the database's own memory is the process's too; only a worker apart from it can be measured.
    const worker = isNative ? await workerProcess({ METRICGATE_DATABASE_URL: databaseUrl }) : undefined;
    if (worker === undefined) await on.work();
    const run = async (spec: unknown) => on.ended(ann, (await on.pipeline.startJob(ann, { spec })).job_id);
    // What any job loads is loaded before.
    expect(await run({ ...BY_ISSUE, limit: 1 })).toMatchObject({ state: "done" });
    const before = worker && memoryOf(worker.pid);
    // Forgets the most that it held while it started.
    if (worker) writeFileSync(`/proc/${worker.pid}/clear_refs`, "5");
    const job = await run(SPEC);
    expect(job).toMatchObject({ state: "done", progress: { rows: ROWS } });
    if (worker && before) {
      const growth = memoryOf(worker.pid).mostBytes - before.nowBytes;
      process.stderr.write(`100,000 rows: +${Math.round(growth / 2 ** 20)} MB\n`);
      expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
      const gone = once(worker, "exit");
      worker.kill("SIGTERM");
      await gone;
    }
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
  }, 180_000);
});
