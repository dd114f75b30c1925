import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Product } from "../../src/cli/host.ts";
import { parseAddress } from "../../src/cli/serve.ts";
import { resultTable, textTable } from "../../src/cli/table.ts";
import { ConfigInvalid } from "../../src/config.ts";
import type { ImportReport } from "../../src/ingest/import.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import type { Result } from "../../src/result/result.ts";
import { copyCatalog } from "../catalog/catalog-copy.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";
import { runCli } from "./run-cli.ts";

function temporary(name: string, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), "metricgate-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const RESULT = {
  data: {
    columns: [
      { name: "time", type: "date", label: "Month", role: "time" },
      { name: "status", type: "string", label: "Status", role: "dimension" },
      { name: "lead_time", type: "number", unit: "days", label: "Lead time", role: "measure" },
      { name: "bug_ratio", type: "number", unit: "ratio", label: "Bug ratio", role: "measure" },
    ],
    rows: [
      ["2024-01-01", "=Done\u202e\n", 12.345, 0.12345],
      ["2024-02-01", null, 7, null],
    ],
    totals: [null, null, 9.5, 0.25],
    total: 2,
    truncated: false,
    next_cursor: null,
    query_time_ms: 1,
    cached: false,
  },
  meta: { summary: "A summary.", warnings: ["a warning"], deprecations: ["an old metric"], result_id: "res_1" },
} as unknown as Result;

interface Fake extends Partial<Product> {
  readonly specs: unknown[];
  readonly pages: unknown[];
}

function fakeProduct(result: Result = RESULT): Fake {
  const specs: unknown[] = [];
  const pages: unknown[] = [];
  const pipeline = {
    run: (_principal: unknown, spec: unknown) => (specs.push(spec), Promise.resolve(result)),
    page: (_principal: unknown, request: unknown) => (pages.push(request), Promise.resolve(RESULT)),
  } as unknown as Pipeline;
  return { specs, pages, pipeline, identify: () => Promise.resolve(testPrincipal(testTenant({ id: 1 }))) };
}

test("query prints a table, with what must be known on stderr", async () => {
  const product = fakeProduct();
  const { out, err, flags } = await runCli(
    ["query", temporary("spec.json", '{"measures":[]}'), "--tenant", "acme", "--log-level", "error"],
    { product },
  );
  expect(out).toBe(
    [
      "time        status   lead_time (days)  bug_ratio",
      "──────────  ───────  ────────────────  ─────────",
      "2024-01-01  =Done                12.3      0.123",
      "2024-02-01  –                       7          –",
      "total                             9.5      0.250",
      "",
    ].join("\n"),
  );
  expect(err).toBe("A summary.\nnote: a warning\nnote: an old metric\n");
  expect(product.specs).toEqual([{ measures: [] }]);
  expect(flags).toMatchObject({ METRICGATE_TENANT: "acme", METRICGATE_LOG_LEVEL: "error", METRICGATE_DATABASE_URL: undefined });
});

test("query prints CSV that a spreadsheet takes as text, and JSON as tools answer it", async () => {
  const readStdin = () => Promise.resolve('{"measures":[]}');
  const csv = await runCli(["query", "-", "--format", "csv"], { product: fakeProduct(), readStdin });
  expect(csv.out).toBe(
    'time,status,lead_time,bug_ratio\r\n2024-01-01,"\'=Done\u202e\n",12.345,0.12345\r\n2024-02-01,,7,\r\n,,9.5,0.25\r\n',
  );
  const json = await runCli(["query", "-", "--format", "json"], { product: fakeProduct(), readStdin });
  expect(JSON.parse(json.out)).toEqual({ success: true, ...JSON.parse(JSON.stringify(RESULT)) });
  expect(json.err).toBe("");
});

