import type { Catalog, Metric, UnavailableMetric } from "./catalog.ts";
import { resolveColumns, verifyDatasource } from "./columns.ts";
import type { AnswerableDefinition, DatasourceDefinition, DimensionDefinition } from "./definition.ts";
import type { CatalogFiles, Defined } from "./load.ts";
import { verifyMetric } from "./metric.ts";
import { CatalogInvalid, type CatalogProblem } from "./problems.ts";
import { canonicalJson, definitionHash, sha256, versionProblem } from "./versions.ts";

/** Fits the definitions together into a frozen Catalog, or throws CatalogInvalid with every finding. */
export function buildCatalog(files: CatalogFiles): Catalog {
  const problems: CatalogProblem[] = [];
  checkUnique(files, problems);
  const columnsOf = new Map<string, readonly string[]>();
  const datasources = resolveColumns(files.datasources, problems);
  for (const { file, value } of files.datasources) {
    const datasource = datasources.get(value.name);
    if (datasource) verifyDatasource(file, datasource, columnsOf, problems);
  }
  const dimensions = new Map(files.dimensions.map(({ value }) => [value.name, value]));
  checkDimensions(files.dimensions, datasources, problems);
  const { metrics, aliases, unavailable } = buildMetrics(files, { datasources, dimensions, columnsOf }, problems);
  if (problems.length > 0) throw new CatalogInvalid(problems);
  const hash = sha256(canonicalJson([files.catalog, [...datasources.values()], files.dimensions, [...metrics.values()]]));
  return Object.freeze({
    ...files.catalog,
    hash,
    metrics,
    aliases,
    unavailable,
    dimensions,
    datasources,
    columnsOf: (expression: string) => columnsOf.get(expression) ?? [],
    changelog: files.changelog,
  });
}

/** What the definitions of metrics rest on. */
export interface Foundations {
  readonly datasources: ReadonlyMap<string, DatasourceDefinition>;
  readonly dimensions: ReadonlyMap<string, DimensionDefinition>;
  readonly columnsOf: Map<string, readonly string[]>;
}

function buildMetrics(files: CatalogFiles, foundations: Foundations, problems: CatalogProblem[]) {
  const metrics = new Map<string, Metric>();
  const aliases = new Map<string, string>();
  const unavailable = new Map<string, UnavailableMetric>();
  const newest = newestMajors(files);
  const answerable: Defined<AnswerableDefinition>[] = [];
  for (const { file, value } of files.metrics) {
    const problem = versionProblem(value, files.recorded);
    if (problem !== undefined) problems.push({ file, message: problem });
    if (value.type === "unavailable") unavailable.set(value.name, value);
    else answerable.push({ file, value });
  }
  // Derived and composite metrics look at their dependencies, so those come first.
  const ordered = answerable.toSorted((a, b) => Number("dependencies" in a.value) - Number("dependencies" in b.value));
  for (const { file, value } of ordered) {
    const name = callableName(file, value, newest, problems);
    const fields = verifyMetric(file, value, { ...foundations, metrics }, problems);
    metrics.set(name, Object.freeze({ name, definition: value, hash: definitionHash(value), ...fields }));
    if (name === value.name) for (const alias of value.aliases) aliases.set(alias, name);
  }
  checkReplacements(answerable, metrics, problems);
  return { metrics, aliases, unavailable };
}

/** The newest major version goes by its plain name, the one before by `name@major`; older ones have to go. */
function callableName(file: string, { name, version }: AnswerableDefinition, newest: ReadonlyMap<string, number>, problems: CatalogProblem[]): string {
  const major = majorOf(version);
  const latest = newest.get(name) ?? major;
  if (major < latest - 1) problems.push({ file, message: `major version ${major} is more than one behind ${latest}; remove it` });
  return major === latest ? name : `${name}@${major}`;
}

function checkReplacements(definitions: readonly Defined<AnswerableDefinition>[], metrics: ReadonlyMap<string, Metric>, problems: CatalogProblem[]): void {
  for (const { file, value } of definitions) {
    const replacement = value.deprecation?.replaced_by;
    if (replacement && !metrics.has(replacement)) problems.push({ file, message: `deprecation.replaced_by: there is no metric "${replacement}"` });
  }
}

function majorOf(version: string): number {
  return Number(version.split(".")[0]);
}

function newestMajors(files: CatalogFiles): Map<string, number> {
  const newest = new Map<string, number>();
  for (const { value } of files.metrics) {
    newest.set(value.name, Math.max(majorOf(value.version), newest.get(value.name) ?? 0));
  }
  return newest;
}

function checkUnique(files: CatalogFiles, problems: CatalogProblem[]): void {
  const seen = new Map<string, string>();
  const claim = (key: string, file: string): void => {
    const other = seen.get(key);
    if (other !== undefined) problems.push({ file, message: `${key} is already defined in ${other}` });
    seen.set(key, file);
  };
  for (const { file, value } of files.datasources) claim(`datasource ${value.name}`, file);
  for (const { file, value } of files.dimensions) claim(`dimension ${value.name}`, file);
  for (const { file, value } of files.metrics) {
    claim(`metric ${value.name} major version ${majorOf(value.version)}`, file);
  }
  checkAliases(files, problems);
}

/** An alias leads to one metric whatever its version, and a metric's own name would hide it. */
function checkAliases(files: CatalogFiles, problems: CatalogProblem[]): void {
  const owners = new Map(files.metrics.map(({ value }) => [value.name, value.name]));
  for (const { file, value } of files.metrics) {
    for (const alias of value.aliases) {
      const owner = owners.get(alias) ?? value.name;
      if (owner !== value.name || alias === value.name) problems.push({ file, message: `aliases: "${alias}" already stands for metric ${owner}` });
      owners.set(alias, value.name);
    }
  }
}

function checkDimensions(
  dimensions: readonly Defined<DimensionDefinition>[],
  datasources: ReadonlyMap<string, DatasourceDefinition>,
  problems: CatalogProblem[],
): void {
  for (const { file, value } of dimensions) {
    const columns = [...datasources.values()].map((datasource) => datasource.columns[value.name]).filter((column) => column !== undefined);
    if (columns.length === 0) problems.push({ file, message: "no datasource has a column of this name" });
    const wanted = value.multi_valued ? "text_list" : value.type;
    for (const column of columns) {
      if (column.type !== wanted) problems.push({ file, message: `is ${wanted}, but a datasource's column of this name is ${column.type}` });
    }
  }
}
