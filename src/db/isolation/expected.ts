/*
 * What the migrations and bootstrap.sql make, said once more for the rules to compare with: a new table, role, function
 * or grant that is not named here is a finding until it is.
 */

/** A tenant's own rows, as PostgreSQL prints the wall's expression back. */
export const TENANT_EXPRESSION = "(tenant_id = ( SELECT ctx.tenant_id() AS tenant_id))";

/** The body of ctx.tenant_id(), which all walls stand on. */
export const TENANT_FUNCTION = " select nullif(current_setting('app.tenant_id', true), '')::int ";

/** The tables of the queue: ids, and whose turn it is. */
const QUEUE_TABLES = [
  "migration",
  "meta",
  "job",
  "job_log",
  "job_dependency",
  "event",
  "metrics",
  "rate_limit",
  "dedup",
  "scheduler",
  "dedup_next",
  "relay_node",
  "relay_subscription",
  "relay_inbox",
  "relay_retained",
];

/** Tables without a tenant wall, each with who may see it and why. */
export const WITHOUT_WALL: readonly { readonly table: string; readonly roles: readonly string[]; readonly why: string }[] = [
  { table: "directory.tenant", roles: ["metricgate_directory"], why: "is read before a tenant is known" },
  {
    table: "directory.api_key",
    roles: ["metricgate_directory"],
    why: "says which tenant a key belongs to, so is read before one is known",
  },
  {
    table: "limits.call_count",
    roles: ["metricgate_directory"],
    why: "counts calls by tenant number and hashed caller; no tenant's data",
  },
  { table: "ops.migration", roles: ["metricgate_owner", "metricgate_directory"], why: "says which migrations ran; no tenant's data" },
  ...QUEUE_TABLES.map((name) => ({
    table: `bullmq.${name}`,
    roles: ["metricgate_queue"],
    why: "belongs to the queue, which carries ids of tenants and jobs and nothing else",
  })),
];

/** Roles that serve callers or write for them: they own nothing and become nobody else. */
export const SERVING_ROLES = [
  "metricgate_api",
  "metricgate_reader",
  "metricgate_ingest",
  "metricgate_directory",
  "metricgate_auditor",
  "metricgate_audit_reader",
  "metricgate_jobs",
  "metricgate_queue",
] as const;

/** Of our roles, those that may log in. */
export const LOGIN_ROLES = [
  "metricgate_migrator",
  "metricgate_api",
  "metricgate_ingest",
  "metricgate_directory",
  "metricgate_auditor",
  "metricgate_jobs",
  "metricgate_queue",
] as const;

/** Who may become whom; anything else among our roles is a finding. */
export const MEMBERSHIPS: readonly (readonly [member: string, role: string])[] = [
  ["metricgate_migrator", "metricgate_owner"],
  ["metricgate_api", "metricgate_reader"],
  ["metricgate_migrator", "metricgate_audit_reader"],
];

/** Rights on tables, by pattern of `schema.table` (`like`). What is not here is granted to nobody. */
export const TABLE_GRANTS: readonly (readonly [tables: string, role: string, privileges: readonly string[]])[] = [
  ["warehouse.%", "metricgate_reader", ["SELECT"]],
  ["warehouse.%", "metricgate_ingest", ["SELECT", "INSERT", "UPDATE", "DELETE"]],
  ["directory.tenant", "metricgate_directory", ["SELECT", "INSERT", "UPDATE"]],
  ["directory.api_key", "metricgate_directory", ["SELECT", "INSERT"]],
  ["limits.call_count", "metricgate_directory", ["SELECT", "INSERT", "UPDATE", "DELETE"]],
  ["ops.migration", "metricgate_directory", ["SELECT"]],
  ["audit.%", "metricgate_audit_reader", ["SELECT"]],
  ["jobs.%", "metricgate_jobs", ["SELECT", "INSERT", "UPDATE", "DELETE"]],
  ["bullmq.%", "metricgate_queue", ["SELECT", "INSERT", "UPDATE", "DELETE"]],
];

/** Rights on sequences, by pattern of `schema.sequence`. */
export const SEQUENCE_GRANTS: readonly (readonly [sequences: string, role: string, privilege: string])[] = [
  ["bullmq.%", "metricgate_queue", "USAGE"],
];

/** Tables of the warehouse that no question needs: the reader has neither policy nor right on them. */
export const CLOSED_TO_READER = ["warehouse.instance_credential"] as const;

/** Rights on single columns; anywhere else they are a finding. */
export const COLUMN_GRANTS: readonly (readonly [column: string, role: string, privilege: string])[] = [
  ["directory.api_key.last_used_at", "metricgate_directory", "UPDATE"],
  ["directory.api_key.revoked_at", "metricgate_directory", "UPDATE"],
];

