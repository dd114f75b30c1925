import type { Database } from "./database.ts";
import type { DirectoryRow } from "./tenant-directory.ts";

/** What is kept of an API key; the key itself is not. Instants are ISO text. */
export interface ApiKeyRow {
  readonly keyId: string;
  /** The operator's name for it. */
  readonly name: string;
  readonly user: string;
  /** Keyed hash of the whole key, and the id of the ring's key that it was made with. */
  readonly hash: Buffer;
  readonly hashKid: string;
  readonly scopes: readonly string[];
  /** Null narrows nothing, an empty list leaves nothing. */
  readonly metrics: readonly string[] | null;
  readonly projects: readonly string[] | null;
  readonly instances: readonly string[] | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

export type NewApiKey = Omit<ApiKeyRow, "createdAt" | "lastUsedAt" | "revokedAt">;

export interface ApiKeyOfTenant {
  readonly key: ApiKeyRow;
  readonly tenant: DirectoryRow;
}

/** API keys of all tenants; read and written by the directory login alone. */
export interface ApiKeys {
  create(tenantId: number, key: NewApiKey): Promise<void>;
  find(keyId: string): Promise<ApiKeyOfTenant | undefined>;
  /** All of them, also revoked and expired ones, by tenant and age. */
  list(): Promise<readonly ApiKeyOfTenant[]>;
  /** False where there is no such key. Revoking again keeps the first instant. */
  revoke(keyId: string): Promise<boolean>;
  /** Notes that a key was used, unless that was noted less than a minute ago. */
  touch(keyId: string): Promise<void>;
}

const KEY_COLUMNS = `key_id as "keyId", k.name, user_name as "user", hash, hash_kid as "hashKid", scopes, metrics, projects, instances,
  k.created_at as "createdAt", expires_at as "expiresAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"`;
const SELECT = `select ${KEY_COLUMNS},
  json_build_object('id', t.tenant_id, 'slug', t.slug, 'name', t.name, 'timezone', t.timezone, 'weekStart', t.week_start) as tenant
  from directory.api_key k join directory.tenant t using (tenant_id)`;

type JoinedRow = ApiKeyRow & { readonly tenant: DirectoryRow };

export function apiKeys(database: Database): ApiKeys {
  const select = (rest: string, values: unknown[]): Promise<readonly ApiKeyOfTenant[]> =>
    database.session("directory", async (client) => {
      const { rows } = await client.query<JoinedRow>(`${SELECT} ${rest}`, values);
      return rows.map(({ tenant, ...key }) => ({ key, tenant }));
    });
  return {
    create: (tenantId, key) =>
      database.session("directory", async (client) => {
        await client.query(
          `insert into directory.api_key
             (tenant_id, key_id, name, user_name, hash, hash_kid, scopes, metrics, projects, instances, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
          [
            tenantId,
            key.keyId,
            key.name,
            key.user,
            key.hash,
            key.hashKid,
            key.scopes,
            key.metrics,
            key.projects,
            key.instances,
            key.expiresAt,
          ],
        );
      }),
    find: async (keyId) => (await select("where key_id = $1", [keyId]))[0],
    list: () => select("order by t.slug, k.created_at, key_id", []),
    revoke: (keyId) =>
      database.session("directory", async (client) => {
        const text = "update directory.api_key set revoked_at = coalesce(revoked_at, now()) where key_id = $1";
        return (await client.query(text, [keyId])).rowCount === 1;
      }),
    touch: (keyId) =>
      database.session("directory", async (client) => {
        await client.query(
          `update directory.api_key set last_used_at = now()
           where key_id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
          [keyId],
        );
      }),
  };
}