test("query --chart writes the picture that the file's ending names, as the spec wished", async () => {
  const requests: unknown[] = [];
  const drawn = { ...RESULT, meta: { ...RESULT.meta, spec: { chart: { type: "line", title: null } } } } as unknown as Result;
  const product = fakeProduct(drawn);
  const chart = (_principal: unknown, request: { format: string }) => {
    requests.push(request);
    const content = request.format === "png" ? { format: "png", png: new Uint8Array([1, 2]) } : { format: "svg", svg: "<svg/>" };
    return Promise.resolve({ content, reason: "line: asked for", alternatives: ["bar"] });
  };
  const pipeline = { ...product.pipeline, chart } as unknown as Pipeline;
  const readStdin = () => Promise.resolve("{}");
  const [png, svg] = [temporary("out.png", ""), temporary("out.SVG", "")];
  const { err } = await runCli(["query", "-", "--chart", png], { product: { ...product, pipeline }, readStdin });
  expect([...readFileSync(png)]).toEqual([1, 2]);
  expect(err).toContain(`chart in ${png}: line: asked for; also possible: bar\n`);
  await runCli(["query", "-", "--chart", svg, "--format", "json"], { product: { ...product, pipeline }, readStdin });
  expect(readFileSync(svg, "utf8")).toBe("<svg/>");
  expect(requests).toMatchObject([
    { type: "line", result_id: "res_1", format: "png" },
    { type: "line", result_id: "res_1", format: "svg" },
  ]);
  for (const wrong of [
    ["--chart", "out.gif"],
    ["--chart", "out"],
    ["--chart", "out.png", "--explain"],
  ])
    expect((await runCli(["query", "-", ...wrong], { product, readStdin })).exitCode, wrong.join(" ")).toBe(2);
  const unwritable = await runCli(["query", "-", "--chart", "/no/such/folder/out.png"], { product: { ...product, pipeline }, readStdin });
  expect(unwritable.thrown).toMatchObject({ message: "cannot write /no/such/folder/out.png" });
});

test("query without totals, of more rows than a page: all of them", async () => {
  const paged = { ...RESULT, data: { ...RESULT.data, next_cursor: "more" } };
  const product = fakeProduct(paged);
  await runCli(["query", "-", "--format", "csv"], { product, readStdin: () => Promise.resolve("{}") });
  expect(product.pages).toEqual([{ result_id: "res_1", limit: 1000 }]);
  const { totals: _totals, ...data } = RESULT.data;
  const bare = await runCli(["query", "-", "--format", "csv"], {
    product: fakeProduct({ ...RESULT, data }),
    readStdin: () => Promise.resolve("{}"),
  });
  expect(bare.out.trimEnd().split("\r\n")).toHaveLength(3);
  expect(resultTable({ ...RESULT, data })).not.toContain("total");
});

test("query --explain asks for a dry run and prints plan, statement and estimate", async () => {
  const explanation = { plan: { facts: [] }, statement: "select 1", estimate: { rows: 3, cost: 4.5, work: 5 }, admission: "It would run." };
  const product = fakeProduct({ ...RESULT, meta: { ...RESULT.meta, explanation } });
  const { out } = await runCli(["query", "-", "--explain"], { product, readStdin: () => Promise.resolve('{"limit":3}') });
  expect(product.specs).toEqual([{ limit: 3, dry_run: true }]);
  expect(out).toBe('plan:\n{\n  "facts": []\n}\n\nstatement:\nselect 1\n\nestimate: 3 rows, cost 4.5\nIt would run.\n');
});

test.each([["null"], ["[1]"], ['"text"'], ["3"]])("query --explain passes %s on as it is, to be refused as a spec", async (text) => {
  const product = fakeProduct();
  await runCli(["query", "-", "--explain"], { product, readStdin: () => Promise.resolve(text) });
  expect(product.specs).toEqual([JSON.parse(text)]);
});

test("query says in one line that a file is absent or no JSON, and opens nothing", async () => {
  const absent = await runCli(["query", "/no/such/file.json"]);
  expect(absent.thrown).toMatchObject({
    name: "UsageError",
    message: "cannot read /no/such/file.json; give a file with a spec, or - for standard input",
  });
  const broken = await runCli(["query", "-"], { readStdin: () => Promise.resolve("{") });
  expect(broken.thrown).toMatchObject({ name: "UsageError", message: expect.stringMatching(/^standard input is not JSON: .+/) });
  expect((await runCli(["query", temporary("spec.json", "measures: []")])).thrown).toMatchObject({
    message: expect.stringMatching(/spec\.json is not JSON: /),
  });
});

test("the product is closed, also when a command fails", async () => {
  let closed = 0;
  const product = { ...fakeProduct(), close: () => (closed++, Promise.resolve()) };
  await runCli(["query", "-"], { product, readStdin: () => Promise.resolve("{}") });
  const failed = await runCli(["migrate"], { product: { ...product, migrate: () => Promise.reject(new Error("broken")) } });
  expect(failed.thrown).toMatchObject({ message: "broken" });
  expect(closed).toBe(2);
});

