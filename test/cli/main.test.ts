import { spawn } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { CATALOG_DIRECTORY } from "../support/answers.ts";
import { createScratch, nativeTestUrl } from "../support/native-database.ts";

/*
 * The command as people run it: a process of its own, on an embedded database of its own.
 */
const MAIN = join(import.meta.dirname, "../../src/main.ts");
const folder = mkdtempSync(join(tmpdir(), "metricgate-main-"));
const FIXTURE = join(CATALOG_DIRECTORY, "fixture");

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

function run(
  args: readonly string[],
  { input = "", environment = {} }: { input?: string; environment?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("METRICGATE_")));
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: folder,
      env: { ...inherited, METRICGATE_DATA_DIR: join(folder, "data"), ...environment },
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    child.on("error", reject);
    child.on("close", (status) => resolve({ out, err, status }));
    child.stdin.end(input);
  });
}

const COUNT = JSON.stringify({ measures: [{ name: "issues_created", as: "n" }], dimensions: ["project_key"], totals: true });
const AS_FIXED = { environment: { METRICGATE_TENANT: "fixed" } };

let created: Ended | undefined;

beforeAll(async () => {
  created = await run(["tenant", "create", "fixed", "--name", "Fixed", "--timezone", "europe/prague", "--week-start", "sunday"]);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a tenant is made, with its zone spelled right", () => {
  expect(created).toEqual({ status: 0, out: "created tenant fixed (weeks start on sunday, zone Europe/Prague)\n", err: "" });
});

test("import, then ask: a table, CSV, JSON, the plan; from a file and from standard input", { timeout: 120_000 }, async () => {
  const source = join(folder, "tracker");
  cpSync(FIXTURE, source, { recursive: true });
  appendFileSync(join(source, "issues.ndjson"), '\n{"key": "WEB-99"}\nnot json\n');
  const loaded = await run([
    "import",
    "neutral",
    source,
    "--tenant",
    "fixed",
    "--instance",
    "inst1",
    "--mapping",
    join(source, "mapping.yaml"),
  ]);
  expect(loaded.status).toBe(0);
  expect(loaded.out).toMatch(/^fixed\/inst1: 2 projects, .* issues, .* stored \(\d+ new issues\) in /);
  expect(loaded.out).toContain("refused 2.");
  expect(loaded.err).toMatch(/^refused issues\.ndjson:\d+: /m);

  const spec = join(folder, "spec.json");
  writeFileSync(spec, COUNT);
  const table = await run(["query", spec], AS_FIXED);
  expect(table).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^project_key {2}n \(issues\)\n─+ {2}─+\nAPI +\d\nWEB +\d\ntotal +\d\n$/),
  });
  expect(table.err).toMatch(/^Issues created by project key: 2 rows, from \d records\.\n/m);
  const csv = await run(["query", "-", "--tenant", "fixed", "--format", "csv"], { input: COUNT });
  expect(csv).toMatchObject({ status: 0, out: expect.stringMatching(/^project_key,n\r\nAPI,\d\r\nWEB,\d\r\n,\d\r\n$/) });
  const json = await run(["query", "-", "--format", "json"], { ...AS_FIXED, input: COUNT });
  expect(JSON.parse(json.out)).toMatchObject({ success: true, data: { total: 2 }, meta: { timezone: "Europe/Prague" } });
  const explained = await run(["query", "-", "--explain"], { ...AS_FIXED, input: COUNT });
  expect(explained.out).toMatch(
    /^plan:\n\{[\s\S]+\nstatement:\nwith [\s\S]+\$1::int[\s\S]+\nestimate: \d+ rows, cost [\d.]+\nIt would run: [^\n]+\n$/,
  );

  const listed = await run(["tenant", "list"]);
  expect(listed.out).toContain("fixed   Fixed  Europe/Prague  sunday");
  const doctor = await run(["doctor"]);
  expect(doctor).toMatchObject({ status: 0, err: "" });
  expect(
    doctor.out
      .split("\n")
      .filter((line) => line !== "")
      .every((line) => line.startsWith("ok    ")),
  ).toBe(true);
  expect(doctor.out).toContain("tenants: fixed\n");
  expect(await run(["migrate"])).toMatchObject({ status: 0, out: "the schema is up to date\n" });
});

