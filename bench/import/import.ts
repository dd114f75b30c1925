/**
 * Time and memory of an import, alone in a process: `node bench/import/import.ts <native|embedded> <folder | demo:SCALE>`.
 * Native needs TEST_DATABASE_URL. The growth is this process's resident memory above what it had with the database open.
 *
 * Another tenant is imported first: the embedded engine compiles itself once while it works (900 MB for some seconds,
 * whatever it works on), which is no cost of an import.
 */
import { setTimeout as pause } from "node:timers/promises";
import { demoSource } from "../../src/ingest/demo/demo-source.ts";
import { DEMO_STORY } from "../../src/ingest/demo/story.ts";
import { importInto } from "../../src/ingest/import.ts";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { must } from "../../src/must.ts";
import { openEmbeddedForTest, openNativeForTest } from "../../test/support/databases.ts";

const [mode = "native", input = "demo:1"] = process.argv.slice(2);
const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

const db =
  mode === "embedded" ? await openEmbeddedForTest() : await openNativeForTest(must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL"));
try {
  const warmUp = demoSource({ story: DEMO_STORY, now: new Date("2026-11-20T12:00:00Z") });
  await importInto(db.database, { id: 2 }, { instanceId: "warm-up", source: warmUp });
  await pause(3_000);
  for (const run of ["first", "again"]) {
    const source = input.startsWith("demo:")
      ? demoSource({ story: DEMO_STORY, now: new Date("2026-11-20T12:00:00Z"), scale: Number(input.slice(5)) })
      : neutralSource(input);
    const before = process.memoryUsage.rss();
    let peak = before;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
    const { stored, durationMs } = await importInto(db.database, { id: 1 }, { instanceId: "bench", source });
    clearInterval(timer);
    console.log(
      JSON.stringify({
        mode,
        input,
        run,
        seconds: Math.round(durationMs / 100) / 10,
        rssBeforeMb: megabytes(before),
        rssGrowthMb: megabytes(peak - before),
        stored,
      }),
    );
  }
} finally {
  await db.close();
}