test.each([
  [undefined, "127.0.0.1", 8765],
  ["", "127.0.0.1", 8765],
  ["9000", "127.0.0.1", 9000],
  ["localhost", "localhost", 8765],
  ["localhost:0", "localhost", 0],
  ["[::1]:81", "::1", 81],
  ["[::1]", "::1", 8765],
])("--http %s listens on %s port %i", (text, host, port) => {
  expect(parseAddress(text)).toEqual({ host, port });
});

test.each(["127.0.0.1:", ":80", "a:b", "127.0.0.1:70000", "999999", "::1", "http://x:1", "a b:1"])("--http %j is no address", (text) => {
  expect(() => parseAddress(text)).toThrow("--http takes host:port");
});

test("serve hands on the address, and what must not be open is the product's to say", async () => {
  const asked: unknown[] = [];
  const serveHttp = (...address: unknown[]): Promise<never> => (
    asked.push(address),
    Promise.reject(new ConfigInvalid("nobody could log in"))
  );
  const { thrown } = await runCli(["serve", "--http", "0.0.0.0:8765"], { product: { serveHttp } });
  expect(thrown).toMatchObject({ name: "ConfigInvalid" });
  expect(asked).toEqual([["0.0.0.0", 8765]]);
});

test("serve --http says where, stays until stopped; serve ends with its client", async () => {
  const served: unknown[] = [];
  const product = {
    serveHttp: (host: string, port: number) => (served.push([host, port]), Promise.resolve({ url: "http://127.0.0.1:1/mcp" })),
    serveStdio: () => Promise.resolve({ closed: Promise.resolve() }),
  };
  let stop: (() => void) | undefined;
  const running = runCli(["serve", "--http"], { product, stopped: () => new Promise((resolve) => (stop = resolve)) });
  await expect.poll(() => stop).toBeDefined();
  expect(await Promise.race([running, Promise.resolve("running")])).toBe("running");
  stop?.();
  expect(await running).toMatchObject({ out: "", err: "metricgate 0.0.0 serves MCP at http://127.0.0.1:1/mcp\n", exitCode: 0 });
  expect(served).toEqual([["127.0.0.1", 8765]]);
  expect(await runCli(["serve", "--stdio"], { product, stopped: () => new Promise(() => undefined) })).toMatchObject({
    out: "",
    err: "",
    exitCode: 0,
  });
});

test("demo answers a question, shows how to connect and where", async () => {
  const product = { ...fakeProduct(), serveHttp: () => Promise.resolve({ url: "http://127.0.0.1:1/mcp" }) };
  const { out } = await runCli(["demo"], { product });
  for (const text of [
    "A summary.",
    "note: a warning",
    "lead_time (days)",
    '"mcpServers"',
    "claude mcp add --transport http metricgate http://127.0.0.1:1/mcp",
    "Serving MCP at http://127.0.0.1:1/mcp",
  ])
    expect(out).toContain(text);
  expect(product.specs).toHaveLength(1);
});

const NONE: ImportReport["read"] = { projects: 0, sprints: 0, issues: 0, events: 0, sprintIssues: 0, statuses: 0 };
const REPORT: ImportReport = {
  instanceId: "inst1",
  read: { projects: 1, issues: 3 },
  stored: { projects: 1, issues: 2, events: 0 },
  newIssues: 2,
  refusedCount: 22,
  refused: Array.from({ length: 22 }, (_, index) => ({ place: `issues.ndjson:${index}`, reason: "no key" })),
  warnings: [{ message: "odd", count: 2, place: "issues.ndjson:1" }],
  unmappedStatuses: [{ ref: "7", name: "Limbo" }],
  statusDisagreements: [{ name: "Open" }],
  dataAsOf: null,
  dataVersion: 1,
  durationMs: 1500,
} as unknown as ImportReport;

test("import tells what was stored, refused and doubtful", async () => {
  const orders: unknown[] = [];
  const product = { importData: (order: unknown) => (orders.push(order), Promise.resolve(REPORT)) };
  const { out, err } = await runCli(["import", "neutral", "/data", "--tenant", "acme", "--instance", "inst1", "--mapping", "map.yaml"], {
    product,
  });
  expect(out).toBe(
    "acme/inst1: 1 projects, 2 issues stored (2 new issues) in 1.5 s.\nRead 1 projects, 3 issues; refused 22. Data as of never.\n",
  );
  expect(err.split("\n").filter((line) => line.startsWith("refused "))).toHaveLength(20);
  for (const text of [
    "… and 2 more refused rows",
    "note: odd (2, first at issues.ndjson:1)",
    'note: status "Limbo" (7) belongs to no category',
    'category of status "Open"',
  ])
    expect(err).toContain(text);
  expect(orders).toEqual([{ format: "neutral", path: "/data", tenant: "acme", instance: "inst1", mappingFile: "map.yaml" }]);
});

