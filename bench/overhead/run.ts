/**
 * What metricgate costs over the raw driver, on native PostgreSQL: `npm run bench:overhead` with TEST_DATABASE_URL set.
 * What is compared runs in turn, once a round, so that a busy machine slows both alike; medians. `--all-in-turn` runs all ways in
 * one round instead, so that a server is asked some forty times a second and is colder each time: up to 1 ms slower a call.
 * "raw" is one pg client of a superuser (no walls, no transaction) running the very statement that the product compiles, as a
 * client that says query(text, values) does; "raw, plan kept" the same by name, so that the server plans it once, as the product does.
 * stdio and http are whole calls with every wall: identity (an API key over HTTP), rate limit, data version, the tenant's
 * transaction, and the audit entry that is durable before the answer leaves.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import pg from "pg";
import { access } from "../../src/access.ts";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import { rateLimiter } from "../../src/auth/rate-limit.ts";
import { loadCatalog } from "../../src/catalog/load.ts";
import { readConfig } from "../../src/config.ts";
import { openNative } from "../../src/db/native.ts";
import { tenantDirectory } from "../../src/db/tenant-directory.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import { createIdentity } from "../../src/identity.ts";
import { demoSource } from "../../src/ingest/demo/demo-source.ts";
import { DEMO_STORY } from "../../src/ingest/demo/story.ts";
import { importInto } from "../../src/ingest/import.ts";
import { must } from "../../src/must.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { parseKeyRing } from "../../src/secrets/key-ring.ts";
import { compile } from "../../src/sql/compile.ts";
import { compileDataVersion } from "../../src/sql/state.ts";
import { SCOPES } from "../../src/tenant.ts";
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
const ringText = `bench:${randomBytes(32).toString("base64")}`;
const ring = parseKeyRing(ringText);
const order = { tenant: "one", name: "bench", user: "bench", scopes: SCOPES, allowed: {} };
const { key } = await access(database, () => ring, readConfig({}, "/nowhere")).createKey(order);

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
  METRICGATE_SECRET_KEYS: ringText,
  METRICGATE_RATE_LIMIT_TENANT: "999999999",
  METRICGATE_RATE_LIMIT_PRINCIPAL: "999999999",
} as Record<string, string>;
const stdio = new Client({ name: "bench", version: "1" });
await stdio.connect(new StdioClientTransport({ command: process.execPath, args: [MAIN, "serve", "--stdio"], env: environment }));
const server = spawn(process.execPath, [MAIN, "serve", "--http", "127.0.0.1:0"], {
  env: { ...environment, METRICGATE_AUTH: "required" },
  stdio: ["ignore", "ignore", "pipe"],
});
const address = await new Promise<string>((resolve) => {
  let seen = "";
  server.stderr.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
    const found = /http:\/\/\S+\/mcp/.exec(seen)?.[0];
    if (found !== undefined) resolve(found);
  });
});
const http = new Client({ name: "bench", version: "1" });
await http.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers: { authorization: `Bearer ${key}` } } }));

/** The walls one by one, in this process. */
const tenant = testTenant({ id: 1 });
const principal = testPrincipal(tenant);
const config = readConfig({ METRICGATE_AUTH: "required" }, "/nowhere");
const { identify } = await createIdentity({ config, database: async () => database, ring: () => ring, observe: () => undefined }).overHttp(
  "127.0.0.1",
);
const knocking = new Request("http://127.0.0.1/mcp", { headers: { authorization: `Bearer ${key}` } });
const limits = { tenantPerMinute: 999_999_999, principalPerMinute: 999_999_999, burst: 0 };
const limiter = rateLimiter(limits);
const audit = databaseAudit(async () => database);
const version = compileDataVersion(principal, catalog);
const READING = { timeoutMs: 30_000, keepPlan: true };
const EMPTY = { name: "list_metrics", arguments: { names: ["wip"] } };
const ENTRY = {
  tenantId: 1,
  principal: "bench",
  operation: "run",
  tool: "run_analytics_spec",
  transport: "http",
  spec: SPECS.small,
  specHash: "0".repeat(64),
  problems: [],
  metricVersions: { issues_created: "1.0.0", bug_ratio: "1.0.0" },
  resultId: "res_AAAAAAAAAAAAAAAAAAAAAA",
  rowCount: 8,
  outcome: "ok",
  traceId: null,
} as const;

