import type { Catalog, Metric } from "./catalog.ts";

/** Catalogs kept: one for each distinct list of metrics that callers are narrowed to. */
const MAX_KEPT = 200;

/**
 * Gives a caller's own view of a catalog: the metrics on its list, and of the rest only what those need. Without a list it
 * is the catalog itself. The same list gives the same object, so what is built from a view can be kept with it.
 */
export function catalogViews(catalog: Catalog): (metrics: readonly string[] | undefined) => Catalog {
  const kept = new Map<string, Catalog>();
  return (metrics) => {
    if (metrics === undefined) return catalog;
    const key = JSON.stringify([...new Set(metrics)].toSorted());
    const view = kept.get(key) ?? narrowed(catalog, new Set(metrics));
    kept.delete(key);
    kept.set(key, view);
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT) break;
      kept.delete(oldest);
    }
    return view;
  };
}

function narrowed(catalog: Catalog, listed: ReadonlySet<string>): Catalog {
  const isListed = ({ name, definition }: Metric): boolean =>
    [name, definition.name, ...definition.aliases].some((known) => listed.has(known));
  const metrics = new Map([...catalog.metrics].filter(([, metric]) => isListed(metric)));
  const fields = new Set([...metrics.values()].flatMap((metric) => [...metric.dimensions, ...metric.fields]));
  const hidden = [...catalog.metrics.keys(), ...catalog.aliases.keys(), ...catalog.unavailable.keys()].filter(
    (name) => !metrics.has(name) && !metrics.has(catalog.aliases.get(name) ?? ""),
  );
  return Object.freeze({
    ...catalog,
    metrics,
    aliases: new Map([...catalog.aliases].filter(([, name]) => metrics.has(name))),
    unavailable: new Map([...catalog.unavailable].filter(([name]) => listed.has(name))),
    dimensions: new Map([...catalog.dimensions].filter(([name]) => fields.has(name))),
    changelog: withoutLinesOn(hidden, catalog.changelog),
  });
}

/** A text without the lines that name something hidden. */
function withoutLinesOn(hidden: readonly string[], text: string): string {
  const names = new Set(hidden);
  return text
    .split("\n")
    .filter((line) => !line.split(/[^a-z0-9_@]+/i).some((word) => names.has(word)))
    .join("\n");
}
