import { expect, test } from "vitest";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { rebuildSearch } from "../../src/search-operator.ts";
import { TOKENISER_VERSION } from "../../src/search/layout.ts";
import { day, issue } from "../ingest/records.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { createTenant } from "../support/tenants.ts";
import { importIssues } from "./support.ts";

const TEXTS = [
  ["Save dialog freezes", "The save dialog freezes when the disk is full. NullPointerException in org.acme.SaveDialog"],
  ["Login fails with HTTP 500", "getUserName throws"],
  ["Dark mode", null],
  [null, "only a description"],
  [null, null],
] as const;
const ISSUES = TEXTS.map(([summary, description], index) => issue(`A-${index + 1}`, { summary, description }));

describeOnEachDatabase("the index", (get) => {
  const postingsOf = (tenantId: number) =>
    get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ term: string; block: number; issues: number; postings: number[] }>(
        "select term, block, issues, (select array_agg(v order by v) from unnest(postings) as v) as postings from warehouse.search_posting where tenant_id = $1 order by term, block",
        [tenantId],
      );
      return rows;
    });
  /** How many issues have each term, as it is written down and as the postings say. */
  const frequenciesOf = (tenantId: number) =>
    get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ term: string; written: number; counted: number }>(
        `select term, t.issues as written, c.issues as counted from (select term, issues from warehouse.search_term where tenant_id = $1) as t
         full join (select term, sum(issues)::int as issues from warehouse.search_posting where tenant_id = $1 group by term) as c using (term)`,
        [tenantId],
      );
      return { terms: rows.length, wrong: rows.filter(({ written, counted }) => written !== counted) };
    });
  const corpusOf = (tenantId: number) =>
    get().asSuperuser(
      async (client) =>
        (await client.query("select language, tokeniser, issues from warehouse.search_corpus where tenant_id = $1", [tenantId])).rows,
    );
  const versionsOf = (tenantId: number) =>
    get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ term: string; xmin: string }>(
        "select term, xmin::text from warehouse.search_posting where tenant_id = $1",
        [tenantId],
      );
      return new Map(rows.map(({ term, xmin }) => [term, xmin]));
    });

  test("has each term of each issue, heavier in a title than in a body, stemmed by the tenant's language", async () => {
    const { database } = get();
    await createTenant(database, { id: 1 });
    await importIssues(database, { id: 1 }, ISSUES);
    const byTerm = new Map(
      (await postingsOf(1)).map((row) => [row.term, row.postings.map((entry) => [entry >> 16, entry & 65_535] as const)]),
    );
    expect([...byTerm.keys()]).toEqual(
      expect.arrayContaining(["save", "freez", "nullpointerexception", "savedialog", "getusername", "500", "descript"]),
    );
    expect(byTerm.has("the")).toBe(false);
    expect(byTerm.get("descript")?.map(([place]) => place)).toEqual([4]);
    const [[, inTitle] = [0, 0]] = byTerm.get("dark") ?? [];
    const [[, inBody] = [0, 0]] = byTerm.get("throw") ?? [];
    expect(inTitle).toBeGreaterThan(inBody);
    expect(await corpusOf(1)).toEqual([{ language: "english", tokeniser: TOKENISER_VERSION, issues: 5 }]);
  });

  test("follows each import as if it had been built anew, and touches only what a changed issue has", async () => {
    const { database } = get();
    await createTenant(database, { id: 2 });
    await importIssues(database, { id: 2 }, ISSUES);
    const before = await versionsOf(2);
    await importIssues(database, { id: 2 }, ISSUES);
    expect(await versionsOf(2)).toEqual(before);
    const changed = issue("A-2", { summary: "Login fails with HTTP 503", description: "getUserName throws", updatedAt: day(3) });
    await importIssues(database, { id: 2 }, [changed, issue("A-9", { summary: "A new one" })]);
    const after = await versionsOf(2);
    expect(
      [...after]
        .filter(([term, version]) => before.get(term) !== version)
        .map(([term]) => term)
        .toSorted(),
    ).toEqual(["503", "fail", "get", "getusername", "http", "login", "name", "new", "one", "throw", "user"].toSorted());
    expect(after.has("500")).toBe(false);
    const kept = await postingsOf(2);
    expect(await frequenciesOf(2)).toEqual({ terms: kept.length, wrong: [] });
    expect(await rebuildSearch(database, { tenant: "tenant-2" })).toMatchObject([{ tenant: "tenant-2", issues: 6, language: "english" }]);
    expect(await postingsOf(2)).toEqual(kept);
    expect(await frequenciesOf(2)).toEqual({ terms: kept.length, wrong: [] });
  });

  test("spans blocks, and takes issues out of a block without its others", async () => {
    const { database } = get();
    await createTenant(database, { id: 3 });
    const many = Array.from({ length: 5_000 }, (_, index) => issue(`B-${index + 1}`, { summary: `common word${index}` }));
    await importIssues(database, { id: 3 }, many);
    const sizes = async () =>
      (await postingsOf(3)).filter(({ term }) => term === "common").map(({ block, issues, postings }) => [block, issues, postings.length]);
    expect(await sizes()).toEqual([
      [0, 4_095, 4_095],
      [1, 905, 905],
    ]);
    await importIssues(database, { id: 3 }, [issue("B-5000", { summary: "rare", updatedAt: day(2) })]);
    expect(await sizes()).toEqual([
      [0, 4_095, 4_095],
      [1, 904, 904],
    ]);
    expect(await frequenciesOf(3)).toMatchObject({ wrong: [] });
  });

  test("is built anew in another language, and when the code cuts texts otherwise than when it was built", async () => {
    const { database } = get();
    await createTenant(database, { id: 4 });
    await importIssues(database, { id: 4 }, [issue("C-1", { summary: "Die Häuser brannten" })]);
    await rebuildSearch(database, { tenant: "tenant-4", language: "german" });
    const german = (await postingsOf(4)).map(({ term }) => term);
    expect(german).toEqual(["brannt", "haus"]);
    await rebuildSearch(database, { tenant: "tenant-4", language: "simple" });
    expect((await postingsOf(4)).map(({ term }) => term)).toEqual(["brannten", "die", "hauser"]);
    await expect(rebuildSearch(database, { tenant: "tenant-4", language: "klingon" })).rejects.toMatchObject({ code: "SPEC_INVALID" });
    await expect(rebuildSearch(database, { tenant: "nobody" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await withTenantWrite(database, 4, (client) => client.query("update warehouse.search_corpus set tokeniser = 0 where tenant_id = 4"));
    await importIssues(database, { id: 4 }, [issue("C-2", { summary: "Zwei" })]);
    expect(await corpusOf(4)).toEqual([{ language: "simple", tokeniser: TOKENISER_VERSION, issues: 2 }]);
  });
});
