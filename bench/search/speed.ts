/**
 * How fast issues are found, and what the index costs: `node bench/search/speed.ts <issues> [--embedded] [--rounds 300]`. Native needs
 * TEST_DATABASE_URL. The issues are made of the gitbugs ones: sentences and titles of real issues put together anew, so that words are as
 * frequent and as long as people's are. Prints one JSON line a kind of question.
 *
 * Times are of whole calls: request, two statements in the tenant's transaction, ranking, snippets. "imported" is the whole import,
 * "indexed" building the index anew alone.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { importInto } from "../../src/ingest/import.ts";
import { must } from "../../src/must.ts";
import { rebuildSearch } from "../../src/search-operator.ts";
import type { SearchRequest } from "../../src/spec/search-request.ts";
import { testPipeline } from "../../test/support/answers.ts";
import { openEmbeddedForTest, openNativeForTest } from "../../test/support/databases.ts";
import { createTenant, testPrincipal } from "../../test/support/tenants.ts";
import { percentile, sample, seeded } from "./measure.ts";
import { readSets, type SetIssue, sourceOf } from "./sets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { embedded: { type: "boolean", default: false }, rounds: { type: "string", default: "300" } },
});
const count = Number(positionals[0] ?? "15000");
const rounds = Number(values.rounds);
const random = seeded(11);
const pick = <T>(list: readonly T[]): T => must(list[Math.floor(random() * list.length)], "one of a list");

/** Titles and sentences of real issues, put together anew. */
function recombined(real: readonly SetIssue[]): SetIssue[] {
  const halves = real.flatMap(({ title }) => {
    const words = title.split(/\s+/);
    const middle = Math.ceil(words.length / 2);
    return [{ first: words.slice(0, middle).join(" "), second: words.slice(middle).join(" ") }];
  });
  const paragraphs = real.flatMap(({ body }) => body.split(/\n{2,}/).filter((paragraph) => paragraph.trim() !== ""));
  const longest = real.map(({ body }) => Math.min(10, body.split(/\n{2,}/).length));
  return Array.from({ length: count }, (_, index) => ({
    key: `SET-${index + 1}`,
    title: `${pick(halves).first} ${pick(halves).second}`,
    body: Array.from({ length: pick(longest) }, () => pick(paragraphs)).join("\n\n"),
    status: pick(["Open", "Done"]),
    createdAt: new Date(Date.UTC(2015, 0, 1) + Math.floor(random() * 3_000) * 86_400_000).toISOString(),
    resolvedAt: null,
  }));
}

const real = readSets(join(import.meta.dirname, "../../../shared/data/search/gitbugs")).flatMap(({ issues }) => issues);
const issues = recombined(real);
const words = (text: string, most: number): string => sample(text.split(/\s+/), most, random).join(" ");
const KINDS: Readonly<Record<string, () => SearchRequest>> = {
  "three words of a title": () => ({ queries: [words(pick(real).title, 3)] }),
  title: () => ({ queries: [pick(real).title] }),
  "title and body": () => {
    const { title, body } = pick(real);
    return { queries: [`${title}\n${body}`.slice(0, 20_000)] };
  },
  "three phrasings": () => ({
    queries: [pick(real).title, pick(real).title, words(pick(real).body, 8)].filter((text) => text.trim() !== ""),
  }),
  "title, filtered": () => ({ queries: [pick(real).title], filters: [{ field: "status", op: "=", values: ["Open"] }] }),
  "like an issue": () => ({ similar_to: `SET-${Math.floor(random() * count) + 1}` }),
};

const db = values.embedded
  ? await openEmbeddedForTest()
  : await openNativeForTest(must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL"));
const mode = values.embedded ? "embedded" : "native";
const seconds = (ms: number): number => Math.round(ms / 100) / 10;
try {
  const tenant = await createTenant(db.database, { id: 1 });
  const { durationMs } = await importInto(db.database, tenant, { instanceId: "bench", source: sourceOf(issues, "SET") });
  const [built] = await rebuildSearch(db.database, { tenant: tenant.slug });
  await db.asSuperuser((client) => client.query("vacuum full warehouse.search_posting, warehouse.search_document, warehouse.issue"));
  await db.asSuperuser((client) => client.query("analyze"));
  const sizes = await db.asSuperuser(async (client) => {
    const { rows } = await client.query<{ name: string; mb: number }>(
      `select relname as name, round(pg_total_relation_size(oid) / 1e6)::int as mb from pg_class where relname in ('issue', 'search_posting', 'search_document')`,
    );
    return Object.fromEntries(rows.map(({ name, mb }) => [name, mb]));
  });
  console.log(
    JSON.stringify({
      mode,
      issues: count,
      importedSeconds: seconds(durationMs),
      indexedSeconds: seconds(built?.durationMs ?? 0),
      megabytes: sizes,
    }),
  );
  const pipeline = await testPipeline(db.database);
  for (const [kind, request] of Object.entries(KINDS)) {
    const times: number[] = [];
    for (let round = -20; round < rounds; round += 1) {
      const asked = request();
      const startMs = performance.now();
      await pipeline.search(testPrincipal(tenant), asked);
      if (round >= 0) times.push(performance.now() - startMs);
    }
    const [p50 = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((share) => Math.round(percentile(times, share) * 10) / 10);
    console.log(JSON.stringify({ mode, issues: count, kind, rounds, p50, p95, p99 }));
  }
} finally {
  await db.close();
}
