import type { Catalog } from "../catalog/catalog.ts";
import type { Problem } from "../errors.ts";
import { isDate } from "./dates.ts";
import { nearest } from "./nearest.ts";
import { problem, quoted } from "./problems.ts";
import type { TimeInput } from "./shape.ts";
import type { SpecMeasure, SpecTime } from "./spec.ts";
import { canonicalZone } from "./zone.ts";

export function parseTimezone(name: string, problems: Problem[]): string {
  const zone = canonicalZone(name);
  if (zone !== undefined) return zone;
  const suggestion = nearest(name, ["UTC", ...Intl.supportedValuesOf("timeZone")]);
  const message = `${quoted(name)} is not an IANA time zone, as in Europe/Prague or UTC`;
  problems.push(problem("BAD_VALUE", { path: "timezone", message, suggestion }));
  return "UTC";
}

export function parseTime(
  input: TimeInput | undefined,
  measures: readonly SpecMeasure[],
  catalog: Catalog,
  problems: Problem[],
): SpecTime | null {
  if (!input) return null;
  const time: SpecTime = {
    grain: input.grain ?? null,
    range: input.range ?? null,
    from: input.from ?? null,
    to: input.to ?? null,
    field: input.field ?? "canonical",
    compare: input.compare ?? "none",
  };
  checkBounds(time, problems);
  checkCompare(time, problems);
  checkField(time.field, measures, catalog, problems);
  return time;
}

function checkBounds({ from, to, range }: SpecTime, problems: Problem[]): void {
  for (const [key, date] of [
    ["from", from],
    ["to", to],
  ] as const) {
    if (date !== null && !isDate(date)) {
      problems.push(problem("BAD_VALUE", { path: `time.${key}`, message: `${quoted(date)} is not a date. Example: "2024-01-31"` }));
    }
  }
  if (range !== null && (from !== null || to !== null)) {
    problems.push(problem("BAD_VALUE", { path: "time.range", message: "give range, or from and to, not both" }));
  }
  if (from !== null && to !== null && isDate(from) && isDate(to) && from >= to) {
    problems.push(problem("BAD_VALUE", { path: "time.to", message: `to is exclusive and must be later than from (${from})` }));
  }
}

/** There is no period before all time, and without buckets nothing to hold against a year ago. */
function checkCompare({ compare, grain, range, from, to }: SpecTime, problems: Problem[]): void {
  const bounded = (range !== null && range !== "all") || (from !== null && to !== null);
  if (compare === "none" || bounded || (compare === "previous_year" && grain !== null)) return;
  problems.push(problem("BAD_VALUE", { path: "time.compare", message: `${compare} needs a range other than all, or both from and to` }));
}

function checkField(field: string, measures: readonly SpecMeasure[], catalog: Catalog, problems: Problem[]): void {
  if (field === "canonical") return;
  const dates = [...catalog.dimensions.values()].filter((dimension) => dimension.type === "timestamp").map((dimension) => dimension.name);
  if (!dates.includes(field)) {
    problems.push(
      problem("UNKNOWN_FIELD", {
        path: "time.field",
        message: `there is no date field ${quoted(field)}`,
        allowed: ["canonical", ...dates],
        wrote: field,
      }),
    );
    return;
  }
  const lacking = measures.filter((measure) => !canBeTimedBy(measure, field, catalog));
  if (lacking.length === 0) return;
  const allowed = ["canonical", ...dates.filter((date) => measures.every((measure) => canBeTimedBy(measure, date, catalog)))];
  const names = [...new Set(lacking.map((measure) => measure.name))].join(", ");
  problems.push(
    problem("INCOMPATIBLE", {
      path: "time.field",
      message: `${names} cannot be placed in time by ${field}`,
      allowed,
      suggestion: "canonical",
    }),
  );
}

/** Snapshots and spans of time have no single date to move to. */
function canBeTimedBy(measure: SpecMeasure, field: string, catalog: Catalog): boolean {
  const metric = catalog.metrics.get(measure.name);
  if (!metric?.fields.includes(field)) return false;
  const { definition } = metric;
  if (definition.type === "derived") {
    return definition.dependencies.every((name) => canBeTimedBy({ ...measure, name }, field, catalog));
  }
  return catalog.datasources.get(definition.datasource)?.rows === "event";
}
