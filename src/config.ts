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

const count = (min: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min, `must be at least ${min}`);

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Settings by their name in the environment; the file uses the same names. */
const settingsSchema = z.object({
  METRICGATE_DATABASE_URL: url(["postgres:", "postgresql:"]).optional(),
  METRICGATE_API_DB_PASSWORD: z.string().optional(),
  METRICGATE_INGEST_DB_PASSWORD: z.string().optional(),
  METRICGATE_DIRECTORY_DB_PASSWORD: z.string().optional(),
  METRICGATE_MIGRATOR_DB_PASSWORD: z.string().optional(),
  METRICGATE_DATA_DIR: z.string().min(1).optional(),
  METRICGATE_CATALOG_DIR: z.string().min(1).optional(),
  METRICGATE_TENANT: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "must be a tenant's short name, as printed by `metricgate tenant list`")
    .optional(),
  METRICGATE_USER: z.string().min(1).max(200).optional(),
  METRICGATE_ALLOWED_ORIGINS: list.pipe(z.array(origin)).optional(),
  METRICGATE_REDIS_URL: url(["redis:", "rediss:"]).optional(),
  METRICGATE_RATE_LIMIT_TENANT: count(1).optional(),
  METRICGATE_RATE_LIMIT_PRINCIPAL: count(1).optional(),
  METRICGATE_RATE_LIMIT_BURST: count(0).optional(),
  METRICGATE_LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`).optional(),
});

/** Everything that can be set, checked. */
export interface Config {
  /** Absent: the embedded database. */
  readonly databaseUrl?: string;
  readonly databasePasswords: Readonly<Partial<Record<"api" | "ingest" | "directory" | "migrator", string>>>;
  /** Where the embedded database lives. */
  readonly dataDir: string;
  readonly catalogDir: string;
  /** Who acts where nobody logs in: over stdio, on the command line and on loopback. */
  readonly tenant?: string;
  readonly user: string;
  readonly allowedOrigins: readonly string[];
  /** Absent: nothing is shared between processes. */
  readonly redisUrl?: string;
  /** Calls a minute of a tenant and of one caller, and calls beyond in ten minutes. */
  readonly rateLimits: { readonly tenantPerMinute: number; readonly principalPerMinute: number; readonly burst: number };
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

const RATE_LIMITS = { tenantPerMinute: 600, principalPerMinute: 240, burst: 120 } as const;

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
  const passwords = {
    api: settings.METRICGATE_API_DB_PASSWORD,
    ingest: settings.METRICGATE_INGEST_DB_PASSWORD,
    directory: settings.METRICGATE_DIRECTORY_DB_PASSWORD,
    migrator: settings.METRICGATE_MIGRATOR_DB_PASSWORD,
  };
  const isEmbedded = settings.METRICGATE_DATABASE_URL === undefined;
  const tenant = settings.METRICGATE_TENANT ?? (isEmbedded ? "demo" : undefined);
  return {
    ...(settings.METRICGATE_DATABASE_URL === undefined ? {} : { databaseUrl: settings.METRICGATE_DATABASE_URL }),
    databasePasswords: Object.fromEntries(Object.entries(passwords).filter(([, password]) => password !== undefined)),
    dataDir: settings.METRICGATE_DATA_DIR ?? join(environment["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), "metricgate"),
    catalogDir: settings.METRICGATE_CATALOG_DIR ?? join(PACKAGE_ROOT, "catalog"),
    ...(tenant === undefined ? {} : { tenant }),
    user: settings.METRICGATE_USER ?? "local",
    allowedOrigins: settings.METRICGATE_ALLOWED_ORIGINS ?? [],
    ...(settings.METRICGATE_REDIS_URL === undefined ? {} : { redisUrl: settings.METRICGATE_REDIS_URL }),
    rateLimits: rateLimitsOf(settings),
    logLevel: settings.METRICGATE_LOG_LEVEL ?? "warn",
  };
}

function rateLimitsOf(settings: z.output<typeof settingsSchema>): Config["rateLimits"] {
  return {
    tenantPerMinute: settings.METRICGATE_RATE_LIMIT_TENANT ?? RATE_LIMITS.tenantPerMinute,
    principalPerMinute: settings.METRICGATE_RATE_LIMIT_PRINCIPAL ?? RATE_LIMITS.principalPerMinute,
    burst: settings.METRICGATE_RATE_LIMIT_BURST ?? RATE_LIMITS.burst,
  };
}

export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")) as { version: string };
  return manifest.version;
}
