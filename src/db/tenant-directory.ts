import { AppError } from "../errors.ts";
import type { Database } from "./database.ts";

/** One row of directory.tenant. */
export interface DirectoryRow {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly timezone: string;
  /** ISO day weeks start on: 1 Monday … 7 Sunday. */
  readonly weekStart: number;
}

export interface NewTenant {
  readonly slug: string;
  readonly name: string;
  readonly timezone: string;
  readonly weekStart: number;
}

/** What is known of tenants before one is chosen; read and written by the directory login alone. */
export interface TenantDirectory {
  find(slug: string): Promise<DirectoryRow | undefined>;
  list(): Promise<readonly DirectoryRow[]>;
  /** Throws SPEC_INVALID when the slug is taken. */
  create(tenant: NewTenant): Promise<DirectoryRow>;
}

const COLUMNS = `tenant_id as id, slug, name, timezone, week_start as "weekStart"`;

export function tenantDirectory(database: Database): TenantDirectory {
  return {
    find: (slug) =>
      database.session("directory", async (client) => {
        const { rows } = await client.query<DirectoryRow>(`select ${COLUMNS} from directory.tenant where slug = $1`, [slug]);
        return rows[0];
      }),
    list: () =>
      database.session("directory", async (client) => {
        const { rows } = await client.query<DirectoryRow>(`select ${COLUMNS} from directory.tenant order by slug`);
        return rows;
      }),
    create: (tenant) => database.session("directory", (client) => insert(client, tenant)),
  };
}

type Client = Parameters<Parameters<Database["session"]>[1]>[0];

/** Ids are given out as highest + 1; a clash with another creator is tried again. */
async function insert(client: Client, { slug, name, timezone, weekStart }: NewTenant): Promise<DirectoryRow> {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const { rows } = await client.query<DirectoryRow>(
      `insert into directory.tenant (tenant_id, slug, name, timezone, week_start)
       select coalesce(max(tenant_id), 0) + 1, $1, $2, $3, $4 from directory.tenant
       on conflict do nothing returning ${COLUMNS}`,
      [slug, name, timezone, weekStart],
    );
    if (rows[0]) return rows[0];
    const taken = await client.query("select 1 from directory.tenant where slug = $1", [slug]);
    if (taken.rowCount !== 0)
      throw new AppError("SPEC_INVALID", `There is already a tenant "${slug}".`, { next: "Choose another name, or use that one." });
  }
  throw new AppError("BUSY", "Other tenants are being created at the same time.", { next: "Try again.", retryAfterSeconds: 1 });
}
