import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApp } from "../src/app.ts";
import { openProduct } from "../src/product.ts";
import type { Product } from "../src/cli/host.ts";
import { type Config, readConfig } from "../src/config.ts";
import { must } from "../src/must.ts";
import { testPrincipal } from "./support/tenants.ts";
import { CATALOG_DIRECTORY } from "./support/answers.ts";
import { asSuperuser, createScratch, nativeTestUrl } from "./support/native-database.ts";

const FIXTURE = join(CATALOG_DIRECTORY, "fixture");
const COUNT = { measures: [{ name: "issues_created" }] };
const configOf = (environment: Record<string, string>): Config => readConfig({ METRICGATE_LOG_LEVEL: "silent", ...environment }, tmpdir());

describe("the embedded product with its demo", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "metricgate-app-"));
  const config = configOf({ METRICGATE_DATA_DIR: dataDir });
  let product: Product;

  beforeAll(async () => {
    product = await openProduct(config, { demo: true, metrics: true });
  }, 60_000);
  afterAll(async () => {
    await product.close();
    rmSync(dataDir, { recursive: true, force: true });
  }, 30_000);

  test("answers the demo tenant's questions and keeps the other tenant's apart", async () => {
    const demo = await product.identify();
    expect(demo).toMatchObject({ user: "local", tenant: { slug: "demo" } });
    expect(await product.identify()).toBe(demo);
    const { data, meta } = await product.pipeline.run(demo, COUNT);
    expect(Number(data.rows[0]?.[0])).toBeGreaterThan(100);
    const tenants = await (await product.tenants()).list();
    expect(tenants.map(({ slug }) => slug)).toEqual(["acme", "demo"]);
    const acme = testPrincipal(
      must(
        tenants.find(({ slug }) => slug === "acme"),
        "acme",
      ) as never,
    );
    await expect(product.pipeline.page(acme, { result_id: meta.result_id })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await product.pipeline.run(acme, COUNT)).data.rows[0]?.[0]).not.toBe(data.rows[0]?.[0]);
  });

  test("migrates when it opens; doctor finds all well", async () => {
    expect(await product.migrate()).toEqual([]);
    const checks = await product.check();
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks[0]).toMatchObject({ what: "database", found: expect.stringContaining("embedded") });
  });

  test("imports for a tenant that exists, and reports a status without a category", async () => {
    const order = { format: "neutral", path: FIXTURE, instance: "more" } as const;
    const report = await product.importData({
      ...order,
      tenant: "acme",
      mappingFile: join(FIXTURE, "mapping.yaml"),
      onProgress: () => undefined,
    });
    expect(report.stored.issues).toBeGreaterThan(0);
    await expect(product.importData({ ...order, tenant: "nobody" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("serves over HTTP on a free port, with its numbers, until closed", async () => {
    const { url } = await product.serveHttp("127.0.0.1", 0);
    const origin = new URL(must(url, "a URL")).origin;
    expect((await fetch(`${origin}/health/ready`)).status).toBe(200);
    expect(await (await fetch(`${origin}/metrics`)).text()).toContain("# TYPE");
  });

  test("the demo is made once: a second product finds it", async () => {
    const second = await openProduct(config, { demo: true });
    try {
      expect(await (await second.tenants()).list()).toHaveLength(2);
    } finally {
      await second.close();
    }
  });
});

test("a product that was never asked anything opens no database, and closes", async () => {
  const dataDir = join(tmpdir(), "metricgate-never-made");
  const product = await openProduct(configOf({ METRICGATE_DATA_DIR: dataDir }));
  await product.close();
  expect(() => rmSync(dataDir, { recursive: true })).toThrow("ENOENT");
});

test("a database that cannot be had is UNAVAILABLE, at every try anew, and a finding for doctor", async () => {
  const product = await openProduct(configOf({ METRICGATE_DATABASE_URL: "postgres://127.0.0.1:1/none", METRICGATE_TENANT: "acme" }), {
    demo: true,
  });
  try {
    for (let attempt = 1; attempt <= 2; attempt += 1) await expect(product.identify()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await product.check()).toMatchObject([{ what: "database", ok: false }]);
  } finally {
    await product.close();
  }
});

test("a database whose preparation fails is closed, and prepared anew at the next try", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "metricgate-prepare-"));
  let attempts = 0;
  const prepare = (): Promise<void> => (++attempts === 1 ? Promise.reject(new Error("not now")) : Promise.resolve());
  const app = await createApp(configOf({ METRICGATE_DATA_DIR: dataDir }), { prepare });
  try {
    await expect(app.database()).rejects.toThrow("not now");
    expect((await app.database()).mode).toBe("embedded");
    expect(attempts).toBe(2);
  } finally {
    await app.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 60_000);

test("a catalog that is not there is told at the start", async () => {
  await expect(createApp(configOf({ METRICGATE_CATALOG_DIR: "/no/such/catalog" }))).rejects.toMatchObject({ name: "CatalogInvalid" });
});

const url = nativeTestUrl();
describe.skipIf(url === undefined)("the product on PostgreSQL", () => {
  test("opens only on its own schema, migrates, and doctor names what is missing", async () => {
    const scratch = await createScratch(must(url, "TEST_DATABASE_URL"), false);
    const product = await openProduct(configOf({ METRICGATE_DATABASE_URL: scratch.url, METRICGATE_TENANT: "acme" }), { demo: true });
    try {
      await expect(product.identify()).rejects.toMatchObject({
        code: "UNAVAILABLE",
        details: { next: expect.stringContaining("metricgate migrate") },
      });
      expect((await product.migrate()).length).toBeGreaterThan(0);
      expect(await product.migrate()).toEqual([]);
      expect((await product.check()).filter(({ ok }) => !ok)).toEqual([expect.objectContaining({ what: "tenants", found: "none" })]);
      await expect(product.identify()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
      const { id } = await (await product.tenants()).create({ slug: "acme", name: "Acme", timezone: "UTC", weekStart: 1 });
      expect((await product.identify()).tenant.id).toBe(id);
      await product.importData({ format: "neutral", path: FIXTURE, tenant: "acme", instance: "inst1" });
      await asSuperuser(scratch.url, async (client) => {
        await client.query("update warehouse.status set category = null where tenant_id = $1 and name = 'Blocked'", [id]);
        await client.query("grant execute on function pg_catalog.set_config(text, text, boolean) to public");
      });
      expect((await product.check()).filter(({ ok }) => !ok)).toEqual([
        expect.objectContaining({ what: "second lock", found: "set_config can be executed by the reader" }),
        expect.objectContaining({ what: "statuses of acme", found: "statuses without a category: Blocked" }),
      ]);
    } finally {
      await product.close();
      await scratch.drop();
    }
  }, 60_000);
});