/** What runs in turn: what is compared first, then the walls one by one. */
const GROUPS = [
  ["raw", "stdio"],
  ["raw", "http"],
  ["raw", "raw, plan kept"],
  ["stdio, empty", "stdio, from the cache"],
  ["http, empty", "http, from the cache"],
  [
    "validate + plan + compile",
    "identity: key proven",
    "limits: call counted",
    "cache: data version read",
    "locks: read as the tenant",
    "audit: entry durable",
  ],
];

/** How much longer a call takes than what it is compared with. */
function compared(way: string, medians: ReadonlyMap<string, number>): string {
  const isRun = /^(stdio|http)$/.test(way);
  if (!isRun && !way.endsWith("from the cache")) return "";
  const base = isRun ? "raw" : `${must(way.split(",")[0], way)}, empty`;
  const [taken, baseMs] = [must(medians.get(way), way), must(medians.get(base), base)];
  const difference = taken - baseMs;
  return `${base} ${difference < 0 ? "−" : "+"} ${Math.abs(difference).toFixed(2)}${isRun ? `, × ${(taken / baseMs).toFixed(2)}` : ""}`;
}

const lines: string[] = [];
const say = (line: string): void => void lines.push(line);
say(`${issues} issues in the tenant; medians in ms`);
for (const [name, spec] of Object.entries(SPECS) as ["small" | "big", typeof SPECS.small][]) {
  const { kept, warmUp } = ROUNDS[name];
  const statement = prepare(spec);
  // Never twice the same, so that no cache answers but where that is what is measured; the statement stays the same.
  let turn = 0;
  const fresh = () => ({ ...spec, measures: spec.measures.map((measure) => ({ ...measure, as: `${measure.name}_${turn++}` })) });
  const ways: Record<string, () => Promise<unknown>> = {
    "validate + plan + compile": async () => prepare(spec),
    raw: async () => raw.query({ text: statement.text, values: [...statement.values], rowMode: "array" }),
    "raw, plan kept": async () => raw.query({ name, text: statement.text, values: [...statement.values], rowMode: "array" }),
    stdio: async () => stdio.callTool({ name: "run_analytics_spec", arguments: fresh() }),
    http: async () => http.callTool({ name: "run_analytics_spec", arguments: fresh() }),
    "stdio, from the cache": async () => stdio.callTool({ name: "run_analytics_spec", arguments: spec }),
    "http, from the cache": async () => http.callTool({ name: "run_analytics_spec", arguments: spec }),
    "stdio, empty": async () => stdio.callTool(EMPTY),
    "http, empty": async () => http.callTool(EMPTY),
    "identity: key proven": async () => identify(knocking),
    "limits: call counted": async () => limiter.take(principal),
    "cache: data version read": async () => readAsTenant(database, tenant, version, READING),
    "locks: read as the tenant": async () => readAsTenant(database, tenant, statement, READING),
    "audit: entry durable": async () => audit.append({ ...ENTRY, durationMs: turn }),
  };
  const groups = process.argv.includes("--all-in-turn") ? [Object.keys(ways)] : GROUPS;
  for (const group of groups) {
    const times = new Map<string, number[]>(group.map((way) => [way, []]));
    for (let round = 0; round < kept + warmUp; round += 1) {
      for (const way of group) {
        const startMs = performance.now();
        const answer = await must(ways[way], way)();
        if (round >= warmUp) must(times.get(way), way).push(performance.now() - startMs);
        if ((answer as { isError?: boolean } | undefined)?.isError === true) throw new Error(JSON.stringify(answer));
      }
    }
    const medians = new Map([...times].map(([way, values]) => [way, median(values)]));
    for (const [way, value] of medians)
      say(`${name.padEnd(6)} ${way.padEnd(26)} ${value.toFixed(2).padStart(8)}   ${compared(way, medians)}`.trimEnd());
  }
}
await stdio.close();
await http.close();
server.kill("SIGTERM");
await raw.end();
await database.close();
await scratch.drop();
console.log(lines.join("\n"));
