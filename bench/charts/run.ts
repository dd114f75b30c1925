/**
 * What a chart costs, from an answer of 24 weeks to a PNG of twice the pixels: `npm run bench:charts`. The first one starts
 * a thread and loads everything that draws; the event loop's delay is the main thread's, which only composes and hands over.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { compose } from "../../src/chart/compose.ts";
import type { Frame } from "../../src/chart/field.ts";
import { createRenderer } from "../../src/chart/render/pool.ts";

const ROUNDS = 120;
const TYPES = ["line", "bar", "area", "control", "kpi", "waterfall"] as const;

const weeks = Array.from({ length: 24 }, (_, index) => new Date(Date.UTC(2024, 0, 1 + 7 * index)).toISOString().slice(0, 10));
const field = { multiValued: false } as const;
const frame: Frame = {
  fields: [
    { ...field, index: 0, name: "time", label: "Week", role: "time", adds: "nowhere" },
    { ...field, index: 1, name: "issues_closed", label: "Issues closed", role: "measure", unit: "issues", adds: "everywhere" },
  ],
  rows: weeks.map((week, index) => [week, 20 + ((index * 7) % 13)]),
  total: weeks.length,
  grain: "week",
  timezone: "UTC",
  weekStart: 1,
  isSorted: false,
  partialBuckets: [],
};

const renderer = createRenderer();
/** As many issues, each with two numbers. */
function issues(count: number): Frame {
  const names = ["lead_time", "cycle_time"].map((name, at) => ({
    ...field,
    index: at + 1,
    name,
    label: name,
    role: "measure" as const,
    unit: "days",
    adds: "nowhere" as const,
  }));
  return {
    ...frame,
    fields: [{ ...field, index: 0, name: "issue_key", label: "Issue", role: "dimension", adds: "nowhere" }, ...names],
    rows: Array.from({ length: count }, (_, at) => [`DM-${at}`, (at * 7) % 90, (at * 3) % 30]),
    total: count,
    grain: null,
  };
}

async function draw(type: string, drawn: Frame = frame): Promise<number> {
  const startMs = performance.now();
  const wish = { type, x: null, y: null, color: null, facet: null, title: null, theme: null };
  const { spec, title, description } = compose(drawn, wish, "");
  await renderer.render({ spec, title, description, format: "png", scale: 2, maxBytes: 700_000 });
  return performance.now() - startMs;
}

const coldMs = await draw("line");
for (const type of TYPES) await draw(type);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const times: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) times.push(await draw(TYPES[round % TYPES.length] ?? "line"));
delay.disable();

const large = [];
for (const rows of [1_000, 2_500]) {
  const drawn = issues(rows);
  await draw("scatter", drawn);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const tookMs: number[] = [];
  for (let round = 0; round < 10; round += 1) tookMs.push(await draw("scatter", drawn));
  loop.disable();
  large.push({ rows, p50Ms: tookMs.toSorted((a, b) => a - b)[5] ?? 0, loopMaxMs: loop.max / 1e6 });
}
await renderer.close();

const sorted = times.toSorted((a, b) => a - b);
const at = (share: number): string => `${(sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1)} ms`;
console.log(`first chart: ${coldMs.toFixed(0)} ms`);
console.log(`PNG at twice the pixels, ${ROUNDS} charts: p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)}`);
console.log(`event loop meanwhile: p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms`);
for (const { rows, p50Ms, loopMaxMs } of large)
  console.log(`scatter of ${rows} rows: p50 ${p50Ms.toFixed(0)} ms; event loop meanwhile: max ${loopMaxMs.toFixed(1)} ms`);