test("import shows its progress to a person, and clears it", async () => {
  const importData: Product["importData"] = (order) => {
    for (const stage of ["reading", "reading", "deriving"] as const) order.onProgress?.({ stage, read: { ...NONE, issues: 5 } });
    return Promise.resolve({
      ...REPORT,
      stored: NONE,
      refused: [],
      refusedCount: 0,
      warnings: [],
      unmappedStatuses: [],
      statusDisagreements: [],
    });
  };
  const { out, err } = await runCli(["import", "jira-csv", "x.csv", "--tenant", "acme", "--instance", "inst1"], {
    product: { importData },
    isInteractive: true,
  });
  expect(out).toContain("acme/inst1: nothing stored");
  // The second report of a stage within 200 ms is left out; a new stage is not.
  const lines = err.split("\r\u001B[K").slice(1);
  expect(lines.at(-1)).toBe("");
  expect(lines.at(-2)).toMatch(/^deriving: .*5 issues/);
  expect(lines.length).toBeLessThanOrEqual(3);
});

test("import refuses an unknown format and needs a tenant and an instance", async () => {
  const format = await runCli(["import", "xml", "x", "--tenant", "a", "--instance", "b"]);
  expect(format.err).toContain("Formats: neutral, ");
  expect(format.exitCode).toBe(2);
  expect((await runCli(["import", "neutral", "x", "--instance", "b"])).err).toContain("--tenant");
});

test("migrate and doctor tell what they did and found", async () => {
  expect((await runCli(["migrate"], { product: { migrate: () => Promise.resolve([]) } })).out).toBe("the schema is up to date\n");
  expect((await runCli(["migrate"], { product: { migrate: () => Promise.resolve(["1-schema", "2-walls"]) } })).out).toBe(
    "applied 1-schema, 2-walls\n",
  );
  const catalog = { name: "delivery", version: "1.0.0", metrics: new Map() } as unknown as Product["catalog"];
  const well = await runCli(["doctor"], {
    product: { catalog, check: () => Promise.resolve([{ what: "database", ok: true, found: "there" }]) },
  });
  expect(well).toMatchObject({ out: "ok    catalog: delivery 1.0.0, 0 metrics, consistent\nok    database: there\n", exitCode: 0 });
  const ill = await runCli(["doctor"], {
    product: { catalog, check: () => Promise.resolve([{ what: "database", ok: false, found: "away", fix: "Start it." }]) },
  });
  expect(ill).toMatchObject({ out: expect.stringContaining("FAIL  database: away\n      fix: Start it.\n"), exitCode: 1 });
});

test("search rebuild and search embed tell of each tenant what was done, and refuse what they cannot take", async () => {
  const orders: unknown[] = [];
  const product: Partial<Product> = {
    rebuildSearch: (order) => (orders.push(order), Promise.resolve([{ tenant: "acme", issues: 3, language: "german", durationMs: 1_234 }])),
    embedIssues: ({ tenant, maxCharacters }) => (
      orders.push({ tenant, maxCharacters }),
      Promise.resolve([{ tenant: "acme", embedded: 2, pending: 1, refused: 3, characters: 9, ended: "budget", dimension: 2 }])
    ),
  };
  const rebuilt = await runCli(["search", "rebuild", "--tenant", "acme", "--language", "german"], { product });
  expect(rebuilt).toMatchObject({ out: "acme: 3 issues indexed (german) in 1.2 s\n", exitCode: 0 });
  const embedded = await runCli(["search", "embed", "--max-characters", "1000"], { product });
  expect(embedded).toMatchObject({
    out: "acme: 2 issues embedded, 1 to go, 3 refused by the service until their text changes (budget used up)\n",
    exitCode: 0,
  });
  expect(orders).toEqual([{ tenant: "acme", language: "german" }, { maxCharacters: 1_000 }]);
  expect(await runCli(["search", "embed", "--max-characters", "much"], { product })).toMatchObject({ exitCode: 2 });
});

