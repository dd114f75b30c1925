/**
 * What metricgate costs over the raw driver, on native PostgreSQL: `npm run bench:overhead` with TEST_DATABASE_URL set.
 * Every round runs each way once, in turn, so that a busy machine slows all of them alike; medians.
 * "raw" is one pg client of a superuser (no walls, no transaction) running the very statement that the product compiles.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import pg from "pg";
import { loadCatalog } from "../../src/catalog/load.ts";
import { openNative } from "../../src/db/native.ts";
import { tenantDirectory } from "../../src/db/tenant-directory.ts";
import { demoSource } from "../../src/ingest/demo/demo-source.ts";
import { DEMO_STORY } from "../../src/ingest/demo/story.ts";
import { importInto } from "../../src/ingest/import.ts";
import { must } from "../../src/must.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { compile } from "../../src/sql/compile.ts";
import { createScratch } from "../../test/support/native-database.ts";
import { testPrincipal, testTenant } from "../../test/support/tenants.ts";

/** Rounds kept and rounds to warm up: a server in use has answered a thousand small questions (a cold one is up to 0.3 ms slower in each part). */
const ROUNDS = { small: { kept: 500, warmUp: 1000 }, big: { kept: 40, warmUp: 10 } };
const NOW = new Date();
const MAIN = join(import.meta.dirname, "../../src/main.ts");
const SPECS = {
  small: { measures: [{ name: "issues_created" }, { name: "bug_ratio" }], dimensions: ["issue_type"], time: { range: "last_14_days" } },
  big: {
    measures: [{ name: "issues_created" }, { name: "lead_time", agg: "p85" }, { name: "bug_ratio" }],
    dimensions: ["issue_type"],
    time: { grain: "month", range: "all" },
  },
};

const median = (values: readonly number[]): number => must(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)], "a value");

const url = must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL");
const scratch = await createScratch(url);
const database = openNative({ url: scratch.url, observe: () => undefined });
let issues = 0;
for (const slug of ["one", "two"]) {
  const { id } = await tenantDirectory(database).create({ slug, name: slug, timezone: "UTC", weekStart: 1 });
  const report = await importInto(
    database,
    { id },
    { instanceId: "inst1", source: demoSource({ story: DEMO_STORY, now: NOW, scale: 21, seed: slug }) },
  );
  issues = report.stored.issues;
}
await database.close();

const catalog = await loadCatalog(join(import.meta.dirname, "../../catalog"));
const prepare = (spec: unknown) => {
  const parsed = parseSpec(spec, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return compile(buildPlan(parsed.spec, { catalog, now: NOW, weekStart: 1 }), testPrincipal(testTenant({ id: 1 })), catalog);
};

const raw = new pg.Client({ connectionString: scratch.url });
await raw.connect();
await raw.query("set timezone to 'UTC'");
const environment = {
  ...process.env,
  METRICGATE_DATABASE_URL: scratch.url,
  METRICGATE_TENANT: "one",
  METRICGATE_RATE_LIMIT_TENANT: "999999999",
  METRICGATE_RATE_LIMIT_PRINCIPAL: "999999999",
} as Record<string, string>;
const stdio = new Client({ name: "bench", version: "1" });
await stdio.connect(new StdioClientTransport({ command: process.execPath, args: [MAIN, "serve", "--stdio"], env: environment }));
const server = spawn(process.execPath, [MAIN, "serve", "--http", "127.0.0.1:0"], { env: environment, stdio: ["ignore", "ignore", "pipe"] });
const address = await new Promise<string>((resolve) => {
  let seen = "";
  server.stderr.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
    const found = /http:\/\/\S+\/mcp/.exec(seen)?.[0];
    if (found !== undefined) resolve(found);
  });
});
const http = new Client({ name: "bench", version: "1" });
await http.connect(new StreamableHTTPClientTransport(new URL(address)));

const lines: string[] = [];
const say = (line: string): void => void lines.push(line);
say(`${issues} issues in the tenant; medians in ms`);
for (const [name, spec] of Object.entries(SPECS) as ["small" | "big", unknown][]) {
  const { kept, warmUp } = ROUNDS[name];
  const statement = prepare(spec);
  // Never twice the same, so that no cache answers but where that is what is measured.
  let turn = 0;
  const fresh = () => ({ ...(spec as Record<string, unknown>), limit: 100 + (turn++ % 900) });
  const ways: Record<string, () => Promise<unknown>> = {
    "validate + plan + compile": async () => prepare(spec),
    raw: async () => raw.query({ text: statement.text, values: [...statement.values], rowMode: "array" }),
    stdio: async () => stdio.callTool({ name: "run_analytics_spec", arguments: fresh() }),
    http: async () => http.callTool({ name: "run_analytics_spec", arguments: fresh() }),
    "http, from the cache": async () => http.callTool({ name: "run_analytics_spec", arguments: spec as Record<string, unknown> }),
  };
  const times = new Map<string, number[]>(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < kept + warmUp; round += 1) {
    for (const [way, run] of Object.entries(ways)) {
      const startMs = performance.now();
      const answer = await run();
      if (round >= warmUp) must(times.get(way), way).push(performance.now() - startMs);
      if ((answer as { isError?: boolean }).isError === true) throw new Error(JSON.stringify(answer));
    }
  }
  const medians = new Map([...times].map(([way, values]) => [way, median(values)]));
  const base = must(medians.get("raw"), "raw");
  for (const [way, value] of medians) {
    say(
      `${name.padEnd(6)} ${way.padEnd(26)} ${value.toFixed(2).padStart(8)}${way === "raw" || way.startsWith("validate") ? "" : `   raw ${value >= base ? "+" : "−"} ${Math.abs(value - base).toFixed(2)}, × ${(value / base).toFixed(2)}`}`,
    );
  }
}
await stdio.close();
await http.close();
server.kill("SIGTERM");
await raw.end();
await scratch.drop();
console.log(lines.join("\n"));
