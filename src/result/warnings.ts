import type { Catalog } from "../catalog/catalog.ts";
import type { Spec } from "../spec/spec.ts";

interface Known {
  /** Rows of the answer. */
  readonly count: number;
  readonly total: number;
  readonly dataAsOf: string | null;
  readonly partialBuckets: readonly string[];
}

interface Asked {
  readonly spec: Spec;
  readonly catalog: Catalog;
  /** First day of the period; null without one. */
  readonly from: string | null;
  readonly notes: readonly { readonly message: string; readonly count: number }[];
}

/** What a reader must know to read the numbers right. Texts are ours; they carry no tenant data. */
export function warningsOf(known: Known, asked: Asked): string[] {
  return [...freshnessWarnings(known, asked), ...countWarnings(known, asked)];
}

function freshnessWarnings({ dataAsOf, partialBuckets }: Known, { from }: Asked): string[] {
  const warnings: string[] = [];
  if (dataAsOf === null) {
    warnings.push("No data has been imported for this tenant yet.");
  } else if (from !== null && from > dataAsOf.slice(0, 10)) {
    warnings.push(`The period begins on ${from}, after the newest data (${dataAsOf}): what it shows is not known yet.`);
  }
  if (partialBuckets.length > 0) {
    const shown = partialBuckets.length > 4 ? [...partialBuckets.slice(0, 3), "…", partialBuckets.at(-1)] : partialBuckets;
    warnings.push(`Covered only in part: ${shown.join(", ")}${dataAsOf === null ? "" : `; data reaches to ${dataAsOf}`}.`);
  }
  return warnings;
}

function countWarnings({ count: kept, total }: Known, { spec, catalog, notes }: Asked): string[] {
  const warnings = notes.filter(({ count }) => count > 0).map(({ message, count }) => message.replace("{count}", String(count)));
  const overlapping = spec.dimensions.filter((name) => catalog.dimensions.get(name)?.multi_valued);
  if (overlapping.length > 0) {
    warnings.push(`An issue counts once under each ${overlapping.join(" and ")} it has, so these groups overlap; totals count it once.`);
  }
  if (kept < total) {
    warnings.push(`The limit of ${spec.limit} cut ${total - kept} of ${total} rows; raise limit, filter, or use a coarser grain.`);
  }
  if (spec.totals && spec.filters.some((filter) => spec.measures.some((measure) => measure.as === filter.field))) {
    warnings.push("The total covers everything the row filters match, also groups that a condition on a measure left out.");
  }
  return warnings;
}