test("tenants are made with a canonical zone and a weekday, and listed", async () => {
  const made: unknown[] = [];
  const tenants = (list: unknown[]) => () =>
    Promise.resolve({
      create: (one: object) => (made.push(one), Promise.resolve({ id: 1, ...one })),
      list: () => Promise.resolve(list),
    } as never);
  const product = { tenants: tenants([]) };
  const { out } = await runCli(["tenant", "create", "acme", "--timezone", "europe/prague", "--week-start", "Sunday"], { product });
  expect(out).toBe("created tenant acme (weeks start on sunday, zone Europe/Prague)\n");
  expect(made).toEqual([{ slug: "acme", name: "acme", timezone: "Europe/Prague", weekStart: 7 }]);
  for (const [args, message] of [
    [["ACME"], "a tenant's short name is made of"],
    [["acme", "--week-start", "someday"], "--week-start takes a day"],
    [["acme", "--timezone", "Prague"], "--timezone takes an IANA zone"],
  ] as const)
    expect((await runCli(["tenant", "create", ...args], { product })).thrown).toMatchObject({
      name: "UsageError",
      message: expect.stringContaining(message),
    });
  expect((await runCli(["tenant", "list"], { product })).out).toContain("no tenants yet");
  const listed = await runCli(["tenant", "list"], {
    product: { tenants: tenants([{ slug: "acme", name: "Acme", timezone: "UTC", weekStart: 7 }]) },
  });
  expect(listed.out).toBe("tenant  name  timezone  week starts\n──────  ────  ────────  ───────────\nacme    Acme  UTC       sunday\n");
});

test("catalog check, docs and diff", async () => {
  const copy = copyCatalog();
  const checked = await runCli(["catalog", "check", "--catalog-dir", copy.directory]);
  expect(checked.out).toMatch(/^warehouse 1\.\d+\.\d+: \d+ metrics with \d+ test cases, \d+ dimensions and fields; consistent\.\n$/);
  copy.replace("metrics/lead-time.yaml", "version: 1.0.0", "version: 1.1.0");
  expect((await runCli(["catalog", "check", "--catalog-dir", copy.directory])).thrown).toMatchObject({ name: "CatalogInvalid" });
  expect((await runCli(["catalog", "check", "--record", "--catalog-dir", copy.directory])).out).toContain("recorded lead_time 1.1.0\n");

  const printed = await runCli(["catalog", "docs"]);
  const file = temporary("catalog.md", "old");
  const stale = await runCli(["catalog", "docs", "--output", file, "--check"]);
  expect(stale).toMatchObject({ exitCode: 1, err: `${file} is stale; run \`metricgate catalog docs --output ${file}\`\n` });
  expect(readFileSync(file, "utf8")).toBe("old");
  await runCli(["catalog", "docs", "--output", file]);
  expect(readFileSync(file, "utf8")).toBe(printed.out);
  expect(await runCli(["catalog", "docs", "--output", file, "--check"])).toMatchObject({ exitCode: 0, err: "" });
  expect(await runCli(["catalog", "docs", "--output", `${file}.absent`, "--check"])).toMatchObject({ exitCode: 1 });

  const shipped = copyCatalog().directory;
  expect(await runCli(["catalog", "diff", shipped, shipped])).toMatchObject({ out: "no change\n", exitCode: 0 });
  expect(await runCli(["catalog", "diff", shipped, copy.directory])).toMatchObject({
    out: "safe      metric lead_time went from 1.0.0 to 1.1.0\n",
    exitCode: 0,
  });
  copy.remove("metrics/net-flow.yaml");
  expect(await runCli(["catalog", "diff", shipped, copy.directory])).toMatchObject({
    out: expect.stringMatching(/^breaking {2}metric net_flow was removed\nsafe /),
    exitCode: 1,
  });
});

test("help and version are no errors; an unknown command or option is", async () => {
  expect(await runCli(["--version"])).toMatchObject({ out: "1.2.3\n", exitCode: 0 });
  expect((await runCli(["--help"])).out).toContain("catalog");
  expect(await runCli(["frobnicate"])).toMatchObject({ exitCode: 2, err: expect.stringContaining("unknown command") });
  expect(await runCli(["query", "-", "--format", "xml"])).toMatchObject({ exitCode: 2, err: expect.stringContaining("table, json, csv") });
});

test("a table pads to its widest cell, also with no rows", () => {
  expect(textTable(["a", "bbb"], [["cccc", "1"]], [false, true])).toBe("a     bbb\n────  ───\ncccc    1\n");
  expect(textTable(["a"], [])).toBe("a\n─\n");
});
