import type { DatasourceDefinition } from "../catalog/definition.ts";
import { must } from "../must.ts";
import { allowedIssues, baseTable, type SourceContext } from "./context.ts";
import { all, empty, ident, join, type Sql, sql, verified } from "./fragment.ts";

/**
 * The rows of a datasource as a subquery with the columns in `needed`, each base table bound to the tenant and the rows to
 * what the principal may see.
 * Joins are to-one and only those that a needed column asks for; computed columns come in a second layer.
 */
export function sourceRows(context: SourceContext, datasource: DatasourceDefinition, needed: ReadonlySet<string>): Sql {
  const columns = withIngredients(context, datasource, needed);
  const plain = [...columns].filter((name) => "from" in must(datasource.columns[name], name));
  const computed = [...columns].filter((name) => "expression" in must(datasource.columns[name], name));
  const narrowed = allowedIssues(context);
  const relations = new Set([...plain.map((name) => relationOf(datasource, name)), ...(narrowed.length > 0 ? ["issue"] : [])]);
  const base = baseTable(context, datasource.table, datasource.table);
  const selected = plain.map((name) => sql`${ident(...sourceOf(datasource, name))} as ${ident(name)}`);
  const rows = sql`select ${join(selected, ", ")} from ${base.table}${joins(context, datasource, relations)} where ${all([base.wall, ...narrowed])}`;
  if (computed.length === 0 && datasource.where === undefined) return rows;
  const extra = computed.map((name) => {
    const column = datasource.columns[name] as { expression: string };
    return sql`, ${verified(column.expression)} as ${ident(name)}`;
  });
  const condition = datasource.where === undefined ? empty : sql` where ${verified(datasource.where)}`;
  return sql`select plain.*${join(extra, "\n")} from (${rows}) as plain${condition}`;
}

/** The needed columns that exist on a row, with the columns that computed ones are made of. */
function withIngredients(context: SourceContext, datasource: DatasourceDefinition, needed: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  const take = (name: string): void => {
    const column = must(datasource.columns[name], `column ${name} of ${datasource.name}`);
    if ("latest" in column) return take(column.latest.on);
    if ("spine" in column) return;
    found.add(name);
    if ("expression" in column) for (const ingredient of context.catalog.columnsOf(column.expression)) take(ingredient);
  };
  for (const name of needed) take(name);
  if (datasource.where !== undefined) for (const name of context.catalog.columnsOf(datasource.where)) take(name);
  return found;
}

function sourceOf(datasource: DatasourceDefinition, name: string): string[] {
  const column = must(datasource.columns[name], name);
  return "from" in column ? column.from.split(".") : [];
}

function relationOf(datasource: DatasourceDefinition, name: string): string {
  return must(sourceOf(datasource, name)[0], `relation of ${name}`);
}

/** The joins that lead to the wanted relations, in the catalog's order. */
function joins(context: SourceContext, datasource: DatasourceDefinition, relations: ReadonlySet<string>): Sql {
  const wanted = new Set(relations);
  for (const step of datasource.joins.toReversed()) if (wanted.has(step.table)) wanted.add(step.to);
  const steps = datasource.joins.filter((step) => wanted.has(step.table));
  const clauses = steps.map((step) => {
    const { table, wall } = baseTable(context, step.table, step.table);
    const equal = step.on.map((column) => sql`${ident(step.table, column)} = ${ident(step.to, column)}`);
    return sql` join ${table} on ${all([wall, ...equal])}`;
  });
  return join(clauses, "\n");
}
