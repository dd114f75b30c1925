import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { connect, GENERATIONS } from "../support/mcp-clients.ts";
import type { Target } from "../support/mcp-clients.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const MATRIX = GENERATIONS.flatMap((generation) => (["http", "stdio"] as const).map((transport) => ({ generation, transport })));
const LIST_WITHIN_MS = 5000;

const dataDir = mkdtempSync(join(tmpdir(), "metricgate-e2e-"));
const environment = { METRICGATE_DATA_DIR: dataDir };
let server: ChildProcess | undefined;
let url = "";

beforeAll(async () => {
  server = spawn(process.execPath, [MAIN, "serve", "--http", "127.0.0.1:0"], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  url = await new Promise<string>((resolve, reject) => {
    let said = "";
    server?.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const found = /http:\/\/\S+\/mcp/.exec(said)?.[0];
      if (found !== undefined) resolve(found);
    });
    server?.on("exit", () => reject(new Error(said)));
  });
}, 60_000);

afterAll(async () => {
  const ended = new Promise((resolve) => server?.on("exit", resolve));
  server?.kill("SIGTERM");
  await ended;
  rmSync(dataDir, { recursive: true, force: true });
}, 30_000);

function targetOf(transport: "http" | "stdio"): Target {
  return transport === "http" ? { url } : { stdio: environment, entry: MAIN, args: ["serve"] };
}

interface Answered {
  readonly data: { readonly rows: readonly (readonly unknown[])[]; readonly total: number; readonly next_cursor: string | null };
  readonly meta: { readonly result_id: string; readonly data_as_of: string; readonly metrics_used: readonly unknown[] };
}

test.each(MATRIX)(
  "$generation over $transport finds a metric, a value and the answer in the demo data",
  { timeout: 60_000 },
  async ({ generation, transport }) => {
    await using client = await connect(generation, targetOf(transport));
    const { raw, call } = client;
    const listed = await call("list_metrics", { search: "lead time" });
    expect(JSON.stringify(listed.content)).toContain("lead_time|days|p50");

    const values = await call("list_values", { dimension: "project_key" });
    const [project] = (values.structuredContent as { data: { values: { value: string; issues: number }[] } }).data.values;
    const key = must(project, "a project of the demo").value;

    const spec = {
      measures: [{ name: "issues_created" }],
      dimensions: ["issue_key"],
      filters: [{ field: "project_key", op: "=", values: [key] }],
      limit: 120,
    };
    const answer = await call("run_analytics_spec", spec);
    expect(answer.isError ?? false, JSON.stringify(answer.content)).toBe(false);
    const { data, meta } = answer.structuredContent as unknown as Answered;
    expect(data.rows).toHaveLength(50);
    expect(meta.metrics_used).toEqual([{ name: "issues_created", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) }]);

    const page = await call("get_result", { result_id: meta.result_id, cursor: data.next_cursor, limit: 1000 });
    expect((page.structuredContent as unknown as Answered).data).toMatchObject({ next_cursor: null, rows: { length: 70 } });
    const csv = await raw.readResource({ uri: `metricgate://results/${meta.result_id}.csv` });
    expect((csv.contents[0] as { text: string }).text.split("\r\n")).toHaveLength(122);

    const completed = await raw.complete({
      ref: { type: "ref/prompt", name: "ask_metrics" },
      argument: { name: "project", value: key.toLowerCase() },
    });
    expect(completed.completion.values).toContain(key);

    const bad = await call("run_analytics_spec", { measures: [{ name: "lead_tim" }], dimensions: ["team"], limit: 5000 });
    expect(
      (bad.structuredContent as { error: { problems: { code: string }[] } }).error.problems.map(({ code }) => code).toSorted(),
    ).toEqual(["LIMIT_EXCEEDED", "UNKNOWN_DIMENSION", "UNKNOWN_MEASURE"]);
    const absent = await call("get_result", { result_id: "res_none" });
    expect(absent.structuredContent).toMatchObject({ error: { code: "NOT_FOUND" } });
  },
);

test("tools are listed before the database has opened", { timeout: 30_000 }, async () => {
  const fresh = mkdtempSync(join(tmpdir(), "metricgate-first-"));
  const startMs = performance.now();
  const child = spawn(process.execPath, [MAIN, "serve"], {
    env: { ...process.env, METRICGATE_DATA_DIR: fresh },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const answeredMs = new Map<number, number>();
  const both = Promise.withResolvers<void>();
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    for (const line of output.split("\n").slice(0, -1)) {
      const { id } = JSON.parse(line) as { id: number };
      if (!answeredMs.has(id)) answeredMs.set(id, performance.now() - startMs);
    }
    if (answeredMs.size === 3) both.resolve();
  });
  const send = (message: Record<string, unknown>) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  send({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
  });
  send({ id: 2, method: "tools/call", params: { name: "run_analytics_spec", arguments: { measures: [{ name: "wip" }] } } });
  send({ id: 3, method: "tools/list" });
  await both.promise;
  const [listMs, callMs] = [must(answeredMs.get(3), "the list"), must(answeredMs.get(2), "the answer")];
  process.stderr.write(`tools/list ${Math.round(listMs)} ms after the start, the first answer ${Math.round(callMs)} ms\n`);
  expect(listMs).toBeLessThan(callMs);
  expect(listMs).toBeLessThan(LIST_WITHIN_MS);
  child.stdin.end();
  await new Promise((resolve) => child.on("exit", resolve));
  rmSync(fresh, { recursive: true, force: true });
});
