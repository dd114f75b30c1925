import type { Catalog } from "../catalog/catalog.ts";
import { must } from "../must.ts";
import type { Plan } from "../plan/plan.ts";
import { SPEC_VERSION } from "../spec/parse.ts";
import type { Spec } from "../spec/spec.ts";
import { type Basis, pageOf, type StoredResult } from "./page.ts";
import type { Explanation, Result } from "./result.ts";
import { type Answer, shape } from "./shape.ts";

/** Where an answer's numbers come from. */
export function metaOf(spec: Spec, answer: Omit<Answer, "rows">, catalog: Catalog): StoredResult["meta"] {
  const used = [...new Set(spec.measures.map((measure) => measure.name))];
  return {
    summary: answer.summary,
    spec_version: SPEC_VERSION,
    catalog_version: catalog.version,
    metrics_used: used.map((name) => ({ name, version: must(catalog.metrics.get(name), name).definition.version })),
    spec,
    timezone: spec.timezone,
    data_as_of: answer.dataAsOf,
    warnings: answer.warnings,
    deprecations: answer.deprecations,
    chart: spec.chart,
    partial_buckets: answer.partialBuckets,
  };
}

/** What a plan's answer can be opened up by. */
export function basisOf({ time, weekStart, catalogHash }: Plan): Basis {
  return { from: time.from, to: time.to, weekStart, catalogHash };
}

/** The envelope of a spec that was explained, not run. */
export function explainedResult(explanation: Explanation, { spec, plan, catalog }: { spec: Spec; plan: Plan; catalog: Catalog }): Result {
  const answer = shape({ columns: [], rows: [] }, { spec, plan, catalog });
  const meta = { ...metaOf(spec, answer, catalog), summary: "Not run: this is the plan.", warnings: [] };
  const { data } = pageOf(
    "",
    { answer, queryTimeMs: 0, cached: false, expiresAtMs: null, basis: basisOf(plan), meta },
    { offset: 0, limit: 0, cacheSeconds: 0 },
  );
  return { data, meta: { ...meta, cache_ttl: 0, result_id: "", result_uri: "", explanation } };
}
