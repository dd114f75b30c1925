import type { Catalog, Metric } from "../catalog/catalog.ts";
import type { Problem } from "../errors.ts";
import { problem, quoted } from "./problems.ts";
import type { MeasureInput } from "./shape.ts";
import type { SpecMeasure } from "./spec.ts";

/** The metric a spec means by `name`: its name, an alias, or `name@major`. */
export function findMetric(catalog: Catalog, name: string): Metric | undefined {
  const plain = catalog.metrics.get(name) ?? catalog.metrics.get(catalog.aliases.get(name) ?? "");
  if (plain) return plain;
  const [base, major] = name.split("@");
  const current = catalog.metrics.get(base ?? "");
  return major !== undefined && current?.definition.version.split(".")[0] === major ? current : undefined;
}

export function parseMeasures(input: readonly MeasureInput[], catalog: Catalog, problems: Problem[]): SpecMeasure[] {
  const resolved = input.map((measure, index) => parseMeasure(measure, `measures[${index}]`, catalog, problems));
  const known = resolved.filter((measure) => measure !== undefined);
  const count = (name: string): number => known.filter((other) => other.name === name).length;
  return known.map(({ name, agg, as }) => ({ name, agg, as: as ?? (count(name) > 1 ? `${name}_${agg}` : name).replace("@", "_v") }));
}

function parseMeasure(
  { name, agg, as }: MeasureInput,
  path: string,
  catalog: Catalog,
  problems: Problem[],
): { name: string; agg: string; as: string | undefined } | undefined {
  if (as !== undefined && !/^[A-Za-z][A-Za-z0-9_]{0,59}$/.test(as)) {
    problems.push(
      problem("BAD_VALUE", { path: `${path}.as`, message: "a name is up to 60 letters, digits and _, beginning with a letter" }),
    );
  }
  if (name === undefined) return undefined;
  const metric = findMetric(catalog, name);
  if (!metric) {
    problems.push(unknownMeasure(name, `${path}.name`, catalog));
    return undefined;
  }
  const aggregate = agg ?? metric.definition.default_aggregate;
  if (!metric.aggregates.includes(aggregate)) {
    const message = `${metric.name} cannot be aggregated by ${quoted(aggregate)}`;
    const suggestion = metric.definition.default_aggregate;
    problems.push(problem("BAD_VALUE", { path: `${path}.agg`, message, allowed: metric.aggregates, suggestion }));
  }
  return { name: metric.name, agg: aggregate, as };
}

function unknownMeasure(name: string, path: string, catalog: Catalog): Problem {
  const unavailable = catalog.unavailable.get(name);
  if (unavailable) return problem("UNKNOWN_MEASURE", { path, message: `${name} cannot be answered: ${unavailable.reason}` });
  const message = catalog.dimensions.has(name)
    ? `${quoted(name)} is a dimension, not a metric; put it under dimensions or filters`
    : `there is no metric ${quoted(name)}`;
  const near = problem("UNKNOWN_MEASURE", {
    path,
    message,
    allowed: [...catalog.metrics.keys(), ...catalog.aliases.keys(), ...catalog.unavailable.keys()],
    wrote: name,
  });
  const meant = catalog.unavailable.get(near.suggestion ?? "");
  if (meant)
    return problem("UNKNOWN_MEASURE", {
      path,
      message: `${message}; the nearest is ${meant.name}, which cannot be answered: ${meant.reason}`,
      allowed: catalog.metrics.keys(),
    });
  const suggestion = near.suggestion === undefined ? undefined : (catalog.aliases.get(near.suggestion) ?? near.suggestion);
  return problem("UNKNOWN_MEASURE", { path, message, allowed: catalog.metrics.keys(), suggestion });
}

export function parseDimensions(
  input: readonly string[],
  measures: readonly SpecMeasure[],
  catalog: Catalog,
  problems: Problem[],
): string[] {
  const seen = new Set<string>();
  for (const [index, name] of input.entries()) {
    const path = `dimensions[${index}]`;
    const dimension = catalog.dimensions.get(name);
    if (!dimension) {
      problems.push(unknownDimension(name, path, catalog));
    } else if (dimension.filter_only) {
      const message = name.endsWith("_at")
        ? `${name} cannot be grouped by; use time.grain, with time.field if it is not the measure's own time`
        : `${name} can be filtered on, not grouped by`;
      problems.push(problem("UNKNOWN_DIMENSION", { path, message, allowed: groupable(catalog) }));
    } else if (seen.has(name)) {
      problems.push(problem("BAD_VALUE", { path, message: `${name} is listed twice` }));
    } else {
      seen.add(name);
      checkMeasuresHave("dimensions", name, { path, measures, catalog }, problems);
    }
  }
  return [...seen];
}

function unknownDimension(name: string, path: string, catalog: Catalog): Problem {
  if (catalog.metrics.has(name)) {
    return problem("UNKNOWN_DIMENSION", {
      path,
      message: `${quoted(name)} is a metric; put it under measures`,
      allowed: groupable(catalog),
    });
  }
  const message = /^(time|date|day|week|month|quarter|year)$/i.test(name)
    ? `${quoted(name)} is not a dimension; for time buckets use time.grain`
    : `there is no dimension ${quoted(name)}`;
  return problem("UNKNOWN_DIMENSION", { path, message, allowed: groupable(catalog), wrote: name });
}

function groupable(catalog: Catalog): string[] {
  return [...catalog.dimensions.values()].filter((dimension) => !dimension.filter_only).map((dimension) => dimension.name);
}

/** Refuses a dimension or field that some measure does not have, naming those it has. */
export function checkMeasuresHave(
  kind: "dimensions" | "fields",
  name: string,
  { path, measures, catalog }: { path: string; measures: readonly SpecMeasure[]; catalog: Catalog },
  problems: Problem[],
): void {
  const lacking = measures.filter((measure) => !catalog.metrics.get(measure.name)?.[kind].includes(name));
  if (lacking.length === 0) return;
  const lists = measures.map((measure) => catalog.metrics.get(measure.name)?.[kind] ?? []);
  const shared = (lists[0] ?? []).filter((candidate) => lists.every((list) => list.includes(candidate)));
  const names = [...new Set(lacking.map((measure) => measure.name))].join(", ");
  const others = lacking.length < measures.length ? "; ask for it in a spec of its own" : "";
  const verb = kind === "dimensions" ? "grouped" : "filtered";
  problems.push(problem("INCOMPATIBLE", { path, message: `${names} cannot be ${verb} by ${name}${others}`, allowed: shared, wrote: name }));
}
