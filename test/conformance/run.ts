// Runs the public protocol suites against our servers: `npm run conformance`. Exits 1 when anything is not as listed.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HERE = import.meta.dirname;
const TOOLS = join(HERE, "tools");
const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
const START_TIMEOUT_MS = 20_000;

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly summary: string;
}

const outcomes: Outcome[] = [];
/** The servers and the inspector's own stdio server share a database of their own. */
const dataDirectory = mkdtempSync(join(tmpdir(), "metricgate-conformance-data-"));
process.env["METRICGATE_DATA_DIR"] = dataDirectory;
await install();
await against("../../src/main.ts", ["serve", "--http", "127.0.0.1:0"], async (url) => {
  for (const revision of REVISIONS)
    await suite("production", url, revision, ["--expected-failures", join(HERE, `baseline-${revision}.yml`)]);
  await inspector("http", [url, "--transport", "http"]);
  await inspector("http, 2026 era", [url, "--transport", "http", "--protocol-era", "modern"]);
});
await against("fixture-server.ts", [], async (url) => {
  for (const revision of REVISIONS) await suite("fixtures", url, revision, []);
});
// The inspector passes no environment on to the server it starts.
await inspector("stdio", ["env", `METRICGATE_DATA_DIR=${dataDirectory}`, process.execPath, join(HERE, "../../src/main.ts"), "serve"]);

rmSync(dataDirectory, { recursive: true, force: true });
for (const { ok, name, summary } of outcomes)
  process.stdout.write(`${ok ? "ok  " : "FAIL"} ${name}${summary === "" ? "" : `: ${summary}`}\n`);
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;

/** The tools have dependencies of their own and are installed apart from the product. */
async function install(): Promise<void> {
  if (existsSync(join(TOOLS, "node_modules/@modelcontextprotocol/conformance"))) return;
  const { code, output } = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], TOOLS);
  if (code !== 0) throw new Error(`npm ci in ${TOOLS} failed:\n${output}`);
}

async function suite(server: string, url: string, revision: string, options: readonly string[]): Promise<void> {
  const results = mkdtempSync(join(tmpdir(), "metricgate-conformance-"));
  const program = join(TOOLS, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
  const { code, output } = await run(
    process.execPath,
    [program, "server", "--url", url, "--requirements", revision, "-o", results, ...options],
    TOOLS,
  );
  if (code !== 0) process.stdout.write(`${output}\n`);
  outcomes.push({ name: `${server} ${revision}`, ok: code === 0, summary: scored(output) });
}

/** How many of the revision's own scenarios passed, from the suite's summary. */
function scored(output: string): string {
  const summary = output.slice(output.indexOf("=== SUMMARY ==="));
  const listed = [...summary.matchAll(/^ {2}~ /gmu)].length;
  if (listed > 0) return `all scenarios as listed, ${listed} of them need the suite's own fixtures`;
  const unscored = new Set([...summary.matchAll(/^ {2}[✓✗~] ([\w-]+) \(/gmu)].map((match) => match[1]));
  const results = [...summary.matchAll(/^([✓✗~]) ([\w-]+): /gmu)].filter((match) => !unscored.has(match[2]));
  return `${results.filter((match) => match[1] === "✓").length} of ${results.length} scenarios pass`;
}

/** A real client in command-line form: the strict schema check, one good call, one bad one, a resource, a prompt. */
async function inspector(name: string, target: readonly string[]): Promise<void> {
  const program = join(TOOLS, "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js");
  const call = (...options: string[]) => run(process.execPath, [program, "--cli", ...target, ...options], TOOLS);
  const checks: readonly (readonly [what: string, expected: number, options: string[]])[] = [
    ["lists tools strictly", 0, ["--method", "tools/list", "--strict"]],
    [
      "calls",
      0,
      [
        "--method",
        "tools/call",
        "--tool-name",
        "run_analytics_spec",
        "--tool-args-json",
        '{"measures":[{"name":"wip"}]}',
        "--format",
        "json",
      ],
    ],
    [
      "reports a tool error",
      5,
      [
        "--method",
        "tools/call",
        "--tool-name",
        "run_analytics_spec",
        "--tool-args-json",
        '{"measures":[{"name":"nope"}]}',
        "--format",
        "json",
      ],
    ],
    ["reads a resource", 0, ["--method", "resources/read", "--uri", "metricgate://catalog/metrics/wip"]],
    ["gets a prompt", 0, ["--method", "prompts/get", "--prompt-name", "explain_metric", "--prompt-args", "metric=wip"]],
  ];
  for (const [what, expected, options] of checks) {
    const { code, output } = await call(...options);
    if (code !== expected) process.stdout.write(`${output}\n`);
    outcomes.push({
      name: `inspector over ${name} ${what}`,
      ok: code === expected,
      summary: code === expected ? "" : `exit ${code}, expected ${expected}`,
    });
  }
}

/** Starts a server on a free port, which it names on standard error, and ends it afterwards. */
async function against(entry: string, args: readonly string[], work: (url: string) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, [join(HERE, entry), ...args], { stdio: ["ignore", "inherit", "pipe"] });
  try {
    await work(await addressOf(child, entry));
  } finally {
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }
}

function addressOf(child: ChildProcess, entry: string): Promise<string> {
  const found = Promise.withResolvers<string>();
  let said = "";
  const timeout = setTimeout(() => found.reject(new Error(`${entry} did not start:\n${said}`)), START_TIMEOUT_MS);
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    const url = /http:\/\/[\w.:[\]]+\/mcp/.exec(said)?.[0];
    if (url !== undefined) found.resolve(url);
  });
  child.on("exit", () => found.reject(new Error(`${entry} ended:\n${said}`)));
  return found.promise.finally(() => clearTimeout(timeout));
}

function run(command: string, args: readonly string[], cwd: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const ended = Promise.withResolvers<{ code: number | null; output: string }>();
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  child.on("error", ended.reject);
  child.on("close", (code) => ended.resolve({ code, output }));
  return ended.promise;
}
