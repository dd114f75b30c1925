import type { Tenant } from "../../tenant.ts";
import type { BoundStatement, Database } from "../database.ts";
import { databaseError, sqlStateOf } from "../failures.ts";
import { tenantContext } from "../tenant-context.ts";
import type { Finding, Outcome } from "./rule.ts";

/** How the product reads, so that what is proven is what serves. */
export interface Reading {
  readonly database: Database;
  /** The literals that open a reading transaction of a tenant. */
  readonly prologue: (tenant: Tenant) => string;
  /** Whom to look as; two at least, to show a wall between them. */
  readonly tenants: readonly Tenant[];
}

const TIMEOUT_MS = 30_000;
const READER = "SET LOCAL ROLE metricgate_reader";
const DENIED = "42501";
const FEW = "there are fewer than two tenants, so no wall between two can be shown; make a second one (`metricgate tenant create`)";
const ALL_EMPTY = "no tenant has a row, so nothing that is seen or hidden can be shown; import first";

/** Tables that the reader selects from, with tenants' rows. */
const READABLE = `
  select format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and has_table_privilege('metricgate_reader', c.oid, 'select')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by 1`;

/** One thing to see for oneself on the live database. */
interface Trial {
  readonly id: string;
  readonly means: string;
  readonly fix: string;
  /** Needs two tenants. */
  readonly betweenTenants: boolean;
  readonly run: (table: string, reading: Reading) => Promise<readonly Finding[]>;
}

const FIX = "Mend what the catalogue's rules find; if they find nothing, stop serving and report it.";

const TRIALS: readonly Trial[] = [
  {
    id: "sees-nothing-without-context",
    means: "Without a tenant, and with an empty one, the reader sees no row.",
    fix: FIX,
    betweenTenants: false,
    run: async (table, reading) => {
      const findings: Finding[] = [];
      for (const context of ["", "; SET LOCAL app.tenant_id = ''"]) {
        const count = await countOf(reading, `BEGIN READ ONLY; ${READER}${context}`, { text: `select count(*) from ${table}`, values: [] });
        if (count !== 0) findings.push({ object: table, detail: `${count} rows without a tenant` });
      }
      return findings;
    },
  },
  {
    id: "sees-own-rows-only",
    means: "With a tenant's context the reader sees that tenant's rows, all of them and no other.",
    fix: FIX,
    betweenTenants: false,
    run: async (table, reading) => perTenant(reading, (tenant) => ownRowsOnly(table, tenant, reading)),
  },
  {
    id: "context-against-predicate",
    means: "A context and a bound tenant_id that disagree give nothing.",
    fix: FIX,
    betweenTenants: true,
    run: async (table, reading) =>
      perPair(reading, async (tenant, other) => {
        const count = await countOf(reading, reading.prologue(tenant), {
          text: `select count(*) from ${table} where tenant_id = $1`,
          values: [other.id],
        });
        return count === 0 ? [] : [{ object: table, detail: `tenant ${tenant.id} counts ${count} rows of tenant ${other.id}` }];
      }),
  },
  {
    id: "context-cannot-be-switched",
    means: "A set_config smuggled into a statement is refused, or still sees its own tenant only.",
    fix: "Run `metricgate migrate` once as a superuser, so that set_config is revoked; where the server does not allow it, only the bound tenant_id stands against an injection.",
    betweenTenants: true,
    run: async (table, reading) =>
      perPair(reading, async (tenant, other) => {
        const switched = `select count(*) filter (where t.tenant_id <> ${tenant.id}) from (select set_config('app.tenant_id', '${other.id}', true)) s, ${table} t`;
        const count = await countOf(reading, reading.prologue(tenant), { text: switched, values: [] }).catch(onlyDenied);
        return count === 0 ? [] : [{ object: table, detail: `tenant ${tenant.id} switches to tenant ${other.id} and sees ${count} rows` }];
      }),
  },
  {
    id: "writes-refused",
    means: "The reader cannot insert, update or delete, in a transaction that could write.",
    fix: "revoke insert, update, delete, truncate on … from metricgate_reader, public.",
    betweenTenants: false,
    // `where false`: where the right was given by mistake, nothing is written.
    run: async (table, reading) => {
      const findings: Finding[] = [];
      for (const text of [
        `insert into ${table} select * from ${table} where false`,
        `update ${table} set tenant_id = tenant_id where false`,
        `delete from ${table} where false`,
      ]) {
        const [verb] = text.split(" ");
        const done = await attempt(reading, `BEGIN READ WRITE; ${READER}`, text);
        if (done !== DENIED) findings.push({ object: table, detail: `${verb}: ${done}` });
      }
      return findings;
    },
  },
];

