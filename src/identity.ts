import { apiKeyVerifier, keyState } from "./auth/api-key.ts";
import { authentication, type Verify } from "./auth/authenticate.ts";
import { type FindTenant, identifyLocal } from "./auth/identify.ts";
import { remembered } from "./auth/remembered.ts";
import { credentialRule } from "./auth/requirement.ts";
import { type Config, ConfigInvalid, type OAuthSettings } from "./config.ts";
import { apiKeys } from "./db/api-keys.ts";
import type { Database } from "./db/database.ts";
import { tenantDirectory } from "./db/tenant-directory.ts";
import { AppError } from "./errors.ts";
import type { HttpAuth } from "./http/challenge.ts";
import type { Identify } from "./mcp/parts.ts";
import type { Observe } from "./observe/observation.ts";
import { keyFile } from "./secrets/key-file.ts";
import { type KeyRing, parseKeyRing } from "./secrets/key-ring.ts";
import type { Principal } from "./tenant.ts";

/** A tenant's zone and week may be a minute old. */
const TENANT_REMEMBERED_MS = 60_000;

/** Who acts, put together from the settings. */
export interface Identity {
  /** Where nobody logs in: by METRICGATE_API_KEY (of METRICGATE_TENANT, where set), else by METRICGATE_TENANT and METRICGATE_USER. */
  readonly local: () => Promise<Principal>;
  /** How callers of an address are identified, and what they are told. Throws ConfigInvalid where nobody could, or anybody. */
  readonly overHttp: (host: string) => Promise<{ readonly identify: Identify; readonly auth: HttpAuth }>;
}

export interface IdentityParts {
  readonly config: Config;
  readonly database: () => Promise<Database>;
  readonly ring: () => KeyRing;
  readonly observe: Observe;
}

/** The key ring: the setting's, read at once (throws ConfigInvalid), else made or missed when first needed (throws UNAVAILABLE). */
export function openKeyRing(config: Config): () => KeyRing {
  let ring = config.secretKeys === undefined ? undefined : ringOfSetting(config.secretKeys);
  return () => (ring ??= ringOfDatabase(config));
}

function ringOfSetting(text: string): KeyRing {
  try {
    return parseKeyRing(text);
  } catch (error) {
    if (error instanceof AppError) throw new ConfigInvalid(`METRICGATE_SECRET_KEYS: ${error.message} ${error.details.next ?? ""}`);
    throw error;
  }
}

function ringOfDatabase({ databaseUrl, dataDir }: Config): KeyRing {
  if (databaseUrl === undefined) return parseKeyRing(keyFile(dataDir));
  throw new AppError("UNAVAILABLE", "This server has no secret keys, so that it can neither check API keys nor keep credentials.", {
    next: "Set METRICGATE_SECRET_KEYS to kid:key, for example k1:$(openssl rand -base64 32), the same for every process.",
  });
}

export function createIdentity({ config, database, ring, observe }: IdentityParts): Identity {
  const findTenant = remembered(async (slug) => tenantDirectory(await database()).find(slug), TENANT_REMEMBERED_MS);
  const verifyKey = apiKeyVerifier({
    store: {
      find: async (keyId) => apiKeys(await database()).find(keyId),
      touch: async (keyId) => apiKeys(await database()).touch(keyId),
    },
    ring,
    onUnnoted: (error) => observe({ kind: "unexpected_error", where: "api key", error }),
  });
  const local = localIdentity(config, findTenant, verifyKey);
  const { oauth } = config;
  const verifyToken = oauth === undefined ? undefined : tokenVerifier(oauth, findTenant);
  return {
    local,
    overHttp: async (host) => {
      const rule = await credentialRule({
        host,
        hasIssuer: oauth !== undefined,
        hasUsableKey: async () => hasUsableKey(await database(), ring),
        ...(config.auth === undefined ? {} : { setting: config.auth }),
      });
      if ("refusal" in rule) throw new ConfigInvalid(rule.refusal);
      const authenticate = authentication({
        verifyKey,
        ...(verifyToken === undefined ? {} : { verifyToken }),
        ...(rule.required ? {} : { local }),
      });
      const resource = config.publicUrl ?? "";
      return {
        identify: authenticate,
        auth: { required: rule.required, ...(oauth === undefined ? {} : { oauth: { issuer: oauth.issuer, resource } }) },
      };
    },
  };
}

/** Loaded when the first token comes: a server without an issuer never needs it. */
function tokenVerifier(rules: OAuthSettings, findTenant: FindTenant): Verify {
  let loading: Promise<Verify> | undefined;
  const load = async (): Promise<Verify> => {
    const [{ accessTokenVerifier }, { issuerKeys }] = await Promise.all([
      import("./auth/access-token.ts"),
      import("./auth/issuer-keys.ts"),
    ]);
    return accessTokenVerifier({ rules, keys: issuerKeys({ url: new URL(rules.jwksUrl) }), findTenant });
  };
  return async (token) => (await (loading ??= load()))(token);
}

/** A key is proven at every call, so that a revoked one ends; a tenant of the settings is looked up once. */
function localIdentity(config: Config, findTenant: FindTenant, verifyKey: Verify): () => Promise<Principal> {
  const { apiKey, tenant } = config;
  if (apiKey !== undefined) return async () => ofTenant(await verifyKey(apiKey), tenant);
  let principal: Promise<Principal> | undefined;
  return () =>
    (principal ??= identifyLocal(config, findTenant).catch((error: unknown) => {
      principal = undefined;
      throw error;
    }));
}

/** Whoever names one tenant must not be answered about another. */
function ofTenant(principal: Principal, slug: string | undefined): Principal {
  if (slug === undefined || principal.tenant.slug === slug) return principal;
  throw new AppError("UNAUTHENTICATED", `METRICGATE_API_KEY does not belong to the tenant "${slug}".`, {
    next: "Set the key of that tenant, or leave METRICGATE_TENANT and --tenant out.",
  });
}

async function hasUsableKey(database: Database, ring: () => KeyRing): Promise<boolean> {
  const listed = await apiKeys(database).list();
  return listed.some(({ key }) => keyState(key, ring().kids, Date.now()) === "active");
}
