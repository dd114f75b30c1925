import type { Catalog } from "../catalog/catalog.ts";
import type { DatasourceDefinition } from "../catalog/definition.ts";
import { must } from "../must.ts";
import { addGrain } from "./calendar.ts";
import type { Plan, PlanFact, PlanMeasure, PlanOutput, PlanTime } from "./plan.ts";

/** Which number of an answer is opened up: a row by its bucket and groups, or the totals. */
export type DrillPlace =
  | {
      readonly kind: "row";
      /** First day of the row's bucket; null where the plan has no grain. */
      readonly bucket: string | null;
      /** The row's dimension values, in the plan's order. */
      readonly values: readonly (string | null)[];
    }
  | { readonly kind: "totals" };

/** How a row's own contribution is told. */
type Share = "value" | "ratio" | "none";

/** The rows behind one measure of one fact. */
export interface DrillPart {
  /** Metric of a derived output's part; null where the output is the measure itself. */
  readonly name: string | null;
  /** Its fact with this measure alone. */
  readonly fact: PlanFact;
  readonly measure: PlanMeasure;
  readonly share: Share;
  /** Columns shown of a row beside the issue's own. */
  readonly details: readonly string[];
  /** The units that the measure aggregates over, where these are not the rows themselves: columns that make one, and that name it. */
  readonly units: { readonly keys: readonly string[]; readonly labels: readonly string[] } | null;
}

/** What the statement behind a drill-down is written from: plain data, like the plan. */
export interface Drill {
  /** The plan held to the row's bucket, comparing nothing. */
  readonly plan: Plan;
  readonly place: DrillPlace;
  readonly parts: readonly DrillPart[];
}

export type DrillColumnType = "text" | "number" | "timestamp" | "boolean";

/** A column of a drill-down's statement, as compiler and shaper agree on it. */
export interface DrillColumn {
  readonly name: string;
  readonly type: DrillColumnType;
}

/** Names of a drill-down statement's columns beside those of its rows. */
export const DRILL = {
  order: "drill_order",
  total: "drill_total",
  issues: "drill_issues",
  units: "drill_units",
  unitTotal: "drill_unit_total",
  baseUrl: "drill_base_url",
  kind: "drill_kind",
} as const;

/** What is shown of every issue. */
export const ISSUE_COLUMNS = ["issue_key", "summary", "project_key", "status"] as const;

/** Holds a plan to the rows behind one of its outputs. */
export function drillOf(plan: Plan, output: PlanOutput, place: DrillPlace, catalog: Catalog): Drill {
  const parts: readonly [string | null, string][] =
    "measure" in output.source ? [[null, output.source.measure]] : Object.entries(output.source.measures);
  return {
    plan: { ...plan, time: timeOf(plan, place) },
    place,
    parts: parts.map(([name, id]) => partOf(name, id, { plan, metric: name ?? output.metric, catalog })),
  };
}

/** One bucket as a period of its own: the same days, cut by the plan's as the bucket was. */
function timeOf({ time }: Plan, place: DrillPlace): PlanTime {
  const alone: PlanTime = { ...time, compare: "none", shift: null };
  if (place.kind === "totals" || time.grain === null) return alone;
  const bucket = must(place.bucket, "the row's bucket");
  const next = addGrain(time.grain, bucket, 1);
  const from = time.from !== null && time.from > bucket ? time.from : bucket;
  const to = time.to !== null && time.to < next ? time.to : next;
  return { ...alone, grain: null, from, to };
}

function partOf(name: string | null, id: string, { plan, metric, catalog }: { plan: Plan; metric: string; catalog: Catalog }): DrillPart {
  const whole = must(
    plan.facts.find((fact) => fact.measures.some((measure) => measure.id === id)),
    `the fact of ${id}`,
  );
  const measure = must(
    whole.measures.find((one) => one.id === id),
    id,
  );
  const fact: PlanFact = { ...whole, measures: [measure], notes: [] };
  const datasource = must(catalog.datasources.get(fact.datasource), fact.datasource);
  return {
    name,
    fact,
    measure,
    share: "numerator" in measure.value ? "ratio" : "expression" in measure.value ? "value" : "none",
    details: detailsOf(fact, measure, { datasource, catalog }),
    units: unitsOf(fact, { datasource, catalog, metric }),
  };
}

