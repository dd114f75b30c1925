import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** A setting is wrong; its message is one line that names it. */
export class ConfigInvalid extends Error {
  override readonly name = "ConfigInvalid";
}

const url = (schemes: readonly string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && schemes.includes(new URL(value).protocol),
      `must be a URL that starts with ${schemes.join(" or ")}//`,
    );
const origin = z
  .string()
  .refine(
    (value) => URL.canParse(value) && new URL(value).origin === value,
    "must be origins such as https://tools.example.com, separated by commas",
  );
const list = z.string().transform((value) =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);

const slug = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "must be a tenant's short name, as printed by `metricgate tenant list`");
/** An address that credentials rest on: nobody in between may change what it says. */
const secureUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && isSecure(new URL(value)),
    "must be a URL that starts with https:// (http:// only for this machine), without a user, a query or a fragment",
  );

function isSecure({ protocol, hostname, username, search, hash }: URL): boolean {
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  return (protocol === "https:" || (protocol === "http:" && isLocal)) && username === "" && search === "" && hash === "";
}
const count = (min: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min, `must be at least ${min}`);

const RATE_LIMIT_STORES = ["memory", "postgres", "redis"] as const;
const EMBEDDINGS = ["none", "http", "local"] as const;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Settings by their name in the environment; the file uses the same names. */
const settingsSchema = z.object({
  METRICGATE_DATABASE_URL: url(["postgres:", "postgresql:"]).optional(),
  METRICGATE_API_DB_PASSWORD: z.string().optional(),
  METRICGATE_INGEST_DB_PASSWORD: z.string().optional(),
  METRICGATE_DIRECTORY_DB_PASSWORD: z.string().optional(),
  METRICGATE_MIGRATOR_DB_PASSWORD: z.string().optional(),
  METRICGATE_AUDITOR_DB_PASSWORD: z.string().optional(),
  METRICGATE_JOBS_DB_PASSWORD: z.string().optional(),
  METRICGATE_QUEUE_DB_PASSWORD: z.string().optional(),
  METRICGATE_DATA_DIR: z.string().min(1).optional(),
  METRICGATE_CATALOG_DIR: z.string().min(1).optional(),
  METRICGATE_TENANT: slug.optional(),
  METRICGATE_USER: z.string().min(1).max(200).optional(),
  METRICGATE_API_KEY: z
    .string()
    .regex(/^mgk_\w+_[\w-]+$/, "must be an API key, as printed by `metricgate key create`")
    .optional(),
  METRICGATE_AUTH: z.enum(["none", "required"], "must be none or required").optional(),
  METRICGATE_PUBLIC_URL: secureUrl.optional(),
  METRICGATE_OAUTH_ISSUER: secureUrl.optional(),
  METRICGATE_OAUTH_AUDIENCE: z.string().min(1).max(500).optional(),
  METRICGATE_OAUTH_JWKS_URL: secureUrl.optional(),
  METRICGATE_OAUTH_TENANT_CLAIM: z.string().min(1).max(200).optional(),
  METRICGATE_OAUTH_TOKEN_TYPE: z.enum(["at+jwt", "jwt"], "must be at+jwt, or jwt where the issuer names its access tokens so").optional(),
  METRICGATE_SECRET_KEYS: z.string().optional(),
  METRICGATE_FERNET_KEY: z.string().optional(),
  METRICGATE_ALLOWED_ORIGINS: list.pipe(z.array(origin)).optional(),
  METRICGATE_REDIS_URL: url(["redis:", "rediss:"]).optional(),
  METRICGATE_RATE_LIMIT_TENANT: count(1).optional(),
  METRICGATE_RATE_LIMIT_PRINCIPAL: count(1).optional(),
  METRICGATE_RATE_LIMIT_BURST: count(0).optional(),
  METRICGATE_EMBEDDINGS: z.enum(EMBEDDINGS, `must be one of ${EMBEDDINGS.join(", ")}`).optional(),
  METRICGATE_EMBEDDING_URL: secureUrl.optional(),
  METRICGATE_EMBEDDING_MODEL: z.string().min(1).max(200).optional(),
  METRICGATE_EMBEDDING_KEY: z.string().min(1).optional(),
  METRICGATE_EMBEDDING_WEIGHT: z.coerce
    .number("must be a number from 0 to 2")
    .min(0, "must be from 0 to 2")
    .max(2, "must be from 0 to 2")
    .optional(),
  METRICGATE_RATE_LIMIT_STORE: z.enum(RATE_LIMIT_STORES, `must be one of ${RATE_LIMIT_STORES.join(", ")}`).optional(),
  METRICGATE_CHART_FONTS: list
    .refine(
      (files) => files.every((file) => /\.(ttf|otf)$/i.test(file) && existsSync(file)),
      "must be TTF or OTF files that are there, separated by commas",
    )
    .optional(),
  METRICGATE_LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`).optional(),
});

/** Whose access tokens are taken, and what they must say. */
export interface OAuthSettings {
  /** As in the `iss` claim, letter by letter. */
  readonly issuer: string;
  /** As in the `aud` claim. */
  readonly audience: string;
  readonly jwksUrl: string;
  /** Claim that holds the tenant's short name. */
  readonly tenantClaim: string;
  /** `jwt` also takes tokens whose type is JWT. */
  readonly tokenType: "at+jwt" | "jwt";
}

/** Everything that can be set, checked. */
export interface Config {
  /** Absent: the embedded database. */
  readonly databaseUrl?: string;
  readonly databasePasswords: Readonly<Partial<Record<"api" | "ingest" | "directory" | "migrator" | "auditor" | "jobs" | "queue", string>>>;
  /** Where the embedded database lives. */
  readonly dataDir: string;
  readonly catalogDir: string;
  /** Who acts where nobody logs in: over stdio, on the command line and on loopback. */
  readonly tenant?: string;
  readonly user: string;
  /** Proves who acts where nobody logs in, instead of `user`; a `tenant` that is set must be the key's. */
  readonly apiKey?: string;
  /** Whether callers over HTTP must show a credential; absent: wherever it matters. */
  readonly auth?: "none" | "required";
  /** Where clients reach /mcp, when that is not where the server listens. */
  readonly publicUrl?: string;
  readonly oauth?: OAuthSettings;
  /** The key ring as written, `kid:base64[,…]`; absent: none, or the embedded database's own. */
  readonly secretKeys?: string;
  /** For credentials that come as Fernet tokens. */
  readonly fernetKey?: string;
  readonly allowedOrigins: readonly string[];
  /** Absent: nothing is shared between processes. */
  readonly redisUrl?: string;
  /** Calls a minute of a tenant and of one caller, and calls beyond in ten minutes; and where they are counted. */
  readonly rateLimits: {
    readonly tenantPerMinute: number;
    readonly principalPerMinute: number;
    readonly burst: number;
    readonly store: (typeof RATE_LIMIT_STORES)[number];
  };
  /** Absent: issues are found by words alone. */
  readonly embeddings?: { readonly url: string; readonly model: string; readonly key?: string; readonly weight?: number } | "local";
  /** For characters in charts that the bundled typeface lacks. */
  readonly chartFonts: readonly string[];
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

const RATE_LIMITS = { tenantPerMinute: 3_000, principalPerMinute: 1_200, burst: 600 } as const;

/** The folder that holds `catalog`, `migrations` and `prompts`: beside `src` in a checkout, beside `dist` in a package. */
export const PACKAGE_ROOT = join(import.meta.dirname, "..");

export const CONFIG_FILE = "metricgate.config.json";

/** Flags win over the environment, which wins over `metricgate.config.json`. Throws ConfigInvalid naming the setting. */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
  flags: Readonly<Record<string, string | undefined>> = {},
): Config {
  const given = (source: Readonly<Record<string, string | undefined>>) =>
    Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ""));
  const file = readConfigFile(directory);
  const parsed = settingsSchema.safeParse({ ...file, ...given(environment), ...given(flags) });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ConfigInvalid(`${String(issue?.path[0])}: ${issue?.message ?? "is wrong"}`);
  }
  return toConfig(parsed.data, environment);
}

function readConfigFile(directory: string): Record<string, string> {
  const path = join(directory, CONFIG_FILE);
  if (!existsSync(path)) return {};
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new ConfigInvalid(`${CONFIG_FILE}: is not JSON`);
  }
  const parsed = z.record(z.string(), z.string()).safeParse(data);
  if (!parsed.success) throw new ConfigInvalid(`${CONFIG_FILE}: must be an object of texts, as in {"METRICGATE_TENANT": "demo"}`);
  const unknown = Object.keys(parsed.data).find((key) => !Object.hasOwn(settingsSchema.shape, key));
  if (unknown !== undefined) throw new ConfigInvalid(`${CONFIG_FILE}: there is no setting ${JSON.stringify(unknown)}`);
  return parsed.data;
}

function toConfig(settings: z.output<typeof settingsSchema>, environment: Readonly<Record<string, string | undefined>>): Config {
  const isEmbedded = settings.METRICGATE_DATABASE_URL === undefined;
  // A key says itself whose it is.
  const tenant = settings.METRICGATE_TENANT ?? (isEmbedded && settings.METRICGATE_API_KEY === undefined ? "demo" : undefined);
  return {
    ...databaseOf(settings),
    dataDir: settings.METRICGATE_DATA_DIR ?? join(environment["XDG_DATA_HOME"] || join(homedir(), ".local", "share"), "metricgate"),
    catalogDir: settings.METRICGATE_CATALOG_DIR ?? join(PACKAGE_ROOT, "catalog"),
    ...(tenant === undefined ? {} : { tenant }),
    user: settings.METRICGATE_USER ?? "local",
    ...identityOf(settings),
    ...listsOf(settings),
    ...(settings.METRICGATE_REDIS_URL === undefined ? {} : { redisUrl: settings.METRICGATE_REDIS_URL }),
    rateLimits: rateLimitsOf(settings),
    ...embeddingsOf(settings),
    logLevel: settings.METRICGATE_LOG_LEVEL ?? "warn",
  };
}

function listsOf(settings: z.output<typeof settingsSchema>): Pick<Config, "allowedOrigins" | "chartFonts"> {
  return { allowedOrigins: settings.METRICGATE_ALLOWED_ORIGINS ?? [], chartFonts: settings.METRICGATE_CHART_FONTS ?? [] };
}

function databaseOf(settings: z.output<typeof settingsSchema>): Pick<Config, "databaseUrl" | "databasePasswords"> {
  const passwords = {
    api: settings.METRICGATE_API_DB_PASSWORD,
    ingest: settings.METRICGATE_INGEST_DB_PASSWORD,
    directory: settings.METRICGATE_DIRECTORY_DB_PASSWORD,
    migrator: settings.METRICGATE_MIGRATOR_DB_PASSWORD,
    auditor: settings.METRICGATE_AUDITOR_DB_PASSWORD,
    jobs: settings.METRICGATE_JOBS_DB_PASSWORD,
    queue: settings.METRICGATE_QUEUE_DB_PASSWORD,
  };
  return {
    ...(settings.METRICGATE_DATABASE_URL === undefined ? {} : { databaseUrl: settings.METRICGATE_DATABASE_URL }),
    databasePasswords: Object.fromEntries(Object.entries(passwords).filter(([, password]) => password !== undefined)),
  };
}

/** Who is let in, and the keys that it rests on. Throws ConfigInvalid for settings that need one another. */
function identityOf(
  settings: z.output<typeof settingsSchema>,
): Pick<Config, "apiKey" | "auth" | "publicUrl" | "oauth" | "secretKeys" | "fernetKey"> {
  const oauth = oauthOf(settings);
  const url = settings.METRICGATE_PUBLIC_URL ?? oauth?.audience;
  if (oauth !== undefined && !(URL.canParse(url ?? "") && isSecure(new URL(url ?? "")))) {
    throw new ConfigInvalid("METRICGATE_PUBLIC_URL: is needed where METRICGATE_OAUTH_AUDIENCE is not the server's own https:// URL");
  }
  const given = {
    apiKey: settings.METRICGATE_API_KEY,
    auth: settings.METRICGATE_AUTH,
    publicUrl: settings.METRICGATE_PUBLIC_URL ?? (oauth === undefined ? undefined : url),
    oauth,
    secretKeys: settings.METRICGATE_SECRET_KEYS,
    fernetKey: settings.METRICGATE_FERNET_KEY,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function oauthOf(settings: z.output<typeof settingsSchema>): OAuthSettings | undefined {
  const { METRICGATE_OAUTH_ISSUER: issuer, METRICGATE_OAUTH_AUDIENCE: audience } = settings;
  if (issuer === undefined || audience === undefined) {
    const alone = Object.entries(settings).find(([name, value]) => name.startsWith("METRICGATE_OAUTH_") && value !== undefined);
    if (alone === undefined) return undefined;
    throw new ConfigInvalid(`${alone[0]}: needs METRICGATE_OAUTH_ISSUER and METRICGATE_OAUTH_AUDIENCE to be set together`);
  }
  return {
    issuer,
    audience,
    jwksUrl: settings.METRICGATE_OAUTH_JWKS_URL ?? `${issuer.replace(/\/$/, "")}/.well-known/jwks.json`,
    tenantClaim: settings.METRICGATE_OAUTH_TENANT_CLAIM ?? "tenant",
    tokenType: settings.METRICGATE_OAUTH_TOKEN_TYPE ?? "at+jwt",
  };
}

function rateLimitsOf(settings: z.output<typeof settingsSchema>): Config["rateLimits"] {
  const store = settings.METRICGATE_RATE_LIMIT_STORE ?? (settings.METRICGATE_REDIS_URL === undefined ? "memory" : "redis");
  if (store === "redis" && settings.METRICGATE_REDIS_URL === undefined)
    throw new ConfigInvalid("METRICGATE_RATE_LIMIT_STORE: redis needs METRICGATE_REDIS_URL to be set");
  return {
    tenantPerMinute: settings.METRICGATE_RATE_LIMIT_TENANT ?? RATE_LIMITS.tenantPerMinute,
    principalPerMinute: settings.METRICGATE_RATE_LIMIT_PRINCIPAL ?? RATE_LIMITS.principalPerMinute,
    burst: settings.METRICGATE_RATE_LIMIT_BURST ?? RATE_LIMITS.burst,
    store,
  };
}

function embeddingsOf(settings: z.output<typeof settingsSchema>): Pick<Config, "embeddings"> {
  const { METRICGATE_EMBEDDING_URL: url, METRICGATE_EMBEDDING_MODEL: model, METRICGATE_EMBEDDING_KEY: key } = settings;
  const weight = settings.METRICGATE_EMBEDDING_WEIGHT;
  const isService = [url, model, key, weight].some((setting) => setting !== undefined);
  const kind = settings.METRICGATE_EMBEDDINGS ?? (isService ? "http" : "none");
  if (kind !== "http" && isService)
    throw new ConfigInvalid(
      `METRICGATE_EMBEDDINGS: ${kind} goes without METRICGATE_EMBEDDING_URL, _MODEL, _KEY and _WEIGHT; leave these out, or set it to http`,
    );
  if (kind === "none") return {};
  if (kind === "local") return { embeddings: kind };
  if (url === undefined || model === undefined)
    throw new ConfigInvalid("METRICGATE_EMBEDDING_URL: needs METRICGATE_EMBEDDING_MODEL to be set too, and the other way round");
  return { embeddings: { url, model, ...(key === undefined ? {} : { key }), ...(weight === undefined ? {} : { weight }) } };
}

export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")) as { version: string };
  return manifest.version;
}
