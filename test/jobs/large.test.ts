import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import type { Cell } from "../../src/result/result.ts";
import type { Tenant } from "../../src/tenant.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { connect, type TestClient } from "../support/mcp-clients.ts";
import { tenantWith, urlOf } from "./stage.ts";

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
const WARM_UP_PAGES = 60;
/** Garbage is collected early: otherwise V8 lets any answers of 1,000 rows grow its heap from 250 to 420 MB, of whatever result, and there it stays. */
const EAGER = "--max-semi-space-size=2 --max-old-space-size=112";
/** Half of what is promised: all rows at once, unpacked, would be more. */
const MAX_GROWTH_BYTES = 32 * 2 ** 20;
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

/** What a process holds now, and the most that it ever held, in bytes. */
function memoryOf(pid: number | undefined): { readonly nowBytes: number; readonly mostBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
  return { nowBytes: bytes("VmRSS"), mostBytes: bytes("VmHWM") };
}

/** `metricgate serve --http`, which runs jobs as well, once it listens. */
async function server(environment: Readonly<Record<string, string>>): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [MAIN, "serve", "--http", "127.0.0.1:0"], {
    env: { ...process.env, METRICGATE_LOG_LEVEL: "error", NODE_OPTIONS: EAGER, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = must(child.stderr, "stderr");
  let text = "";
  for await (const chunk of said.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const url = /http:\/\/\S+\/mcp/.exec(text)?.[0];
    if (url === undefined) continue;
    said.resume();
    return { process: child, url };
  }
  throw new Error(text);
}

interface Told {
  readonly job_id: string;
  readonly state: string;
  readonly result_id: string;
  readonly progress: { readonly rows: number };
}

/** A job from its order to its end. */
async function run(client: TestClient, spec: object): Promise<Told> {
  const told = async (name: string, input: Record<string, unknown>): Promise<Told> => {
    const { structuredContent } = await client.call(name, input);
    return (structuredContent as { data: Told }).data;
  };
  let job = await told("start_job", { spec });
  while (job.state === "queued" || job.state === "running") job = await told("get_job", { job_id: job.job_id, wait_seconds: 20 });
  return job;
}

/** Rows by get_result, as many at once as it gives. */
async function paged(client: TestClient, resultId: string): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  let cursor: string | null = null;
  do {
    const { structuredContent } = await client.call("get_result", {
      result_id: resultId,
      limit: 1_000,
      ...(cursor === null ? {} : { cursor }),
    });
    const { data } = structuredContent as { data: { rows: Cell[][]; next_cursor: string | null } };
    rows.push(...data.rows);
    cursor = data.next_cursor;
  } while (cursor !== null);
  return rows;
}

const textOf = (rows: readonly (readonly Cell[])[]): string[] => rows.map((row) => row.map((cell) => cell ?? "").join(","));

describeOnEachDatabase("a result of 100,000 rows", (get) => {
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await tenantWith(get(), 1, ROWS);
  }, 180_000);

  test("is found, paged and taken away as CSV within bounded memory, and is what the database itself says", async () => {
    const { dataDir } = get();
    // Embedded the process joins the database that this one runs: what that takes is not counted.
    const home: Record<string, string> =
      dataDir === undefined ? { METRICGATE_DATABASE_URL: await urlOf(get()) } : { METRICGATE_DATA_DIR: dataDir };
    const { process: serving, url } = await server({ ...home, METRICGATE_TENANT: tenant.slug });
    await using client = await connect("v2-2026", { url });
    const csvOf = async (resultId: string): Promise<string> => (await fetch(new URL(`/results/${resultId}.csv`, url))).text();
    // What any job, page and file loads is loaded before, and the heap as large as 1,000 rows make it, which any conversation may ask for.
    const small = await run(client, { ...SPEC, limit: 1_000 });
    for (let turn = 0; turn < WARM_UP_PAGES; turn += 1) await paged(client, small.result_id);
    await csvOf(small.result_id);
    const { nowBytes } = memoryOf(serving.pid);
    /** The most that is held while something is done, over what was held before all of it. */
    const growth = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      // Forgets the most that it held until now.
      writeFileSync(`/proc/${serving.pid}/clear_refs`, "5");
      const done = await work();
      const bytes = memoryOf(serving.pid).mostBytes - nowBytes;
      process.stderr.write(`100,000 rows, ${what}: +${Math.round(bytes / 2 ** 20)} MB\n`);
      expect(bytes, what).toBeLessThan(MAX_GROWTH_BYTES);
      return done;
    };
    const job = await growth("job", () => run(client, SPEC));
    expect(job).toMatchObject({ state: "done", progress: { rows: ROWS } });
    const rows = await growth("pages", () => paged(client, job.result_id));
    const csv = await growth("CSV", () => csvOf(job.result_id));
    const gone = once(serving, "exit");
    serving.kill("SIGTERM");
    await gone;

    const { rows: said } = await get().asSuperuser((admin) =>
      admin.query<Cell[]>({
        text: "select issue_key, project_key, issue_type, priority, status from warehouse.issue where tenant_id = $1",
        values: [tenant.id],
        rowMode: "array",
      }),
    );
    const lines = csv.split("\r\n").slice(1, -1);
    expect(lines).toEqual(textOf(rows));
    expect(lines.map((line) => line.split(",").slice(0, 5).join(",")).toSorted()).toEqual(textOf(said).toSorted());
  }, 180_000);
});
