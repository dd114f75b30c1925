import fc from "fast-check";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { Database } from "../../src/db/database.ts";
import type { Result } from "../../src/result/result.ts";
import { type Principal, SCOPES, type Tenant } from "../../src/tenant.ts";
import { specsFor } from "../oracle/specs.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { largestWorld } from "../oracle/world.ts";
import { marked } from "../support/marked-world.ts";
import { createTenant, testPrincipal } from "../support/tenants.ts";

const TENANTS = 10;
/** The day on which questions about named ranges are asked. */
export const NOW = largestWorld(3).now;

/** A tenant whose every text says whose it is, and whose numbers are its own too: each has another world. */
export interface MarkedTenant {
  readonly tenant: Tenant;
  readonly principal: Principal;
  readonly mark: string;
}

function markOf(id: number): string {
  return `owned-by-${String(id).padStart(2, "0")}`;
}

/** Ten tenants with the same keys, ids and instances. */
export async function furnish(database: Database): Promise<readonly MarkedTenant[]> {
  const tenants: MarkedTenant[] = [];
  for (let id = 1; id <= TENANTS; id += 1) {
    const tenant = await createTenant(database, { id, slug: `tenant-${id}` });
    await importIntoTenant(database, tenant, marked(largestWorld(id), markOf(id)));
    tenants.push({ tenant, principal: testPrincipal(tenant, "fuzz", { scopes: SCOPES }), mark: markOf(id) });
  }
  return tenants;
}

/** Marks of others in anything that a tenant was told. */
export function foreignMarks({ mark }: MarkedTenant, told: unknown): readonly string[] {
  const found = (JSON.stringify(told) ?? "").match(/owned-by-\d\d/g) ?? [];
  return [...new Set(found)].filter((one) => one !== mark);
}

/** Questions that show texts, and random ones that show numbers. */
export function questionsFor(catalog: Catalog, seed: number, random: number): readonly unknown[] {
  const texts = ["label", "status", "sprint_name", "assignee", "issue_type", "priority", "component", "project_name"];
  const byText = texts.flatMap((dimension) => {
    const metric = [...catalog.metrics.values()].find((one) => one.dimensions.includes(dimension));
    if (metric === undefined) return [];
    const measures = [{ name: metric.name }];
    return [
      { measures, dimensions: [dimension], totals: true, limit: 1000, time: { range: "all" } },
      { measures, dimensions: [dimension], time: { grain: "month", range: "all" }, limit: 1000 },
    ];
  });
  const sampled = fc.sample(specsFor(catalog, largestWorld(3)), { seed, numRuns: random }).map(({ input }) => input);
  return [...byText, ...sampled];
}

/** What an answer says, without what differs from call to call. */
export function lasting({ data, meta }: Pick<Result, "data" | "meta">): string {
  return JSON.stringify([data.columns, data.rows, data.totals, data.total, meta.summary, meta.warnings]);
}