test("a bad spec ends with 1 and all its problems; what is no JSON with 2", { timeout: 60_000 }, async () => {
  const bad = await run(["query", "-"], {
    ...AS_FIXED,
    input: '{"measures":[{"name":"leadtime"}],"dimensions":["projct_key"],"limit":5000}',
  });
  expect(bad).toMatchObject({ status: 1, out: "" });
  expect(bad.err).toContain("metricgate: SPEC_INVALID: The spec has 3 problems; nothing was run.");
  expect(bad.err).toContain('\n  measures[0].name: there is no metric "leadtime". Did you mean lead_time?');
  expect(bad.err).toContain("\n  dimensions[0]: ");
  expect(bad.err).toContain("\n  limit: limit is at most 1000 here. Did you mean 1000?");
  expect(bad.err).not.toContain("    at ");
  expect(await run(["query", "-"], { input: "{" })).toMatchObject({
    status: 2,
    out: "",
    err: expect.stringMatching(/^metricgate: standard input is not JSON: .*\n$/),
  });
});

test.each([
  [["frobnicate"], 2, "error: unknown command 'frobnicate'"],
  [["query", "absent.json"], 2, "metricgate: cannot read absent.json; give a file with a spec, or - for standard input\n"],
  [
    ["serve", "--http", "0.0.0.0:8765"],
    2,
    "metricgate: callers of 0.0.0.0 must show a credential, and there is none that would be taken; make an API key with `metricgate key create`",
  ],
  [["serve", "--http", "nonsense:port"], 2, 'metricgate: --http takes host:port, as in 127.0.0.1:8765; not "nonsense:port"\n'],
  [["doctor", "--log-level", "loud"], 2, "metricgate: METRICGATE_LOG_LEVEL: "],
  [["doctor", "--database-url", "mysql://x"], 2, "metricgate: METRICGATE_DATABASE_URL: must be a URL"],
  [
    ["tenant", "create", "fixed"],
    1,
    'metricgate: SPEC_INVALID: There is already a tenant "fixed".\nChoose another name, or use that one.\n',
  ],
  [["query", "-", "--tenant", "nobody"], 1, 'metricgate: UNAUTHENTICATED: There is no tenant "nobody".\n'],
  [["import", "neutral", FIXTURE, "--tenant", "nobody", "--instance", "x"], 1, 'metricgate: NOT_FOUND: There is no tenant "nobody".\n'],
  [["import", "neutral", FIXTURE, "--tenant", "fixed", "--instance", "x", "--mapping", "absent.yaml"], 1, "metricgate: ENOENT"],
  [["catalog", "check", "--catalog-dir", "absent"], 1, "metricgate: The catalog has 6 problem(s):\n"],
  [["catalog", "diff", CATALOG_DIRECTORY, "absent"], 1, "metricgate: The catalog has 6 problem(s):\n"],
])("%j ends with %i and says why on stderr", { timeout: 60_000 }, async (args, status, message) => {
  const ended = await run(args, { input: "{}" });
  expect(ended).toMatchObject({ status, out: "" });
  expect(ended.err).toContain(message);
  expect(ended.err).not.toMatch(/^ {4}at /m);
});