/** What tells the rows apart and what the measure reads of them. */
function detailsOf(
  fact: PlanFact,
  measure: PlanMeasure,
  { datasource, catalog }: { datasource: DatasourceDefinition; catalog: Catalog },
): string[] {
  const texts = fact.score === null ? textsOf(measure) : fact.score.components.flatMap((one) => [one.numerator, one.denominator]);
  const keys = new Set<string>([...fact.per, ...(fact.score?.per ?? []), ...ISSUE_COLUMNS]);
  const names = new Set([
    ...datasource.shown,
    ...Object.values(datasource.span ?? {}),
    ...(fact.time === null ? [] : [fact.time]),
    ...texts.flatMap((text) => catalog.columnsOf(text)),
  ]);
  return [...names].filter((name) => {
    const column = must(datasource.columns[name], name);
    // How long a span overlaps its bucket is the row's value already.
    const isOverlap = "spine" in column && column.spine === "overlap_seconds";
    return !keys.has(name) && !isOverlap && column.type !== "text_list";
  });
}

function textsOf({ value, where }: PlanMeasure): string[] {
  const values = "numerator" in value ? [value.numerator, value.denominator] : "expression" in value ? [value.expression] : [];
  return where === undefined ? values : [...values, where];
}

function unitsOf(
  fact: PlanFact,
  { datasource, catalog, metric }: { datasource: DatasourceDefinition; catalog: Catalog; metric: string },
): DrillPart["units"] {
  const keys = fact.score?.per ?? fact.per;
  if (keys.length === 0) return null;
  const named = [...new Set([...datasource.shown, ...keys])].filter((name) => catalog.dimensions.has(name));
  // A score's rows are its units, so that only what never varies within one can name it.
  const constant = must(catalog.metrics.get(metric), metric).dimensions;
  return { keys, labels: fact.score === null ? named : named.filter((name) => constant.includes(name)) };
}

/** The columns of the rows, in the answer's order: the issue's own, the part, its contribution, what it is made of. */
export function drillColumns({ parts }: Drill, catalog: Catalog): DrillColumn[] {
  const shares = shareColumns(parts);
  const details = new Map<string, DrillColumn>();
  for (const { fact, details: names } of parts) {
    const { columns } = must(catalog.datasources.get(fact.datasource), fact.datasource);
    for (const name of names) details.set(name, { name, type: must(columns[name], name).type as DrillColumnType });
  }
  return [
    ...ISSUE_COLUMNS.map((name): DrillColumn => ({ name, type: "text" })),
    ...(parts.length > 1 ? [PART] : []),
    ...shares,
    ...details.values(),
  ];
}

const PART: DrillColumn = { name: "part", type: "text" };

/** A row's or unit's contribution: `numerator` and `denominator` of a ratio, else `value`. */
export function shareColumns(parts: readonly DrillPart[]): DrillColumn[] {
  const names = [
    ...(parts.some(({ share }) => share === "ratio") ? ["numerator", "denominator"] : []),
    ...(parts.some(({ share }) => share === "value") ? ["value"] : []),
  ];
  return names.map((name): DrillColumn => ({ name, type: "number" }));
}

/** The columns of the units in the answer's order; none where the rows themselves are aggregated. */
export function unitColumns({ parts }: Drill): DrillColumn[] {
  const withUnits = parts.filter(({ units }) => units !== null);
  if (withUnits.length === 0) return [];
  const labels = [...new Set(withUnits.flatMap(({ units }) => units?.labels ?? []))];
  const components = [...new Set(withUnits.flatMap(({ fact }) => fact.score?.components.map(({ name }) => `${name}_z`) ?? []))];
  const shares = withUnits.some(({ share }) => share === "ratio") ? ["numerator", "denominator"] : [];
  return [
    ...labels.map((name): DrillColumn => ({ name, type: "text" })),
    ...(parts.length > 1 ? [PART] : []),
    ...[...shares, "value", ...components].map((name): DrillColumn => ({ name, type: "number" })),
  ];
}
