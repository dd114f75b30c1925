/**
 * What one tenant's flood costs another, on native PostgreSQL: `node bench/fairness/run.ts [neutral folder]` with TEST_DATABASE_URL set.
 * A noisy tenant keeps 50 heavy specs in the air, each different so that no cache answers; a quiet one asks a small spec, also never twice
 * the same, one after the other. Prints the quiet tenant's p95 alone and beside the noise, and their ratio; fails above 3.
 */
import { setTimeout as pause } from "node:timers/promises";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import { openNative } from "../../src/db/native.ts";
import { tenantDirectory } from "../../src/db/tenant-directory.ts";
import { toAppError } from "../../src/errors.ts";
import { demoSource } from "../../src/ingest/demo/demo-source.ts";
import { DEMO_STORY } from "../../src/ingest/demo/story.ts";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { must } from "../../src/must.ts";
import { createPipeline } from "../../src/pipeline.ts";
import { shippedCatalog } from "../../test/support/answers.ts";
import { createScratch } from "../../test/support/native-database.ts";
import { testPrincipal, testTenant } from "../../test/support/tenants.ts";

const [folder] = process.argv.slice(2);
const IN_THE_AIR = 50;
const ROUNDS = 300;
const NOW = new Date("2021-06-15T12:00:00Z");
const MAX_RATIO = 3;

const p95 = (values: readonly number[]): number => must(values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)], "a value");

const scratch = await createScratch(must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL"));
const database = openNative({ url: scratch.url, observe: () => undefined });
try {
  const make = async (slug: string, scale: number) => {
    const tenant = await tenantDirectory(database).create({ slug, name: slug, timezone: "UTC", weekStart: 1 });
    const source =
      folder === undefined || scale === 1 ? demoSource({ story: DEMO_STORY, now: NOW, scale, seed: slug }) : neutralSource(folder);
    await importInto(database, { id: tenant.id }, { instanceId: "inst1", source });
    return testPrincipal(testTenant({ id: tenant.id }));
  };
  const [noisy, quiet] = [await make("noisy", 21), await make("quiet", 1)];
  const pipeline = createPipeline({
    catalog: await shippedCatalog(),
    database: async () => database,
    results: memoryResultStore<never>({ maxBytes: 2 ** 26, maxTenantBytes: 2 ** 26 }),
    observe: () => undefined,
    now: () => NOW,
  });
  const unlike = (turn: number) => ({ limit: 1 + (turn % 1000) });
  const small = (turn: number) => ({
    measures: [{ name: "issues_created" }, { name: "bug_ratio" }],
    dimensions: ["issue_type"],
    time: { range: "last_90_days" },
    ...unlike(turn),
  });
  const heavy = (turn: number) => ({
    measures: [{ name: "issues_created" }, { name: "lead_time", agg: "p85" }, { name: "backlog_open" }],
    dimensions: ["assignee"],
    time: { grain: "week", range: "all" },
    filters: [{ field: "created_at", op: ">", value: new Date(Date.UTC(1990, 0, 1 + turn)).toISOString().slice(0, 10) }],
  });
  const ask = async (from: number): Promise<number[]> => {
    const times: number[] = [];
    for (let turn = from; turn < from + ROUNDS; turn += 1) {
      const startMs = performance.now();
      await pipeline.run(quiet, small(turn));
      times.push(performance.now() - startMs);
      await pause(2);
    }
    return times;
  };
  await ask(0);
  const heavyMs = performance.now();
  await pipeline.run(noisy, heavy(0));
  console.log(`a heavy spec alone: ${(performance.now() - heavyMs).toFixed(0)} ms`);
  const idle = p95(await ask(ROUNDS));
  let turn = 1;
  let answered = 0;
  let busy = 0;
  const ends = new AbortController();
  const noise = Array.from({ length: IN_THE_AIR }, async () => {
    while (!ends.signal.aborted) {
      await pipeline.run(noisy, heavy(turn++), { signal: ends.signal }).then(
        () => (answered += 1),
        async (thrown: unknown) => {
          const error = toAppError(thrown);
          if (error.code !== "BUSY") return;
          busy += 1;
          await pause(must(error.details.retryAfterSeconds, "when to try again") * 1000, undefined, { signal: ends.signal }).catch(
            () => undefined,
          );
        },
      );
    }
  });
  await pause(1000);
  const loaded = p95(await ask(2 * ROUNDS));
  ends.abort();
  await Promise.allSettled(noise);
  const ratio = loaded / idle;
  console.log(
    `quiet tenant's p95: idle ${idle.toFixed(1)} ms, beside ${IN_THE_AIR} heavy specs ${loaded.toFixed(1)} ms, ratio ${ratio.toFixed(2)}`,
  );
  console.log(`noisy tenant: ${answered} answered, ${busy} told to wait`);
  if (ratio > MAX_RATIO) process.exitCode = 1;
} finally {
  await database.close();
  await scratch.drop();
}
