import { allowListOf } from "./auth/allow-list.ts";
import { keyState, mintApiKey } from "./auth/api-key.ts";
import type { Access, CredentialPlace, KeyOrder } from "./cli/host.ts";
import { type Config, ConfigInvalid } from "./config.ts";
import { apiKeys } from "./db/api-keys.ts";
import type { Database } from "./db/database.ts";
import { instanceCredentials } from "./db/instance-credentials.ts";
import { type DirectoryRow, tenantDirectory } from "./db/tenant-directory.ts";
import { AppError, toAppError } from "./errors.ts";
import { readFernet } from "./secrets/fernet.ts";
import type { KeyRing } from "./secrets/key-ring.ts";

/** What an operator does with API keys and with the credentials of trackers. */
export function access(database: Database, ring: () => KeyRing, { fernetKey }: Config): Access {
  const keys = apiKeys(database);
  const credentials = instanceCredentials(database, ring);
  const tenantOf = async (slug: string): Promise<DirectoryRow> => {
    const tenant = await tenantDirectory(database).find(slug);
    if (tenant !== undefined) return tenant;
    throw new AppError("NOT_FOUND", `There is no tenant "${slug}".`, { next: "`metricgate tenant list` names the tenants." });
  };
  return {
    createKey: async (order) => createKey(keys, ring(), order, await tenantOf(order.tenant)),
    listKeys: async () => {
      const listed = await keys.list();
      const kids = listed.length === 0 ? [] : ring().kids;
      return listed.map(({ key, tenant }) => {
        const { keyId, name, user, scopes, createdAt, expiresAt, lastUsedAt } = key;
        const state = keyState(key, kids, Date.now());
        return { keyId, tenant: tenant.slug, name, user, scopes, allowed: allowListOf(key), createdAt, expiresAt, lastUsedAt, state };
      });
    },
    revokeKey: async (keyId) => {
      if (!(await keys.revoke(keyId))) {
        throw new AppError("NOT_FOUND", "There is no API key of this id.", { next: "`metricgate key list` names them." });
      }
    },
    setCredential: async (place, value, isFernet) => {
      const { id } = await tenantOf(place.tenant);
      await credentials.set(id, placeIn(place), isFernet ? fromFernet(value, fernetKey) : value);
    },
    listCredentials: async (slug, instance) => credentials.list((await tenantOf(slug)).id, instance),
    removeCredential: async (place) => {
      const { id } = await tenantOf(place.tenant);
      if (!(await credentials.remove(id, placeIn(place)))) {
        throw new AppError("NOT_FOUND", "There is no credential of this name.", {
          next: "`metricgate instance credential list` names them.",
        });
      }
    },
    rotateSecrets: async () => {
      const { primary, kids } = ring();
      const report = await credentials.rotate();
      const resting = (await keys.list()).filter(({ key }) => key.hashKid !== primary && keyState(key, kids, Date.now()) === "active");
      return { ...report, primary, olderKeys: resting.length };
    },
  };
}

async function createKey(
  keys: ReturnType<typeof apiKeys>,
  ring: KeyRing,
  order: KeyOrder,
  tenant: DirectoryRow,
): ReturnType<Access["createKey"]> {
  const { key, keyId, hash, hashKid } = mintApiKey(ring);
  const { metrics = null, projects = null, instances = null } = order.allowed;
  // A key of nobody's acts as itself, so that its results are not another key's.
  const user = order.user ?? `key:${keyId}`;
  const expiresAt = order.expiresAt?.toISOString() ?? null;
  await keys.create(tenant.id, {
    keyId,
    name: order.name,
    user,
    hash,
    hashKid,
    scopes: order.scopes,
    metrics,
    projects,
    instances,
    expiresAt,
  });
  return { key, keyId, user };
}

function placeIn({ instance, name }: CredentialPlace): { readonly instanceId: string; readonly name: string } {
  return { instanceId: instance, name };
}

function fromFernet(token: string, key: string | undefined): string {
  if (key === undefined) throw new ConfigInvalid("METRICGATE_FERNET_KEY: is needed to read a Fernet token");
  return readFernet(key, token);
}

/** One thing that was looked at, and how to mend it when it is not well. */
interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly found: string;
  readonly fix?: string;
}

/** Looks at who is let in, and at the keys that it rests on. */
export async function checkAccess(database: Database, ring: () => KeyRing, config: Config): Promise<readonly Check[]> {
  const keys = await apiKeys(database).list();
  const kids = new Set<string>();
  for (const { id } of await tenantDirectory(database).list()) {
    for (const { kid } of await instanceCredentials(database, ring).list(id)) kids.add(kid);
  }
  for (const { key } of keys) if (keyState(key, [key.hashKid], Date.now()) === "active") kids.add(key.hashKid);
  return [checkRing([...kids], ring), ...(config.oauth === undefined ? [] : [await checkIssuer(config.oauth.jwksUrl)])];
}

/** A ring that nothing rests on need not be there. */
function checkRing(kids: readonly string[], ring: () => KeyRing): Check {
  const what = "secret keys";
  if (kids.length === 0) return { what, ok: true, found: "nothing rests on them yet" };
  try {
    const { kids: known } = ring();
    const missing = kids.filter((kid) => !known.includes(kid));
    if (missing.length === 0) return { what, ok: true, found: `${known.join(", ")}; all that API keys and credentials rest on` };
    return { what, ok: false, found: `${missing.join(", ")} missing`, fix: "Add them to METRICGATE_SECRET_KEYS after the primary key." };
  } catch (error) {
    const { message, details } = toAppError(error);
    return { what, ok: false, found: message, ...(details.next === undefined ? {} : { fix: details.next }) };
  }
}

async function checkIssuer(jwksUrl: string): Promise<Check> {
  const what = "issuer's keys";
  const { canFetchKeys } = await import("./auth/issuer-keys.ts");
  if (await canFetchKeys(new URL(jwksUrl))) return { what, ok: true, found: `at ${jwksUrl}` };
  return { what, ok: false, found: `none at ${jwksUrl}`, fix: "Check METRICGATE_OAUTH_ISSUER and METRICGATE_OAUTH_JWKS_URL." };
}
