import type { Catalog, Metric } from "../catalog/catalog.ts";
import type { AnswerableDefinition, DatasourceDefinition } from "../catalog/definition.ts";
import { AppError } from "../errors.ts";
import { must } from "../must.ts";
import type { Spec, SpecFilter, SpecMeasure } from "../spec/spec.ts";
import { bucketCount, dayIn, rangeDays, shiftOf } from "./calendar.ts";
import type { Plan, PlanFact, PlanFilter, PlanMeasure, PlanOutput, PlanScore, PlanTime } from "./plan.ts";

/** More buckets than anybody reads; a finer grain over a longer time is refused rather than computed. */
export const MAX_BUCKETS = 5000;

export interface PlanContext {
  readonly catalog: Catalog;
  readonly now: Date;
  /** ISO day the tenant's weeks start on. */
  readonly weekStart: number;
}

type Sourced = Exclude<AnswerableDefinition, { type: "derived" }>;

/** Decides what is computed over which rows and how it is put together. Throws AppError SPEC_INVALID for too many buckets. */
export function buildPlan(spec: Spec, context: PlanContext): Plan {
  const { catalog } = context;
  const isOutput = (filter: SpecFilter): boolean => spec.measures.some((measure) => measure.as === filter.field);
  const rowFilters = spec.filters.filter((filter) => !isOutput(filter));
  const facts = new FactsBuilder(catalog, spec, rowFilters);
  const outputs = spec.measures.map((measure) => facts.output(measure));
  return {
    catalogHash: catalog.hash,
    timezone: spec.timezone,
    weekStart: context.weekStart,
    time: planTime(spec, context),
    dimensions: spec.dimensions.map((name) => ({ name, multiValued: must(catalog.dimensions.get(name), name).multi_valued })),
    facts: facts.all(),
    outputs,
    having: spec.filters.filter(isOutput),
    sort: spec.sort,
    limit: spec.limit,
    totals: spec.totals,
    valueChecks: valueChecks(rowFilters, catalog, facts.all()),
  };
}

function planTime(spec: Spec, { now, weekStart }: PlanContext): PlanTime {
  const { time } = spec;
  if (!time) return { grain: null, from: null, to: null, compare: "none", shift: null };
  const named = time.range === null ? { from: time.from, to: time.to } : rangeDays(time.range, dayIn(spec.timezone, now), weekStart);
  if (time.grain) {
    // An open end is that of the data: its newest is about now, and of how far it goes back only the data knows.
    const today = dayIn(spec.timezone, now);
    const count = bucketCount(time.grain, named.from ?? today, named.to ?? today, weekStart);
    if (count > MAX_BUCKETS) throw tooManyBuckets(count, time.grain);
  }
  return { grain: time.grain, ...named, compare: time.compare, shift: shiftOf(time, named.from, named.to) };
}

function tooManyBuckets(count: number, grain: string): AppError {
  const message = `about ${count} ${grain} buckets are more than the ${MAX_BUCKETS} allowed; use a coarser grain or a shorter time`;
  return new AppError("SPEC_INVALID", message, { problems: [{ code: "LIMIT_EXCEEDED", path: "time.grain", message }] });
}

function valueChecks(filters: readonly SpecFilter[], catalog: Catalog, facts: readonly PlanFact[]): Plan["valueChecks"] {
  const own = must(catalog.datasources.get(facts[0]?.datasource ?? ""), "a fact's datasource");
  return filters
    .filter(({ field, op }) => (op === "=" || op === "in") && isListed(field, catalog))
    .map(({ field, values }) => ({ field, datasource: homeOf(field, own, catalog), values: values.map(String) }));
}

/** Text that list_values can name. */
function isListed(field: string, catalog: Catalog): boolean {
  const dimension = catalog.dimensions.get(field);
  return dimension?.type === "text" && !dimension.filter_only;
}

/** Where a field comes from: a project without sprints is no typo, so a column taken over is looked up where it was taken from. */
function homeOf(field: string, own: DatasourceDefinition, catalog: Catalog): string {
  const base = catalog.datasources.get(own.columns_of ?? "");
  return base?.columns[field] !== undefined && base.columns[field] === own.columns[field] ? base.name : own.name;
}

/** Groups measures into facts: same datasource, time and unit share one pass over the rows. */
class FactsBuilder {
  readonly #facts = new Map<string, { fact: Omit<PlanFact, "measures">; measures: PlanMeasure[] }>();
  readonly #catalog: Catalog;
  readonly #spec: Spec;
  readonly #filters: readonly SpecFilter[];
  #measureCount = 0;

  constructor(catalog: Catalog, spec: Spec, filters: readonly SpecFilter[]) {
    this.#catalog = catalog;
    this.#spec = spec;
    this.#filters = filters;
  }