/** Permissive policies of walled tables, by pattern of `schema.table`: r select, a insert, * all. */
export const TENANT_POLICIES: readonly (readonly [tables: string, role: string, command: "r" | "a" | "*"])[] = [
  ["warehouse.%", "metricgate_reader", "r"],
  ["warehouse.%", "metricgate_ingest", "*"],
  ["audit.%", "metricgate_audit_reader", "r"],
  ["audit.entry", "metricgate_owner", "a"],
  ["audit.anchor", "metricgate_owner", "a"],
  ["audit.head", "metricgate_owner", "*"],
  ["jobs.%", "metricgate_jobs", "*"],
];

export const SCHEMA_USAGE: readonly (readonly [schema: string, role: string])[] = [
  ["ctx", "metricgate_reader"],
  ["ctx", "metricgate_ingest"],
  ["ctx", "metricgate_audit_reader"],
  ["warehouse", "metricgate_reader"],
  ["warehouse", "metricgate_ingest"],
  ["vectors", "metricgate_reader"],
  ["vectors", "metricgate_ingest"],
  ["directory", "metricgate_directory"],
  ["limits", "metricgate_directory"],
  ["ops", "metricgate_directory"],
  ["audit", "metricgate_auditor"],
  ["audit", "metricgate_audit_reader"],
  ["ctx", "metricgate_jobs"],
  ["jobs", "metricgate_jobs"],
  ["bullmq", "metricgate_queue"],
];

/** Functions of ours that somebody besides the owner may execute; `schema.%` is all of a schema. */
export const FUNCTION_GRANTS: readonly (readonly [signature: string, role: string])[] = [
  ["ctx.tenant_id()", "metricgate_reader"],
  ["ctx.tenant_id()", "metricgate_ingest"],
  ["ctx.tenant_id()", "metricgate_audit_reader"],
  ["warehouse.ensure_event_partitions(timestamp with time zone,timestamp with time zone)", "metricgate_ingest"],
  ["warehouse.refresh_statistics()", "metricgate_ingest"],
  ["warehouse.search_lexeme(text,text)", "metricgate_reader"],
  ["warehouse.search_lexeme(text,text)", "metricgate_ingest"],
  ["warehouse.ensure_embedding_index(text,integer)", "metricgate_ingest"],
  ["audit.append(jsonb)", "metricgate_auditor"],
  ["ctx.tenant_id()", "metricgate_jobs"],
  ["bullmq.%", "metricgate_queue"],
];

/** Functions that run with their owner's rights. */
export const DEFINER_FUNCTIONS = [
  "warehouse.ensure_event_partitions(timestamp with time zone,timestamp with time zone)",
  "warehouse.refresh_statistics()",
  "warehouse.ensure_embedding_index(text,integer)",
  "audit.append(jsonb)",
] as const;

export const EXTENSIONS = ["plpgsql", "vector"] as const;

/**
 * Built-ins that change the context, write in a read-only transaction, run SQL text or reach other sessions; as patterns
 * of their name (`like`). bootstrap.sql revokes the same.
 */
export const DANGEROUS_BUILT_INS = [
  "set\\_config",
  "lo\\_%",
  "loread",
  "lowrite",
  "pg\\_terminate\\_backend",
  "pg\\_cancel\\_backend",
  "pg\\_notify",
  "pg\\_sleep%",
  "pg\\_logical\\_emit\\_message",
  "pg\\_export\\_snapshot",
  "query\\_to\\_xml%",
  "cursor\\_to\\_xml%",
  "table\\_to\\_xml%",
  "schema\\_to\\_xml%",
  "database\\_to\\_xml%",
  "ts\\_stat",
  "ts\\_rewrite",
  "nextval",
  "setval",
  "pg\\_%advisory\\_%",
  "pg\\_read\\_%file%",
  "pg\\_ls\\_%",
  "pg\\_stat\\_file",
] as const;

/** The exceptions, by pattern: transaction-scoped locks, by which writers take turns; the queue also numbers and wakes. */
export const NEEDED_BUILT_INS: readonly (readonly [role: string, functions: string])[] = [
  ["metricgate_ingest", "pg\\_%advisory\\_xact\\_lock"],
  ["metricgate_jobs", "pg\\_%advisory\\_xact\\_lock"],
  ["metricgate_queue", "pg\\_%advisory\\_xact\\_lock"],
  ["metricgate_queue", "pg\\_advisory\\_xact\\_lock\\_shared"],
  ["metricgate_queue", "pg\\_notify"],
  ["metricgate_queue", "nextval"],
];
