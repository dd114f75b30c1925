import type { ColumnDefinition, DatasourceDefinition } from "./definition.ts";
import { verifyExpression } from "./expression.ts";
import type { Defined } from "./load.ts";
import type { CatalogProblem } from "./problems.ts";

/** Names the compiler uses beside a datasource's columns; a column of such a name would be ambiguous. */
const RESERVED = /^(spine_|mv\d|d\d|m\d)/;

/** Brings in the columns that a datasource takes over, so that later code sees one flat list. */
export function resolveColumns(
  datasources: readonly Defined<DatasourceDefinition>[],
  problems: CatalogProblem[],
): Map<string, DatasourceDefinition> {
  const byName = new Map(datasources.map(({ value }) => [value.name, value]));
  const resolved = new Map<string, DatasourceDefinition>();
  for (const { file, value } of datasources) {
    const base = value.columns_of === undefined ? undefined : byName.get(value.columns_of);
    if (value.columns_of !== undefined && !base) {
      problems.push({ file, message: `columns_of: there is no datasource "${value.columns_of}"` });
    }
    if (base?.columns_of !== undefined) problems.push({ file, message: "columns_of: only one level is allowed" });
    const columns = { ...base?.columns, ...value.columns };
    const datasource = { ...value, columns };
    checkRelations(file, datasource, problems);
    checkSpan(file, datasource, problems);
    for (const name of value.shown) {
      if (columns[name]?.type !== "text") problems.push({ file, message: `shown: "${name}" is not a text column` });
    }
    resolved.set(value.name, datasource);
  }
  return resolved;
}

function checkRelations(file: string, datasource: DatasourceDefinition, problems: CatalogProblem[]): void {
  const relations = new Set([datasource.table, ...datasource.joins.map((join) => join.table)]);
  if (!relations.has("issue")) {
    problems.push({ file, message: 'table: every datasource is or joins "issue", since callers can be narrowed to projects and instances' });
  }
  const seen = new Set([datasource.table]);
  for (const join of datasource.joins) {
    if (!seen.has(join.to)) problems.push({ file, message: `joins.${join.table}: joins to "${join.to}", which is not joined before it` });
    seen.add(join.table);
  }
  for (const [name, column] of Object.entries(datasource.columns)) {
    if (RESERVED.test(name)) problems.push({ file, message: `columns.${name}: this name is reserved` });
    const relation = "from" in column ? column.from.split(".")[0] : undefined;
    if (relation !== undefined && !relations.has(relation)) {
      problems.push({ file, message: `columns.${name}: relation "${relation}" is not part of this datasource; there are ${[...relations].join(", ")}` });
    }
  }
}

function checkSpan(file: string, datasource: DatasourceDefinition, problems: CatalogProblem[]): void {
  const needsSpan = datasource.rows !== "event";
  if (needsSpan !== (datasource.span !== undefined)) {
    problems.push({ file, message: needsSpan ? `rows: ${datasource.rows} needs a span` : "rows: event takes no span" });
  }
  for (const edge of Object.values(datasource.span ?? {})) {
    if (datasource.columns[edge]?.type !== "timestamp") problems.push({ file, message: `span: "${edge}" is not a timestamp column` });
  }
  for (const [name, column] of Object.entries(datasource.columns)) {
    const wanted = neededRows(column);
    if (wanted && wanted !== datasource.rows) problems.push({ file, message: `columns.${name}: only ${wanted} rows have it` });
  }
}

function neededRows(column: ColumnDefinition): DatasourceDefinition["rows"] | undefined {
  if ("latest" in column) return "snapshot";
  if ("spine" in column) return column.spine === "instant" ? "snapshot" : "interval";
  return undefined;
}

/** Which columns exist on a plain row, before it meets the time spine or other computed columns. */
function plainColumns(datasource: DatasourceDefinition): Set<string> {
  const names = Object.entries(datasource.columns).filter(([, column]) => "from" in column);
  return new Set(names.map(([name]) => name));
}

/** Verifies the expressions of a datasource itself; records the columns each reads. */
export function verifyDatasource(
  file: string,
  datasource: DatasourceDefinition,
  columnsOf: Map<string, readonly string[]>,
  problems: CatalogProblem[],
): void {
  const check = (what: string, expression: string, columns: ReadonlySet<string>): void => {
    try {
      columnsOf.set(expression, verifyExpression(expression, { columns, aggregates: false }).columns);
    } catch (error) {
      problems.push({ file, message: `${what}: ${error instanceof Error ? error.message : String(error)}` });
    }
  };
  const plain = plainColumns(datasource);
  for (const [name, column] of Object.entries(datasource.columns)) {
    if ("expression" in column) check(`columns.${name}`, column.expression, plain);
  }
  if (datasource.where !== undefined) check("where", datasource.where, plain);
  const all = new Set(Object.keys(datasource.columns));
  for (const note of datasource.notes) check(`notes.${note.name}`, note.where, all);
}
