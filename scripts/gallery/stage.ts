import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import { loadCatalog } from "../../src/catalog/load.ts";
import type { Chart } from "../../src/chart/chart.ts";
import { createRenderer, type Renderer } from "../../src/chart/render/pool.ts";
import { openEmbedded } from "../../src/db/embedded/embedded.ts";
import { tenantDirectory } from "../../src/db/tenant-directory.ts";
import { demoSource } from "../../src/ingest/demo/demo-source.ts";
import { ACME_STORY, DEMO_STORY } from "../../src/ingest/demo/story.ts";
import { importInto } from "../../src/ingest/import.ts";
import { createPipeline, type Pipeline } from "../../src/pipeline.ts";
import type { StoredResult } from "../../src/result/page.ts";
import type { ChartFormat } from "../../src/spec/chart.ts";
import { type Principal, SCOPES, type Tenant } from "../../src/tenant.ts";
import type { GalleryCase } from "./cases.ts";

/** The gallery's present: with the demo's own seeds every picture is the same at every run. */
const NOW = new Date("2026-06-17T09:00:00Z");

/** The demo tenants in a database of their own, ready to be drawn. */
export interface Stage {
  readonly pipeline: Pipeline;
  readonly principals: Readonly<Record<GalleryCase["tenant"], Principal>>;
  draw(shown: GalleryCase, theme: "light" | "dark", format?: ChartFormat): Promise<Chart>;
  close(): Promise<void>;
}

/** Loads both demo tenants as of the gallery's present. Takes some seconds. */
export async function openStage(catalogDirectory: string): Promise<Stage> {
  const dataDir = mkdtempSync(join(tmpdir(), "metricgate-gallery-"));
  const database = await openEmbedded({ dataDir, observe: () => undefined });
  const directory = tenantDirectory(database);
  const made = async (slug: string): Promise<Tenant> => {
    const { id } = await directory.create({ slug, name: slug, timezone: "UTC", weekStart: 1 });
    return { id, slug, timezone: "UTC", weekStart: 1 } as unknown as Tenant;
  };
  const tenants = { demo: await made("demo"), acme: await made("acme") };
  await importInto(database, tenants.demo, { instanceId: "inst1", source: demoSource({ story: DEMO_STORY, now: NOW, months: 13 }) });
  await importInto(database, tenants.acme, { instanceId: "inst1", source: demoSource({ story: ACME_STORY, now: NOW, months: 7 }) });
  const sharp = createRenderer();
  // The gallery is looked at on pages: one pixel for one keeps it small.
  const renderer: Renderer = { close: () => sharp.close(), render: (request, options) => sharp.render({ ...request, scale: 1 }, options) };
  const pipeline = createPipeline({
    catalog: await loadCatalog(catalogDirectory),
    database: () => Promise.resolve(database),
    results: memoryResultStore<StoredResult>({ maxBytes: 2 ** 28, maxTenantBytes: 2 ** 28 }),
    observe: () => undefined,
    now: () => NOW,
    renderer,
  });
  const acting = (tenant: Tenant): Principal => ({ tenant, user: "gallery", scopes: SCOPES, allowed: {} });
  const principals = { demo: acting(tenants.demo), acme: acting(tenants.acme) };
  return {
    pipeline,
    principals,
    draw: async ({ tenant, type, spec, wish }, theme, format = "png") => {
      const principal = principals[tenant];
      const { meta } = await pipeline.run(principal, spec);
      return pipeline.chart(principal, { result_id: meta.result_id, type, theme, format, ...wish });
    },
    close: async () => {
      await sharp.close();
      await database.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
