/**
 * How well issues are found: `node bench/search/quality.ts [--data <folder>] [--embedded] [--local [--weight 0.05]]`; the folder holds
 * sets in the shape of gitbugs, by default ../shared/data/search/gitbugs. Native needs TEST_DATABASE_URL. With `--local` the local model's
 * nearness counts too, by its own weight or another. Exits with 1 where a figure is below its gate.
 *
 * Every question goes through the whole product: request, statement under the tenant's wall, ranking. Classes: `known-3` and
 * `known-4` look for an issue by random words of its title; `duplicate-title` and `duplicate-text` for the issues that people marked as the
 * same, by title and by title and body; `like` the same by similar_to. Of a duplicate itself, the own issue is left out of the ranks.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { importInto } from "../../src/ingest/import.ts";
import { must } from "../../src/must.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import { embedTenants } from "../../src/search-operator.ts";
import { localEmbeddings } from "../../src/search/local-embeddings.ts";
import type { SearchRequest } from "../../src/spec/search-request.ts";
import { testPipeline } from "../../test/support/answers.ts";
import { openEmbeddedForTest, openNativeForTest } from "../../test/support/databases.ts";
import { createTenant, testPrincipal } from "../../test/support/tenants.ts";
import { qualityOf, rankOf, sample, seeded } from "./measure.ts";
import { readSets, type SearchSet, sourceOf } from "./sets.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    embedded: { type: "boolean", default: false },
    local: { type: "boolean", default: false },
    weight: { type: "string" },
  },
});
const folder = values.data ?? join(import.meta.dirname, "../../../shared/data/search/gitbugs");
const KNOWN_ITEMS = 500;

/** The least recall at 5, by set and class. */
const GATES: Readonly<Record<string, number>> = {
  "hadoop duplicate-title": 0.62,
  "hadoop duplicate-text": 0.68,
  "SeaMonkey duplicate-title": 0.66,
  "hadoop known-3": 0.85,
  "hadoop known-4": 0.95,
};

interface Query {
  readonly request: SearchRequest;
  readonly own: string | null;
  readonly targets: ReadonlySet<string>;
}

function queriesOf({ issues, duplicates }: SearchSet): Record<string, Query[]> {
  const byKey = new Map(issues.map((issue) => [issue.key, issue]));
  const random = seeded(7);
  const known = (words: number): Query[] =>
    sample(issues, issues.length, random)
      .map((issue) => ({ issue, words: [...new Set(issue.title.split(/\s+/).filter((word) => /[\p{L}\p{N}]{2,}/u.test(word)))] }))
      .filter((one) => one.words.length >= words)
      .slice(0, KNOWN_ITEMS)
      .map((one) => ({ request: { queries: [sample(one.words, words, random).join(" ")] }, own: null, targets: new Set([one.issue.key]) }));
  const duplicate = (ask: (issue: { key: string; title: string; body: string }) => SearchRequest): Query[] =>
    duplicates.map(({ key, targets }) => ({ request: ask(must(byKey.get(key), key)), own: key, targets: new Set(targets) }));
  return {
    "known-3": known(3),
    "known-4": known(4),
    "duplicate-title": duplicate(({ title }) => ({ queries: [title] })),
    "duplicate-text": duplicate(({ title, body }) => ({ queries: [`${title}\n${body}`.slice(0, 20_000)] })),
    like: duplicate(({ key }) => ({ similar_to: key })),
  };
}

const db = values.embedded
  ? await openEmbeddedForTest()
  : await openNativeForTest(must(process.env["TEST_DATABASE_URL"], "TEST_DATABASE_URL"));
const found: {
  set: string;
  corpus: number;
  query: string;
  n: number;
  r1: number;
  r5: number;
  r10: number;
  mrr: number;
  even: number;
  odd: number;
}[] = [];
try {
  const local = localEmbeddings();
  const model = { id: local.id, model: local.model, weight: Number(values.weight ?? local.weight), embed: local.embed.bind(local) };
  const pipeline: Pipeline = await testPipeline(db.database, undefined, undefined, values.local ? model : undefined);
  for (const [index, set] of readSets(folder).entries()) {
    const tenant = await createTenant(db.database, { id: index + 1 });
    await importInto(db.database, tenant, { instanceId: "bench", source: sourceOf(set.issues, "SET") });
    const { signal } = new AbortController();
    if (values.local) await embedTenants(db.database, { embeddings: "local" }, { tenant: tenant.slug, maxCharacters: 1e9, signal });
    for (const [query, queries] of Object.entries(queriesOf(set))) {
      const ranks: number[] = [];
      for (const { request, own, targets } of queries) {
        const { data } = await pipeline.search(testPrincipal(tenant), { ...request, limit: 50 });
        ranks.push(
          rankOf(
            data.hits.map((hit) => hit.issue_key).filter((key) => key !== own),
            targets,
          ),
        );
      }
      const half = (rest: number): number => qualityOf(ranks.filter((_, at) => at % 2 === rest)).r5;
      found.push({ set: set.name, corpus: set.issues.length, query, ...qualityOf(ranks), even: half(0), odd: half(1) });
    }
  }
} finally {
  await db.close();
}

console.log(
  "| set | corpus | query class | n | R@1 | R@5 | R@10 | MRR | R@5 of each half |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
);
const short = (share: number): string => share.toFixed(3).replace(/^0/, "");
for (const { set, corpus, query, n, r1, r5, r10, mrr, even, odd } of found)
  console.log(`| ${set} | ${corpus} | ${query} | ${n} | ${[r1, r5, r10, mrr].map(short).join(" | ")} | ${short(even)} / ${short(odd)} |`);
for (const { set, query, r5 } of found) {
  const least = GATES[`${set} ${query}`];
  if (least === undefined || r5 >= least) continue;
  console.error(`${set} ${query}: R@5 ${short(r5)} is below ${short(least)}`);
  process.exitCode = 1;
}
