import type { PoolClient } from "pg";
import { AppError } from "../errors.ts";
import { kidOf, open, type Place, seal } from "../secrets/envelope.ts";
import type { KeyRing } from "../secrets/key-ring.ts";
import type { Database } from "./database.ts";
import { tenantDirectory } from "./tenant-directory.ts";
import { withTenantWrite } from "./tenant-session.ts";

/** A credential's place: the instance it belongs to, and its name there. */
export interface CredentialName {
  readonly instanceId: string;
  readonly name: string;
}

/** What may be told of a credential. */
export interface ListedCredential extends CredentialName {
  /** ISO instant of the last change. */
  readonly updatedAt: string;
  /** The key that it is sealed with. */
  readonly kid: string;
}

export interface RotateReport {
  /** Sealed anew with the primary key, just now. */
  readonly rotated: number;
  /** With the primary key already. */
  readonly current: number;
  /** Could not be opened: the tenant's short name, the credential, and why. They stay as they are. */
  readonly failed: readonly (CredentialName & { readonly tenant: string; readonly reason: string })[];
}

/** What instances' trackers want to see: kept sealed, each for its own row, inside the tenant's wall. */
export interface InstanceCredentials {
  /** Stores or replaces. Throws NOT_FOUND for an instance that this tenant does not have. */
  set(tenantId: number, which: CredentialName, secret: string): Promise<void>;
  /** Undefined where there is none. Throws what `open` throws. */
  reveal(tenantId: number, which: CredentialName): Promise<string | undefined>;
  list(tenantId: number, instanceId?: string): Promise<readonly ListedCredential[]>;
  /** False where there was none. */
  remove(tenantId: number, which: CredentialName): Promise<boolean>;
  /** Seals every tenant's credentials with the primary key; may be repeated and interrupted. */
  rotate(): Promise<RotateReport>;
}

const TABLE = "instance_credential";
const BATCH_ROWS = 100;

interface Row extends CredentialName {
  readonly envelope: string;
  readonly updatedAt: string;
}

export function instanceCredentials(database: Database, ring: () => KeyRing): InstanceCredentials {
  return {
    set: (tenantId, which, secret) => {
      const envelope = seal(ring(), placeOf(tenantId, which), secret);
      return withTenantWrite(database, tenantId, async (client) => {
        const { rowCount } = await client.query(
          `insert into warehouse.instance_credential (tenant_id, instance_id, name, envelope)
           select tenant_id, instance_id, $3, $4 from warehouse.instance where tenant_id = $1 and instance_id = $2
           on conflict (tenant_id, instance_id, name) do update set envelope = excluded.envelope, updated_at = now()`,
          [tenantId, which.instanceId, which.name, envelope],
        );
        if (rowCount !== 1) throw noInstance(which.instanceId);
      });
    },
    reveal: async (tenantId, which) => {
      const [row] = await withTenantWrite(database, tenantId, (client) =>
        select(client, "and name = $3", [tenantId, which.instanceId, which.name]),
      );
      return row === undefined ? undefined : open(ring(), placeOf(tenantId, which), row.envelope);
    },
    list: async (tenantId, instanceId) => {
      const rows = await withTenantWrite(database, tenantId, (client) => select(client, "", [tenantId, instanceId ?? null]));
      return rows.map(({ envelope, ...row }) => ({ ...row, kid: kidOf(envelope) ?? "?" }));
    },
    remove: (tenantId, { instanceId, name }) =>
      withTenantWrite(database, tenantId, async (client) => {
        const text = "delete from warehouse.instance_credential where tenant_id = $1 and instance_id = $2 and name = $3";
        return (await client.query(text, [tenantId, instanceId, name])).rowCount === 1;
      }),
    rotate: async () => {
      const reports: RotateReport[] = [];
      for (const tenant of await tenantDirectory(database).list()) reports.push(await rotateTenant(database, ring(), tenant));
      return total(reports);
    },
  };
}

async function select(client: PoolClient, rest: string, values: readonly unknown[]): Promise<readonly Row[]> {
  const { rows } = await client.query<Row>(
    `select instance_id as "instanceId", name, envelope, updated_at as "updatedAt" from warehouse.instance_credential
     where tenant_id = $1 and ($2::text is null or instance_id = $2) ${rest} order by instance_id, name`,
    [...values],
  );
  return rows;
}

/** Batch by batch, each a transaction: what is done stays done. */
async function rotateTenant(database: Database, ring: KeyRing, { id, slug }: { id: number; slug: string }): Promise<RotateReport> {
  const reports: RotateReport[] = [];
  let after: CredentialName | undefined = { instanceId: "", name: "" };
  while (after !== undefined) {
    const from: CredentialName = after;
    const { rows, report } = await withTenantWrite(database, id, (client) => rotateBatch(client, ring, { id, slug, from }));
    reports.push(report);
    after = rows < BATCH_ROWS ? undefined : report.last;
  }
  return total(reports);
}

interface Batch {
  readonly id: number;
  readonly slug: string;
  /** The last credential of the batch before. */
  readonly from: CredentialName;
}

async function rotateBatch(
  client: PoolClient,
  ring: KeyRing,
  { id, slug, from }: Batch,
): Promise<{ readonly rows: number; readonly report: RotateReport & { readonly last?: CredentialName } }> {
  const { rows } = await client.query<Row>(
    `select instance_id as "instanceId", name, envelope from warehouse.instance_credential
     where tenant_id = $1 and (instance_id, name) > ($2, $3) order by instance_id, name limit ${BATCH_ROWS} for update`,
    [id, from.instanceId, from.name],
  );
  const failed: RotateReport["failed"][number][] = [];
  let rotated = 0;
  for (const { instanceId, name, envelope } of rows) {
    if (kidOf(envelope) === ring.primary) continue;
    try {
      const place = placeOf(id, { instanceId, name });
      const sealed = seal(ring, place, open(ring, place, envelope));
      await client.query("update warehouse.instance_credential set envelope = $4 where tenant_id = $1 and instance_id = $2 and name = $3", [
        id,
        instanceId,
        name,
        sealed,
      ]);
      rotated += 1;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      failed.push({ tenant: slug, instanceId, name, reason: error.message });
    }
  }
  const last = rows.at(-1);
  return {
    rows: rows.length,
    report: { rotated, failed, current: rows.length - rotated - failed.length, ...(last === undefined ? {} : { last }) },
  };
}

function total(reports: readonly RotateReport[]): RotateReport {
  const sum = (count: (report: RotateReport) => number): number => reports.reduce((all, report) => all + count(report), 0);
  return {
    rotated: sum((report) => report.rotated),
    current: sum((report) => report.current),
    failed: reports.flatMap((report) => report.failed),
  };
}

/** An instance's and a credential's names are free text: as JSON no two pairs read alike. */
function placeOf(tenantId: number, { instanceId, name }: CredentialName): Place {
  return { tenantId, table: TABLE, column: "envelope", rowId: JSON.stringify([instanceId, name]) };
}

function noInstance(instanceId: string): AppError {
  return new AppError("NOT_FOUND", `This tenant has no instance "${instanceId}".`, {
    next: "Instances are made by `metricgate import … --instance <name>`.",
  });
}