test("with a key a server may be open to others, and lets in who has it; what it logs holds none", { timeout: 60_000 }, async () => {
  const made = await run(["key", "create", "--tenant", "fixed", "--name", "ci"]);
  expect(made.status).toBe(0);
  const key = made.out.trim();
  const child = spawn(process.execPath, [MAIN, "serve", "--http", "0.0.0.0:0", "--log-level", "trace"], {
    cwd: folder,
    env: { ...process.env, METRICGATE_DATA_DIR: join(folder, "data"), METRICGATE_TENANT: "fixed" },
  });
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise((resolve) => child.on("close", resolve));
  try {
    await expect.poll(() => err, { timeout: 30_000 }).toMatch(/serves MCP at \S+\n/);
    const port = /serves MCP at http:\/\/0\.0\.0\.0:(\d+)/.exec(err)?.[1];
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/mcp`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "list_metrics", arguments: {} } }),
      });
    expect((await ask({})).status).toBe(401);
    expect((await ask({ authorization: `Bearer ${key.slice(0, -1)}` })).status).toBe(401);
    const answered = await ask({ authorization: `Bearer ${key}` });
    expect(answered.status).toBe(200);
    expect(await answered.text()).toContain("lead_time");
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
  expect(err).toContain("request refused: identity");
  expect(err).not.toContain(key.slice(21, 50));
  await run(["key", "revoke", key]);
  expect(await run(["query", "-"], { environment: { METRICGATE_API_KEY: key }, input: COUNT })).toMatchObject({
    status: 1,
    err: expect.stringContaining("UNAUTHENTICATED: This API key does not open anything here."),
  });
  expect((await run(["serve", "--http", "0.0.0.0:0"], { environment: { METRICGATE_AUTH: "none" } })).err).toMatch(
    /^metricgate: METRICGATE_AUTH: none would open 0\.0\.0\.0 to anyone who can reach it; [^\n]+\n$/,
  );
});

test("a wrong settings file is told in one line", { timeout: 60_000 }, async () => {
  writeFileSync(join(folder, "metricgate.config.json"), '{"METRICGATE_TENNANT": "x"}');
  try {
    expect(await run(["doctor"])).toMatchObject({
      status: 2,
      out: "",
      err: 'metricgate: metricgate.config.json: there is no setting "METRICGATE_TENNANT"\n',
    });
  } finally {
    rmSync(join(folder, "metricgate.config.json"));
  }
});

test("the catalog: checked, documented, compared", { timeout: 60_000 }, async () => {
  expect(await run(["catalog", "check"])).toMatchObject({ status: 0, err: "", out: expect.stringContaining("consistent.") });
  expect((await run(["catalog", "docs"])).out).toMatch(/^<!-- Generated/);
  const stale = join(folder, "stale.md");
  expect(await run(["catalog", "docs", "--check", "--output", stale])).toMatchObject({
    status: 1,
    err: expect.stringContaining("is stale"),
  });
  expect(await run(["catalog", "diff", CATALOG_DIRECTORY, CATALOG_DIRECTORY])).toMatchObject({ status: 0, out: "no change\n" });
});

test("--version and --help", { timeout: 60_000 }, async () => {
  expect(await run(["--version"])).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect(await run(["--help"])).toMatchObject({ status: 0, err: "", out: expect.stringContaining("Usage: metricgate") });
});

const url = nativeTestUrl();
describe.skipIf(url === undefined)("on PostgreSQL", () => {
  test("migrate brings an empty database up to date; before that nothing answers", { timeout: 120_000 }, async () => {
    const scratch = await createScratch(must(url, "TEST_DATABASE_URL"), false);
    try {
      const native = { environment: { METRICGATE_DATABASE_URL: scratch.url, METRICGATE_TENANT: "acme" } };
      const early = await run(["query", "-"], { ...native, input: COUNT });
      expect(early).toMatchObject({ status: 1, out: "", err: expect.stringContaining("metricgate: UNAVAILABLE: ") });
      expect(early.err).toContain("metricgate migrate");
      const first = await run(["migrate"], native);
      expect(first).toMatchObject({ status: 0, out: expect.stringMatching(/^applied .*schema/) });
      expect(await run(["migrate"], native)).toMatchObject({ status: 0, out: "the schema is up to date\n" });
      expect(await run(["doctor"], native)).toMatchObject({ status: 1, out: expect.stringContaining("FAIL  tenants: none") });
      await run(["tenant", "create", "acme"], native);
      expect((await run(["import", "neutral", FIXTURE, "--tenant", "acme", "--instance", "inst1"], native)).status).toBe(0);
      expect((await run(["query", "-"], { ...native, input: COUNT })).out).toContain("total");
    } finally {
      await scratch.drop();
    }
  });

  test("a server that is not there is told without a stack, doctor says how to mend it", { timeout: 60_000 }, async () => {
    const nowhere = { environment: { METRICGATE_DATABASE_URL: "postgres://127.0.0.1:1/none", METRICGATE_TENANT: "acme" } };
    const asked = await run(["query", "-"], { ...nowhere, input: COUNT });
    expect(asked).toMatchObject({ status: 1, out: "" });
    expect(asked.err).toContain("UNAVAILABLE");
    expect(await run(["doctor"], nowhere)).toMatchObject({ status: 1, out: expect.stringContaining("FAIL  database: ") });
  });
});