/** Shows on the live database, with the logins that serve, what the catalogue promises. Writes nothing. */
export async function showBehaviour(reading: Reading): Promise<readonly Outcome[]> {
  const tables = await readableTables(reading.database);
  const isEmpty = !(await anyRow(tables, reading));
  const outcomes: Outcome[] = [];
  for (const trial of TRIALS) {
    const { id, means, fix } = trial;
    const notShown = trial.betweenTenants && reading.tenants.length < 2 ? FEW : isEmpty && id !== "writes-refused" ? ALL_EMPTY : undefined;
    const findings: Finding[] = [];
    for (const table of tables) findings.push(...(await trial.run(table, reading)));
    outcomes.push({ id, means, fix, findings, ...(notShown === undefined ? {} : { notShown }) });
  }
  return outcomes;
}

async function readableTables(database: Database): Promise<readonly string[]> {
  const { rows } = await database.read({ prologue: "BEGIN READ ONLY", statement: { text: READABLE, values: [] }, timeoutMs: TIMEOUT_MS });
  return rows.map(([name]) => String(name));
}

async function anyRow(tables: readonly string[], { database, tenants }: Reading): Promise<boolean> {
  for (const tenant of tenants) for (const table of tables) if ((await countAsIngest(database, table, tenant)) > 0) return true;
  return false;
}

/** What the reader counts against what the ingest login counts by a policy of its own: an import between the two is waited out. */
async function ownRowsOnly(table: string, tenant: Tenant, reading: Reading): Promise<readonly Finding[]> {
  const text = `select count(*) filter (where tenant_id is distinct from $1), count(*) from ${table}`;
  for (let attempts = 1; ; attempts += 1) {
    const before = await countAsIngest(reading.database, table, tenant);
    const { rows } = await read(reading, reading.prologue(tenant), { text, values: [tenant.id] });
    const after = await countAsIngest(reading.database, table, tenant);
    const [foreign, all] = rows[0] as [number, number];
    if (foreign > 0) return [{ object: table, detail: `tenant ${tenant.id} sees ${foreign} rows of others` }];
    if (all === before || all === after) return [];
    if (attempts === 3) return [{ object: table, detail: `tenant ${tenant.id} sees ${all} of its ${after} rows` }];
  }
}

function countAsIngest(database: Database, table: string, { id }: Tenant): Promise<number> {
  return database.session("ingest", async (client) => {
    await client.query(`BEGIN READ ONLY; ${tenantContext(id)}`);
    const { rows } = await client.query<{ count: number }>(`select count(*) from ${table} where tenant_id = $1`, [id]);
    await client.query("COMMIT");
    return Number(rows[0]?.count ?? 0);
  });
}

async function perTenant({ tenants }: Reading, look: (tenant: Tenant) => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const tenant of tenants) findings.push(...(await look(tenant)));
  return findings;
}

/** Each tenant against the next one. */
function perPair(reading: Reading, look: (tenant: Tenant, other: Tenant) => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  const { tenants } = reading;
  return perTenant(reading, async (tenant) => {
    const other = tenants[(tenants.indexOf(tenant) + 1) % tenants.length];
    return other === undefined || other === tenant ? [] : look(tenant, other);
  });
}

function read({ database }: Reading, prologue: string, statement: BoundStatement) {
  return database.read({ prologue, statement, timeoutMs: TIMEOUT_MS });
}

async function countOf(reading: Reading, prologue: string, statement: BoundStatement): Promise<number> {
  return Number((await read(reading, prologue, statement)).rows[0]?.[0]);
}

/** A refusal is what was hoped for: nothing was seen. Anything else goes on. */
function onlyDenied(thrown: unknown): number {
  const error = databaseError(thrown);
  if (sqlStateOf(error.details.cause) === DENIED) return 0;
  throw error;
}

/** The SQLSTATE that a statement was refused with, or 'accepted'. */
async function attempt(reading: Reading, prologue: string, text: string): Promise<string> {
  try {
    await read(reading, prologue, { text, values: [] });
    return "accepted";
  } catch (thrown) {
    const state = sqlStateOf(databaseError(thrown).details.cause);
    if (state === undefined) throw thrown;
    return state;
  }
}
