import type { Catalog } from "../catalog/catalog.ts";
import type { DatasourceDefinition } from "../catalog/definition.ts";
import { must } from "../must.ts";
import type { Plan } from "../plan/plan.ts";
import type { AllowList, Principal } from "../tenant.ts";
import { ident, type Sql, sql, value } from "./fragment.ts";

/** What reading rows takes: whose, which of them, and by which definitions. */
export interface SourceContext {
  readonly catalog: Catalog;
  readonly tenantId: Sql;
  readonly allowed: AllowList;
}

/** What every clause of one statement shares. */
export interface Context extends SourceContext {
  readonly plan: Plan;
  readonly timezone: Sql;
}

/** Whose rows and by which definitions, for a statement that needs no plan. */
export function sourceContext({ tenant, allowed }: Principal, catalog: Catalog): SourceContext {
  return { catalog, tenantId: value(tenant.id, "int"), allowed };
}

export function makeContext(plan: Plan, principal: Principal, catalog: Catalog): Context {
  return { ...sourceContext(principal, catalog), plan, timezone: value(plan.timezone, "text") };
}

/** A base table and the condition that keeps it to the tenant: the only place where a table of the warehouse is named (law 1c). */
export function baseTable(context: SourceContext, table: string, alias: string): { readonly table: Sql; readonly wall: Sql } {
  return { table: sql`"warehouse".${ident(table)} as ${ident(alias)}`, wall: sql`${ident(alias, "tenant_id")} = ${context.tenantId}` };
}

/** The conditions that keep rows to a principal's projects and instances, on the issue that every row belongs to; none where nothing is narrowed. */
export function allowedIssues({ allowed: { projects, instances } }: SourceContext): readonly Sql[] {
  return [
    ...(projects === undefined ? [] : [sql`${ident("issue", "project_key")} = any(${value(projects, "text[]")})`]),
    ...(instances === undefined ? [] : [sql`${ident("issue", "instance_id")} = any(${value(instances, "text[]")})`]),
  ];
}

export function datasourceOf(context: SourceContext, name: string): DatasourceDefinition {
  return must(context.catalog.datasources.get(name), `datasource ${name}`);
}

/**
 * The instant at which the clocks of the plan's zone first show a local time. Where they are set back over midnight it
 * comes twice, and AT TIME ZONE alone takes the later, which would count the day's first hour to the day before.
 */
export function firstInstantOf({ timezone }: Pick<Context, "timezone">, local: Sql): Sql {
  return sql`least(${local} at time zone ${timezone}, (${local} - interval '1 hour') at time zone ${timezone} + interval '1 hour')`;
}
