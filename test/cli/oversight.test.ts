import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProduct } from "../../src/product.ts";
import type { Host, Product } from "../../src/cli/host.ts";
import { readConfig } from "../../src/config.ts";
import { must } from "../../src/must.ts";
import { tamper } from "../audit/trails.ts";
import { asSuperuser, createScratch, nativeTestUrl, type ScratchDatabase } from "../support/native-database.ts";
import { runCli } from "./run-cli.ts";

const SPEC = '{"measures":[{"name":"issues_created"}]}';

test("prove-isolation prints each rule with its findings and the fix, and fails with findings", async () => {
  const rule = { id: "rls-enabled", means: "It is on.", fix: "Switch it on." };
  const good = { ...rule, findings: [] };
  const bad = { ...rule, id: "views", findings: [{ object: "side.\u001bv", detail: "a view" }] };
  const unshown = { ...rule, id: "foreign-handles", findings: [], notShown: "only one tenant" };
  const prove = (outcomes: readonly (typeof good | typeof bad)[], ...args: string[]) =>
    runCli(["prove-isolation", ...args], { product: { proveIsolation: () => Promise.resolve(outcomes) } });
  const found = await prove([good, bad, unshown]);
  expect(found.exitCode).toBe(1);
  expect(found.out).toBe(
    [
      "ok       rls-enabled                   It is on.",
      "FINDING  views                         It is on.",
      "           side. v: a view",
      "           fix: Switch it on.",
      "unshown  foreign-handles               It is on.",
      "           not shown: only one tenant",
      "",
      "3 checks: 1 findings, 1 not shown on this database",
      "",
    ].join("\n"),
  );
  const clean = await prove([good]);
  expect(clean).toMatchObject({ exitCode: 0, out: expect.stringContaining("1 checks: no findings\n") });
  expect(JSON.parse((await prove([good, bad], "--format", "json")).out)).toEqual({ ok: false, findings: 1, rules: [good, bad] });
});

