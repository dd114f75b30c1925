import type { Catalog } from "../catalog/catalog.ts";
import type { Problem } from "../errors.ts";
import { parseChart } from "./chart.ts";
import { parseFilters } from "./filters.ts";
import { parseDimensions, parseMeasures } from "./names.ts";
import { problem, quoted } from "./problems.ts";
import { readShape, type SpecInput } from "./shape.ts";
import { parseSort } from "./sort.ts";
import type { Spec, SpecMeasure } from "./spec.ts";
import { parseTime, parseTimezone } from "./time.ts";

/** What surrounds a spec: whose it is and how large an answer may be. */
export interface SpecContext {
  readonly catalog: Catalog;
  /** Zone used where the spec names none. */
  readonly defaultTimezone: string;
  /** Largest `limit`: 1,000 interactive, 100,000 in a job. */
  readonly maxRows: number;
}

/** Version of the spec language itself, in every answer. */
export const SPEC_VERSION = "1.0.0";
const DEFAULT_LIMIT = 100;

export type Parsed = { readonly spec: Spec } | { readonly problems: readonly Problem[] };

/**
 * Turns unknown JSON into a canonical Spec that this catalog can answer, or into everything that is wrong with it.
 * Never throws for bad input.
 */
export function parseSpec(input: unknown, context: SpecContext): Parsed {
  const { parts, problems } = readShape(input);
  const { catalog } = context;
  const datasource = parseDatasource(parts, catalog, problems);
  const measures = parseMeasures(parts.measures, catalog, problems);
  const dimensions = parseDimensions(parts.dimensions ?? [], measures, catalog, problems);
  const timezone = parseTimezone(parts.timezone ?? context.defaultTimezone, problems);
  const time = parseTime(parts.time, measures, catalog, problems);
  const filters = parseFilters(parts.filters, measures, catalog, problems);
  const limit = parseLimit(parts, context, problems);
  checkColumnNames(measures, dimensions, problems);
  const columns = columnNames({ measures, dimensions, time });
  const sort = parseSort(parts.sort, { measures, columns }, problems);
  const chart = parseChart(parts.chart, columns, problems);
  if (problems.length > 0) return { problems };
  const flags = { totals: parts.totals ?? false, dry_run: parts.dry_run ?? false };
  return { spec: { datasource, measures, dimensions, time, filters, sort, limit, timezone, ...flags, chart } };
}

/** Names of the result's columns, in order. */
export function columnNames({ measures, dimensions, time }: Pick<Spec, "measures" | "dimensions" | "time">): string[] {
  const compared = time !== null && time.compare !== "none";
  return [
    ...(time?.grain ? ["time"] : []),
    ...dimensions,
    ...measures.flatMap(({ as }) => (compared ? [as, `${as}__previous`, `${as}__delta_ratio`] : [as])),
  ];
}

function parseDatasource(parts: SpecInput, catalog: Catalog, problems: Problem[]): string {
  const name = parts.datasource ?? catalog.name;
  if (name !== catalog.name) {
    problems.push(
      problem("BAD_VALUE", {
        path: "datasource",
        message: `there is no datasource ${quoted(name)}`,
        allowed: [catalog.name],
        suggestion: catalog.name,
      }),
    );
  }
  return catalog.name;
}

function parseLimit(parts: SpecInput, { maxRows }: SpecContext, problems: Problem[]): number {
  const limit = parts.limit ?? Math.min(DEFAULT_LIMIT, maxRows);
  if (limit > maxRows) {
    problems.push(problem("LIMIT_EXCEEDED", { path: "limit", message: `limit is at most ${maxRows} here`, suggestion: String(maxRows) }));
  }
  return limit;
}

function checkColumnNames(measures: readonly SpecMeasure[], dimensions: readonly string[], problems: Problem[]): void {
  const taken = new Set(["time", ...dimensions]);
  for (const [index, { as }] of measures.entries()) {
    const names = [as, `${as}__previous`, `${as}__delta_ratio`];
    if (names.some((name) => taken.has(name))) {
      const message = `two columns would be called ${quoted(as)}; give each measure its own "as"`;
      problems.push(problem("BAD_VALUE", { path: `measures[${index}].as`, message, suggestion: `${as}_${index + 1}` }));
    }
    for (const name of names) taken.add(name);
  }
}