  all(): PlanFact[] {
    return [...this.#facts.values()].map(({ fact, measures }) => ({ ...fact, measures }));
  }

  output(measure: SpecMeasure): PlanOutput {
    const metric = must(this.#catalog.metrics.get(measure.name), measure.name);
    const { definition } = metric;
    const common = { as: measure.as, metric: metric.name, agg: measure.agg, gap: definition.gap };
    if (definition.type !== "derived") return { ...common, source: { measure: this.#add(definition, measure.agg) } };
    const measures = Object.fromEntries(
      definition.dependencies.map((name) => {
        const part = must(this.#catalog.metrics.get(name), name).definition as Sourced;
        return [name, this.#add(part, part.default_aggregate)];
      }),
    );
    return { ...common, source: { expression: definition.value, measures } };
  }

  #add(definition: Sourced, agg: string): string {
    const datasource = must(this.#catalog.datasources.get(definition.datasource), definition.datasource);
    const time = this.#timeOf(definition);
    const score = definition.type === "composite" ? planScore(definition, this.#catalog) : null;
    const per = score ? [] : (definition.per ?? []);
    const where = per.length > 0 || looksUpLatest(definition, datasource, this.#catalog) ? (definition.where ?? null) : null;
    const key = JSON.stringify([definition.datasource, time, per, where, score]);
    const entry = this.#facts.get(key) ?? this.#start({ datasource, time, per, score, key });
    const id = `m${++this.#measureCount}`;
    entry.measures.push(planMeasure(id, definition, agg));
    return id;
  }

  /** The column that places a measure's rows: its own, or the date field that the spec names instead. */
  #timeOf({ time }: Sourced): string | null {
    const field = this.#spec.time?.field ?? "canonical";
    if (time === undefined) return null;
    return field === "canonical" ? time : field;
  }

  #start({
    datasource,
    time,
    per,
    score,
    key,
  }: {
    datasource: DatasourceDefinition;
    time: string | null;
    per: readonly string[];
    score: PlanScore | null;
    key: string;
  }) {
    const number = this.#facts.size + 1;
    const asked = new Set(this.#filters.map((filter) => filter.field));
    const defaults = datasource.default_filters
      .filter(({ field }) => !asked.has(field))
      .map(({ field, values }): SpecFilter => ({ field, op: "in", values }));
    // Units of a score are folded before anything is counted, so rows cannot be told apart any more.
    const notes = (score ? [] : datasource.notes).map(({ where, message }, index) => ({ id: `n${number}_${index + 1}`, where, message }));
    const filters = [...this.#filters, ...defaults].map((filter) => this.#planFilter(filter, datasource));
    const fact = { datasource: datasource.name, time, per, score, filters, notes, rowsId: `rows${number}` };
    const entry = { fact, measures: [] as PlanMeasure[] };
    this.#facts.set(key, entry);
    return entry;
  }

  #planFilter(filter: SpecFilter, datasource: DatasourceDefinition): PlanFilter {
    const kind = must(datasource.columns[filter.field], `column ${filter.field}`).type;
    if (kind === "boolean") throw new Error(`${filter.field} is not a field`);
    return { ...filter, kind };
  }
}

/**
 * Whether a measure reads the newest value of another table. Such a look-up runs once per row, so it shares no pass with measures
 * over other rows: with the open backlog beside it, the stuck issues took 15 s where they take 0.5 s alone.
 */
function looksUpLatest(definition: Sourced, { columns }: DatasourceDefinition, catalog: Catalog): boolean {
  const texts = [definition.where, "value" in definition ? definition.value : undefined].filter((text) => text !== undefined);
  return texts.some((text) =>
    catalog.columnsOf(text).some((name) => {
      const column = columns[name];
      return column !== undefined && "latest" in column;
    }),
  );
}

function planMeasure(id: string, definition: Sourced, agg: string): PlanMeasure {
  const where = definition.where === undefined ? {} : { where: definition.where };
  if (definition.type === "composite") {
    const score = agg.endsWith("_z") ? agg : "score";
    return { id, ...aggregation(agg.endsWith("_z") ? "avg" : agg), ...where, value: { score } };
  }
  if (definition.type === "ratio") {
    return { id, ...aggregation(agg), ...where, value: { numerator: definition.numerator, denominator: definition.denominator } };
  }
  return { id, ...aggregation(agg), ...where, value: { expression: definition.value } };
}

function aggregation(agg: string): Pick<PlanMeasure, "aggregate" | "fraction"> {
  const percentile = /^p(\d+)$/.exec(agg);
  if (percentile) return { aggregate: "quantile", fraction: Number(percentile[1]) / 100 };
  if (agg === "last") return { aggregate: "sum" };
  return { aggregate: agg as "sum" | "avg" | "min" | "max" | "pooled" };
}

function planScore(definition: Extract<Sourced, { type: "composite" }>, catalog: Catalog): PlanScore {
  const components = definition.components.map(({ name, weight, metric, numerator, denominator }) => {
    const ratio =
      metric === undefined
        ? undefined
        : (must<Metric>(catalog.metrics.get(metric), metric).definition as { numerator: string; denominator: string });
    return {
      name,
      weight,
      numerator: must(ratio?.numerator ?? numerator, `numerator of ${name}`),
      denominator: must(ratio?.denominator ?? denominator, `denominator of ${name}`),
    };
  });
  return {
    per: definition.per,
    components,
    baseline: definition.baseline,
    baselineWhere: definition.baseline_where,
    clip: definition.clip,
  };
}
