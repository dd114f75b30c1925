import { join } from "node:path";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { loadCatalog } from "../../src/catalog/load.ts";
import { createRenderer } from "../../src/chart/render/pool.ts";
import type { Database } from "../../src/db/database.ts";
import { createPipeline, type Pipeline } from "../../src/pipeline.ts";
import type { Cell, Result } from "../../src/result/result.ts";
import type { StoredResult } from "../../src/result/page.ts";
import type { EmbeddingProvider } from "../../src/search/embedding.ts";
import type { Tenant } from "../../src/tenant.ts";
import { testPrincipal } from "./tenants.ts";

export const CATALOG_DIRECTORY = join(import.meta.dirname, "../../catalog");

let loading: Promise<Catalog> | undefined;
/** The shipped catalog, loaded once a test file. */
export const shippedCatalog = (): Promise<Catalog> => (loading ??= loadCatalog(CATALOG_DIRECTORY));

/** The real pipeline over a test's database, with a clock that stands still. */
export async function testPipeline(
  database: Database,
  now = new Date("2024-06-15T12:00:00Z"),
  catalog?: Catalog,
  embeddings?: EmbeddingProvider,
): Promise<Pipeline> {
  return createPipeline({
    catalog: catalog ?? (await shippedCatalog()),
    database: () => Promise.resolve(database),
    results: memoryResultStore<StoredResult>({ maxBytes: 2 ** 28, maxTenantBytes: 2 ** 28 }),
    observe: () => undefined,
    now: () => now,
    renderer: createRenderer(),
    ...(embeddings === undefined ? {} : { embeddings }),
  });
}

/** An answer with all its rows as records by column name. */
export interface Asked {
  readonly result: Result;
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  readonly totals: Readonly<Record<string, Cell>>;
}

/** Asks and pages to the end. */
export async function ask(pipeline: Pipeline, tenant: Tenant, spec: unknown, principal = testPrincipal(tenant)): Promise<Asked> {
  const first = await pipeline.run(principal, spec);
  const rest = first.data.next_cursor === null ? first : await pipeline.page(principal, { result_id: first.meta.result_id, limit: 1000 });
  const names = first.data.columns.map((column) => column.name);
  const record = (row: readonly Cell[]): Record<string, Cell> => Object.fromEntries(names.map((name, index) => [name, row[index] ?? null]));
  return { result: first, rows: rest.data.rows.map(record), totals: record(first.data.totals ?? []) };
}
