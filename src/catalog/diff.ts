import type { Catalog, Metric } from "./catalog.ts";

/** One difference between two catalogs. */
export interface CatalogChange {
  /** Whether a spec that was answered before is refused or means something else now. */
  readonly breaking: boolean;
  readonly text: string;
}

/** What changed from `before` to `after`, breaking changes first. */
export function diffCatalogs(before: Catalog, after: Catalog): readonly CatalogChange[] {
  const changes = [
    ...removed("metric", before.metrics, after.metrics),
    ...removed("dimension", before.dimensions, after.dimensions),
    ...removed("alias", before.aliases, after.aliases, (name) => after.metrics.has(name)),
    ...added("metric", before.metrics, after.metrics),
    ...added("dimension", before.dimensions, after.dimensions),
    ...added("alias", before.aliases, after.aliases),
    ...[...after.dimensions].flatMap(([name, { type }]) => {
      const older = before.dimensions.get(name);
      return older && older.type !== type ? [{ breaking: true, text: `dimension ${name} changed its type from ${older.type} to ${type}` }] : [];
    }),
    ...[...after.metrics].flatMap(([name, metric]) => {
      const older = before.metrics.get(name);
      return older ? metricChanges(older, metric, after) : [];
    }),
  ];
  return changes.toSorted((a, b) => Number(b.breaking) - Number(a.breaking));
}

function removed(kind: string, before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>, isElsewhere = (_name: string): boolean => false): CatalogChange[] {
  return [...before.keys()].filter((name) => !after.has(name) && !isElsewhere(name)).map((name) => ({ breaking: true, text: `${kind} ${name} was removed` }));
}

function added(kind: string, before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): CatalogChange[] {
  return [...after.keys()].filter((name) => !before.has(name)).map((name) => ({ breaking: false, text: `${kind} ${name} was added` }));
}

function metricChanges(before: Metric, after: Metric, catalog: Catalog): CatalogChange[] {
  const { name } = after;
  const [from, to] = [before.definition, after.definition];
  const changes: CatalogChange[] = [];
  if (before.hash !== after.hash) {
    const [older, newer] = [from, to].map(({ version }) => `${name}@${version.split(".")[0]}`);
    const isMajor = older !== newer;
    const stays = isMajor && catalog.metrics.has(String(older)) ? `; the older stays callable as ${older}` : "";
    changes.push({ breaking: isMajor, text: `metric ${name} went from ${from.version} to ${to.version}${stays}` });
  }
  const lost = (kind: string, older: readonly string[], newer: readonly string[]): void => {
    for (const gone of older.filter((one) => !newer.includes(one))) changes.push({ breaking: true, text: `metric ${name} lost the ${kind} ${gone}` });
    for (const fresh of newer.filter((one) => !older.includes(one))) changes.push({ breaking: false, text: `metric ${name} gained the ${kind} ${fresh}` });
  };
  lost("aggregate", before.aggregates, after.aggregates);
  lost("field", before.fields, after.fields);
  for (const gone of before.dimensions.filter((one) => after.fields.includes(one) && !after.dimensions.includes(one))) {
    changes.push({ breaking: true, text: `metric ${name} can no longer be grouped by ${gone}` });
  }
  if (from.default_aggregate !== to.default_aggregate) changes.push({ breaking: true, text: `metric ${name} now defaults to ${to.default_aggregate} instead of ${from.default_aggregate}` });
  if (from.unit !== to.unit) changes.push({ breaking: true, text: `metric ${name} changed its unit from ${from.unit} to ${to.unit}` });
  if (!from.deprecation && to.deprecation) changes.push({ breaking: false, text: `metric ${name} is deprecated${to.deprecation.replaced_by === null ? "" : ` in favour of ${to.deprecation.replaced_by}`}` });
  return changes;
}
