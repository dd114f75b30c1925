/**
 * How fast issues are found, and what the index costs: `node bench/search/speed.ts <issues> [--embedded] [--rounds 300] [--kind title]`.
 * Native needs TEST_DATABASE_URL; `--keep` leaves the database it made there, and `--on <its URL>` asks that one again. The issues are
 * made of the gitbugs ones: sentences and titles of real issues put together anew, so that words are as frequent and as long as people's
 * are. Prints one JSON line a kind of question.
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
import { openNative } from "../../src/db/native.ts";
import type { Tenant } from "../../src/tenant.ts";
import { testPipeline } from "../../test/support/answers.ts";
import { openEmbeddedForTest, openNativeForTest, type TestDatabase } from "../../test/support/databases.ts";
import { createTenant, testPrincipal } from "../../test/support/tenants.ts";
import { percentile, sample, seeded } from "./measure.ts";
import { readSets, type SetIssue, sourceOf } from "./sets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    embedded: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    kind: { type: "string", default: "" },
    on: { type: "string" },
    rounds: { type: "string", default: "300" },
  },
});
const count = Number(positionals[0] ?? "15000");
const rounds = Number(values.rounds);
type Random = () => number;
const pick = <T>(list: readonly T[], random: Random): T => must(list[Math.floor(random() * list.length)], "one of a list");

/** Titles and sentences of real issues, put together anew. */
function recombined(real: readonly SetIssue[]): SetIssue[] {
  const random = seeded(11);
  const halves = real.flatMap(({ title }) => {
    const words = title.split(/\s+/);
    const middle = Math.ceil(words.length / 2);
    return [{ first: words.slice(0, middle).join(" "), second: words.slice(middle).join(" ") }];
  });
  const paragraphs = real.flatMap(({ body }) => body.split(/\n{2,}/).filter((paragraph) => paragraph.trim() !== ""));
  const longest = real.map(({ body }) => Math.min(10, body.split(/\n{2,}/).length));
  return Array.from({ length: count }, (_, index) => ({
    key: `SET-${index + 1}`,
    title: `${pick(halves, random).first} ${pick(halves, random).second}`,
    body: Array.from({ length: pick(longest, random) }, () => pick(paragraphs, random)).join("\n\n"),
    status: pick(["Open", "Done"], random),
    createdAt: new Date(Date.UTC(2015, 0, 1) + Math.floor(random() * 3_000) * 86_400_000).toISOString(),
    resolvedAt: null,
  }));
}

const real = readSets(join(import.meta.dirname, "../../../shared/data/search/gitbugs")).flatMap(({ issues }) => issues);
/** The same questions whatever is measured besides. */
const random = seeded(12);
const words = (text: string, most: number): string => sample(text.split(/\s+/), most, random).join(" ");
const title = (): string => pick(real, random).title;
const longWords = [...new Set(real.flatMap((issue) => issue.title.toLowerCase().match(/\b[a-z]{7,12}\b/g) ?? []))];
/** Two letters the other way round. */
const misspelt = (word: string): string => word.slice(0, 3) + (word[4] ?? "") + (word[3] ?? "") + word.slice(5);
const misspeltWords = (): string => `${misspelt(pick(longWords, random))} ${misspelt(pick(longWords, random))}`;
const someTitle = (): SearchRequest => ({ queries: [title()] });
/** About one issue in 300, and none. */
const FEW = { field: "created_at", op: "between", values: ["2018-03-01", "2018-03-10"] } as const;
const NONE = { field: "status", op: "=", values: ["Abandoned"] } as const;
const KINDS: Readonly<Record<string, () => SearchRequest>> = {
  "three words of a title": () => ({ queries: [words(title(), 3)] }),
  title: someTitle,
  "title and body": () => {
    const issue = pick(real, random);
    return { queries: [`${issue.title}\n${issue.body}`.slice(0, 20_000)] };
  },
  "three phrasings": () => ({
    queries: [title(), title(), words(pick(real, random).body, 8)].filter((text) => text.trim() !== ""),
  }),
  "title, quoted": () => {
    const all = title().replaceAll('"', "").split(/\s+/);
    return { queries: [`"${all.slice(0, 2).join(" ")}" ${all.slice(2).join(" ")}`] };
  },
  "title, half pass": () => ({ ...someTitle(), filters: [{ field: "status", op: "=", values: ["Open"] }] }),
  "title, few pass": () => ({ ...someTitle(), filters: [FEW] }),
  "title, none pass": () => ({ ...someTitle(), filters: [NONE] }),
  "title and body, few pass": () => ({ queries: [`${title()}\n${pick(real, random).body}`.slice(0, 20_000)], filters: [FEW] }),
  "three phrasings, none pass": () => ({ queries: [title(), title(), title()], filters: [NONE] }),
  misspelt: () => ({ queries: [misspeltWords()] }),
  "misspelt, none pass": () => ({ queries: [misspeltWords()], filters: [NONE] }),
  "like an issue": () => ({ similar_to: `SET-${Math.floor(random() * count) + 1}` }),
  "like an issue, few pass": () => ({ similar_to: `SET-${Math.floor(random() * count) + 1}`, filters: [FEW] }),
};

