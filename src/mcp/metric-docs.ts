import type { Catalog, Metric, UnavailableMetric } from "../catalog/catalog.ts";

/** The dimensions of many metrics told once: sets that several share, and what each set adds to or lacks of the first. */
export interface DimensionSets {
  /** Letter → its description: names, or `A +x -y`. */
  readonly legend: readonly (readonly [letter: string, text: string])[];
  readonly letterOf: ReadonlyMap<string, string>;
}

/** Groups metrics by their dimensions; the set that most metrics have is spelled out, the others by the difference. */
export function dimensionSets(metrics: readonly Metric[]): DimensionSets {
  const groups = new Map<string, { dimensions: readonly string[]; names: string[] }>();
  for (const metric of metrics) {
    const key = [...metric.dimensions].toSorted().join(" ");
    const group = groups.get(key) ?? { dimensions: metric.dimensions, names: [] };
    group.names.push(metric.name);
    groups.set(key, group);
  }
  const ranked = [...groups.values()].toSorted((a, b) => b.names.length - a.names.length);
  const base = ranked[0]?.dimensions ?? [];
  const letterOf = new Map<string, string>();
  const legend = ranked.map(({ dimensions, names }, at): readonly [string, string] => {
    const letter = setName(at);
    for (const name of names) letterOf.set(name, letter);
    return [letter, at === 0 ? base.join(" ") : shorter(dimensions, base)];
  });
  return { legend, letterOf };
}

function shorter(dimensions: readonly string[], base: readonly string[]): string {
  const added = dimensions.filter((name) => !base.includes(name)).map((name) => `+${name}`);
  const lacking = base.filter((name) => !dimensions.includes(name)).map((name) => `-${name}`);
  const difference = ["A", ...added, ...lacking];
  return difference.length <= dimensions.length ? difference.join(" ") : dimensions.join(" ");
}

/** A, B, … Z, A1, B1, … */
function setName(at: number): string {
  return String.fromCharCode(65 + (at % 26)) + (at < 26 ? "" : String(Math.floor(at / 26)));
}

/** Everything published about a metric, without its SQL and tests. */
export function metricDocument(metric: Metric, catalog: Catalog): Readonly<Record<string, unknown>> {
  const { definition } = metric;
  return {
    name: metric.name,
    version: definition.version,
    title: definition.title,
    aliases: definition.aliases,
    description: definition.description,
    formula: definition.formula,
    unit: definition.unit,
    type: definition.type,
    aggregates: metric.aggregates,
    default_aggregate: definition.default_aggregate,
    dimensions: metric.dimensions,
    filter_fields: metric.fields.filter((field) => !metric.dimensions.includes(field)),
    time: timeOf(metric, catalog),
    additivity: definition.additivity,
    empty_bucket: definition.gap,
    direction: definition.direction,
    ...("dependencies" in definition ? { dependencies: definition.dependencies } : {}),
    ...("components" in definition
      ? { components: definition.components.map(({ name, title, weight }) => ({ name, title, weight })) }
      : {}),
    owner: definition.owner,
    deprecation: definition.deprecation,
  };
}

/** Why a metric that people ask for cannot be had. */
export function unavailableDocument(metric: UnavailableMetric): Readonly<Record<string, unknown>> {
  const { name, title, description, reason } = metric;
  return { name, title, description, available: false, reason };
}

function timeOf(metric: Metric, catalog: Catalog): string {
  const { definition } = metric;
  if (definition.type === "derived") return "that of each of its dependencies";
  const rows = catalog.datasources.get(definition.datasource)?.rows;
  if (rows === "snapshot") return "the end of each bucket";
  if (rows === "interval") return "the part of each span within the bucket";
  return definition.time ?? "none";
}
