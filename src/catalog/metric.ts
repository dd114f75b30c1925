import type { Foundations } from "./build.ts";
import type { Metric } from "./catalog.ts";
import type { AnswerableDefinition, DatasourceDefinition } from "./definition.ts";
import { verifyExpression } from "./expression.ts";
import type { CatalogProblem } from "./problems.ts";

type Surroundings = Foundations & { readonly metrics: ReadonlyMap<string, Metric> };
type Sourced = Exclude<AnswerableDefinition, { type: "derived" }>;

/** Aggregates that make sense only for some kinds of metric. */
const SPECIAL = { pooled: "ratio", last: "snapshot" } as const;

/** Proves one metric against what it rests on; says what it can be grouped and filtered by. */
export function verifyMetric(
  file: string,
  definition: AnswerableDefinition,
  surroundings: Surroundings,
  problems: CatalogProblem[],
): Pick<Metric, "aggregates" | "dimensions" | "fields"> {
  const report = (message: string): void => void problems.push({ file, message });
  checkAggregates(definition, report);
  if (definition.type === "derived") return verifyDerived(definition, surroundings, report);
  const datasource = surroundings.datasources.get(definition.datasource);
  if (!datasource) {
    report(`datasource: there is no "${definition.datasource}"; there are ${[...surroundings.datasources.keys()].join(", ")}`);
    return { aggregates: [], dimensions: [], fields: [] };
  }
  checkTime(definition, datasource, report);
  verifyExpressions(definition, datasource, surroundings, report);
  if (definition.type === "composite") checkComponents(definition, surroundings, report);
  return fieldsOf(definition, datasource, surroundings);
}

function checkAggregates(definition: AnswerableDefinition, report: (message: string) => void): void {
  if (!definition.aggregates.includes(definition.default_aggregate)) {
    report(`default_aggregate: "${definition.default_aggregate}" is not one of its aggregates`);
  }
  for (const [aggregate, type] of Object.entries(SPECIAL)) {
    if (definition.aggregates.includes(aggregate as "pooled" | "last") && definition.type !== type) {
      report(`aggregates: ${aggregate} is for metrics of type ${type}`);
    }
  }
}

function checkTime(definition: Sourced, datasource: DatasourceDefinition, report: (message: string) => void): void {
  if (datasource.rows !== "event") {
    if (definition.time !== undefined) report(`time: ${datasource.rows} rows have no canonical time of their own`);
  } else if (definition.time === undefined) {
    report("time: a canonical time is needed");
  } else if (datasource.columns[definition.time]?.type !== "timestamp") {
    report(`time: "${definition.time}" is not a timestamp column of ${datasource.name}`);
  }
  for (const column of definition.per ?? []) {
    if (!datasource.columns[column]) report(`per: there is no column "${column}"`);
  }
}

function verifyExpressions(
  definition: Sourced,
  datasource: DatasourceDefinition,
  { columnsOf, metrics }: Surroundings,
  report: (message: string) => void,
): void {
  const columns = new Set(Object.keys(datasource.columns));
  const check = (what: string, text: string | undefined, aggregates: boolean): void => {
    if (text === undefined) return;
    try {
      columnsOf.set(text, verifyExpression(text, { columns, aggregates }).columns);
    } catch (error) {
      report(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const folded = definition.per !== undefined;
  check("where", definition.where, false);
  if (definition.type === "ratio") {
    check("numerator", definition.numerator, folded);
    check("denominator", definition.denominator, folded);
  } else if (definition.type === "composite") {
    check("baseline_where", definition.baseline_where, false);
    for (const component of definition.components) {
      check(`components.${component.name}.numerator`, component.numerator, true);
      check(`components.${component.name}.denominator`, component.denominator, true);
      if (component.metric !== undefined && !metrics.has(component.metric)) report(`components.${component.name}: there is no metric "${component.metric}"`);
    }
  } else {
    check("value", definition.value, folded);
  }
}

function checkComponents(definition: Composite, { metrics }: Surroundings, report: (message: string) => void): void {
  const total = definition.components.reduce((sum, component) => sum + component.weight, 0);
  if (Math.abs(total - 1) > 1e-9) report(`components: the weights add up to ${total}, not 1`);
  for (const component of definition.components) checkComponent(component, definition, metrics, report);
}

type Composite = Extract<Sourced, { type: "composite" }>;

/** A component is a ratio metric over the same rows, or two sums of its own. */
function checkComponent(
  { name, metric: metricName, numerator, denominator }: Composite["components"][number],
  definition: Composite,
  metrics: ReadonlyMap<string, Metric>,
  report: (message: string) => void,
): void {
  if (metricName === undefined) {
    if (numerator === undefined || denominator === undefined) report(`components.${name}: give either a metric or a numerator and a denominator`);
    return;
  }
  if (numerator !== undefined || denominator !== undefined) report(`components.${name}: give either a metric or a numerator and a denominator`);
  if (!definition.dependencies.includes(metricName)) report(`dependencies: "${metricName}" is missing`);
  const metric = metrics.get(metricName)?.definition;
  if (metric && (metric.type !== "ratio" || metric.datasource !== definition.datasource || metric.per === undefined)) {
    report(`components.${name}: "${metricName}" is not a ratio per unit of ${definition.datasource}`);
  }
}

function fieldsOf(definition: Sourced, datasource: DatasourceDefinition, { dimensions }: Surroundings) {
  const has = [...dimensions.values()].filter((dimension) => datasource.columns[dimension.name] !== undefined);
  const restricted = definition.type === "composite" ? new Set(definition.dimensions) : undefined;
  const fields = has.filter((dimension) => !restricted || restricted.has(dimension.name));
  const components = definition.type === "composite" ? definition.components.map((component) => `${component.name}_z`) : [];
  return {
    aggregates: [...definition.aggregates, ...components],
    dimensions: fields.filter((dimension) => !dimension.filter_only).map((dimension) => dimension.name),
    fields: fields.map((dimension) => dimension.name),
  };
}

/** A derived metric has what all it is made of have. Dependencies of dependencies are refused, so no cycle can arise. */
function verifyDerived(
  definition: Extract<AnswerableDefinition, { type: "derived" }>,
  { metrics, columnsOf }: Surroundings,
  report: (message: string) => void,
): Pick<Metric, "aggregates" | "dimensions" | "fields"> {
  const parts: Metric[] = [];
  for (const name of definition.dependencies) {
    const metric = metrics.get(name);
    if (!metric || metric.definition.type === "derived") report(`dependencies: "${name}" is not a metric that can be computed on its own (a cycle?)`);
    else parts.push(metric);
  }
  try {
    const used = verifyExpression(definition.value, { columns: new Set(definition.dependencies), aggregates: false }).columns;
    columnsOf.set(definition.value, used);
    for (const name of definition.dependencies) if (!used.includes(name)) report(`dependencies: "${name}" is not used in value`);
  } catch (error) {
    report(`value: ${error instanceof Error ? error.message : String(error)}`);
  }
  const common = (key: "dimensions" | "fields"): string[] =>
    (parts[0]?.[key] ?? []).filter((name) => parts.every((part) => part[key].includes(name)));
  return { aggregates: definition.aggregates, dimensions: common("dimensions"), fields: common("fields") };
}