describe.each(["embedded", "native"] as const)("on a database of its own: %s", (mode) => {
  const url = mode === "native" ? nativeTestUrl() : undefined;
  describe.skipIf(mode === "native" && url === undefined)("the trail on the command line", () => {
    const folder = mkdtempSync(join(tmpdir(), "metricgate-oversight-"));
    const kept = join(folder, "heads.jsonl");
    let scratch: ScratchDatabase | undefined;
    let product: Product;
    let tenants: string[] = [];
    /** Commands share one product here, which they may not close. */
    const open: Host["open"] = () => Promise.resolve({ ...product, close: () => Promise.resolve() });
    const cli = (...args: string[]) => runCli(args, { open });

    beforeAll(async () => {
      scratch = url === undefined ? undefined : await createScratch(url);
      const where = scratch === undefined ? { METRICGATE_DATA_DIR: folder } : { METRICGATE_DATABASE_URL: scratch.url };
      product = await openProduct(readConfig({ METRICGATE_LOG_LEVEL: "silent", METRICGATE_TENANT: "acme", ...where }, tmpdir()));
      const directory = await product.tenants();
      for (const slug of ["acme", "zeta"]) await directory.create({ slug, name: slug, timezone: "UTC", weekStart: 1 });
      tenants = (await directory.list()).map((tenant) => tenant.slug);
      writeFileSync(join(folder, "spec.json"), SPEC);
    }, 60_000);
    afterAll(async () => {
      await product.close();
      await scratch?.drop();
      rmSync(folder, { recursive: true, force: true });
    });

    test("a query is recorded as the command it was", async () => {
      expect(tenants).toEqual(["acme", "zeta"]);
      for (let asked = 0; asked < 3; asked += 1) expect((await cli("query", join(folder, "spec.json"))).exitCode).toBe(0);
      const heads = await cli("audit", "heads");
      expect(JSON.parse(heads.out)).toMatchObject({ tenant: "acme", seq: 3, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
      writeFileSync(kept, heads.out);
      expect(await cli("audit", "verify")).toMatchObject({
        exitCode: 0,
        out: "ok      acme: 3 rows, unbroken\nok      zeta: 0 rows, unbroken\n",
      });
      expect(await cli("audit", "verify", "--heads", kept, "--tenant", "acme")).toMatchObject({ exitCode: 0 });
    });

    test("prove-isolation passes on the whole product, and is recorded too", async () => {
      const { out, exitCode } = await cli("prove-isolation");
      expect({ exitCode, last: out.trimEnd().split("\n").at(-1) }).toEqual({
        exitCode: 0,
        last: expect.stringMatching(/^\d\d checks: no findings, 4 not shown on this database$/),
      });
      expect((await cli("audit", "verify")).out).toContain("ok      zeta: 1 rows");
    });

    test("prune keeps the running month and refuses what is no month", async () => {
      const running = new Date().toISOString().slice(0, 7);
      expect((await cli("audit", "prune", "--before", running)).out).toBe(`nothing is older than ${running}\n`);
      expect((await cli("audit", "prune", "--before", "soon")).thrown).toMatchObject({ code: "SPEC_INVALID" });
      expect((await cli("audit", "prune")).exitCode).toBe(2);
    });

    test("unknown tenants and files that are none are told", async () => {
      expect((await cli("audit", "verify", "--tenant", "nobody")).thrown).toMatchObject({ code: "NOT_FOUND" });
      expect((await cli("audit", "verify", "--heads", join(folder, "none"))).thrown).toMatchObject({ code: "SPEC_INVALID" });
      writeFileSync(join(folder, "bad"), '\n{"tenant": 1}\n');
      expect((await cli("audit", "verify", "--heads", join(folder, "bad"))).thrown).toMatchObject({
        message: expect.stringContaining("Line 2 of the heads"),
      });
    });

    // The embedded database is open to this product only, so nobody can tamper with it meanwhile.
    if (mode === "embedded") return;

    test("a serving login that owns a table is refused at the start, and doctor says what to do", async () => {
      const { url: of } = must(scratch, "a scratch database");
      await asSuperuser(of, (client) => client.query("alter table warehouse.issue owner to metricgate_api"));
      const second = await openProduct(
        readConfig({ METRICGATE_LOG_LEVEL: "silent", METRICGATE_TENANT: "acme", METRICGATE_DATABASE_URL: of }, tmpdir()),
      );
      try {
        await expect(second.identify()).rejects.toMatchObject({
          code: "UNAVAILABLE",
          message: expect.stringContaining("metricgate_api owns tables"),
        });
        const told = await runCli(["doctor"], { open: () => Promise.resolve({ ...second, close: () => Promise.resolve() }) });
        expect(told.exitCode).toBe(1);
        expect(told.out).toMatch(/FAIL  database: The database login metricgate_api owns tables.*\n      fix: Take it away/);
      } finally {
        await second.close();
        await asSuperuser(of, (client) => client.query("alter table warehouse.issue owner to metricgate_owner"));
      }
    });

    test("a broken chain fails and names the row; a tenant that only the export knows is looked for", async () => {
      const { url: of } = must(scratch, "a scratch database");
      const get = () => ({ asSuperuser: <T>(work: Parameters<typeof asSuperuser<T>>[1]) => asSuperuser(of, work) }) as never;
      await tamper(get, "update audit.entry set outcome = 'none' where seq = 2");
      const { out, exitCode } = await cli("audit", "verify");
      expect(exitCode).toBe(1);
      expect(out).toContain("BROKEN  acme: at row 2 (edited): row 2 does not have the content that it was written with\n");
      await tamper(get, "delete from audit.entry; delete from audit.head; delete from directory.tenant");
      const lost = await cli("audit", "verify", "--heads", kept);
      expect(lost).toMatchObject({
        exitCode: 1,
        out: "BROKEN  acme: at row 1 (truncated): rows 1 to 3 were there when the head was exported\n",
      });
      expect((await cli("audit", "verify")).out).toBe("no tenants yet, so no trail\n");
    });
  });
});