const mode = values.embedded ? "embedded" : "native";
const seconds = (ms: number): number => Math.round(ms / 100) / 10;

async function opened(): Promise<Pick<TestDatabase, "database" | "close"> & { readonly tenant: Tenant }> {
  if (values.on !== undefined) {
    const database = openNative({ url: values.on, observe: () => undefined });
    return { database, close: () => database.close(), tenant: await createTenant(database, { id: 1 }) };
  }
  const db = values.embedded
    ? await openEmbeddedForTest()
    : await openNativeForTest(must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL"));
  const tenant = await createTenant(db.database, { id: 1 });
  await built(db, tenant);
  if (!values.keep) return { ...db, tenant };
  const { rows } = await db.asSuperuser((client) => client.query<{ name: string }>("select current_database() as name"));
  console.log(JSON.stringify({ kept: rows[0]?.name }));
  return { ...db, tenant, close: () => db.database.close() };
}

async function built(db: TestDatabase, tenant: Tenant): Promise<void> {
  const { durationMs } = await importInto(db.database, tenant, { instanceId: "bench", source: sourceOf(recombined(real), "SET") });
  const [index] = await rebuildSearch(db.database, { tenant: tenant.slug });
  await db.asSuperuser((client) => client.query("vacuum full warehouse.search_posting, warehouse.search_document, warehouse.issue"));
  await db.asSuperuser((client) => client.query("analyze"));
  const sizes = await db.asSuperuser(async (client) => {
    const { rows } = await client.query<{ name: string; mb: number }>(
      `select relname as name, round(pg_total_relation_size(oid) / 1e6)::int as mb from pg_class where relname in ('issue', 'search_posting', 'search_document')`,
    );
    return Object.fromEntries(rows.map(({ name, mb }) => [name, mb]));
  });
  const took = { importedSeconds: seconds(durationMs), indexedSeconds: seconds(index?.durationMs ?? 0) };
  console.log(JSON.stringify({ mode, issues: count, ...took, megabytes: sizes }));
}

const { database, tenant, close } = await opened();
try {
  const pipeline = await testPipeline(database);
  for (const [kind, request] of Object.entries(KINDS).filter(([name]) => name.includes(values.kind))) {
    const times: number[] = [];
    let found = 0;
    for (let round = -20; round < rounds; round += 1) {
      const asked = request();
      const startMs = performance.now();
      const { data } = await pipeline.search(testPrincipal(tenant), asked);
      if (round < 0) continue;
      times.push(performance.now() - startMs);
      if (data.hits.length > 0) found += 1;
    }
    const [p50 = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((share) => Math.round(percentile(times, share) * 10) / 10);
    console.log(JSON.stringify({ mode, issues: count, kind, rounds, found, p50, p95, p99 }));
  }
} finally {
  await close();
}
