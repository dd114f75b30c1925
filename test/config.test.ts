import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { CONFIG_FILE, ConfigInvalid, PACKAGE_ROOT, packageVersion, readConfig } from "../src/config.ts";

/** A working directory with a settings file. */
function directoryWith(settings?: unknown): string {
  const directory = mkdtempSync(join(tmpdir(), "metricgate-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  if (settings !== undefined)
    writeFileSync(join(directory, CONFIG_FILE), typeof settings === "string" ? settings : JSON.stringify(settings));
  return directory;
}

/** The message of a refusal: one line. */
function refusal(environment: Record<string, string>, directory = directoryWith()): string {
  try {
    readConfig(environment, directory);
  } catch (error) {
    if (!(error instanceof ConfigInvalid)) throw error;
    expect(error.message).not.toContain("\n");
    return error.message;
  }
  throw new Error("the settings were accepted");
}

const INTER = join(PACKAGE_ROOT, "assets/fonts/Inter-Regular.ttf");

test("nothing set: the embedded database, the demo tenant, the shipped catalog", () => {
  expect(readConfig({}, directoryWith())).toEqual({
    databasePasswords: {},
    dataDir: join(homedir(), ".local", "share", "metricgate"),
    catalogDir: join(PACKAGE_ROOT, "catalog"),
    tenant: "demo",
    user: "local",
    allowedOrigins: [],
    rateLimits: { tenantPerMinute: 3_000, principalPerMinute: 1_200, burst: 600, store: "memory" },
    chartFonts: [],
    logLevel: "warn",
  });
  expect(readConfig({ XDG_DATA_HOME: "/var/data" }, directoryWith()).dataDir).toBe("/var/data/metricgate");
  // The XDG specification: an empty variable counts as unset.
  expect(readConfig({ XDG_DATA_HOME: "" }, directoryWith()).dataDir).toBe(readConfig({}, directoryWith()).dataDir);
});

test("with a server's database no tenant is assumed", () => {
  const config = readConfig({ METRICGATE_DATABASE_URL: "postgres://db/x" }, directoryWith());
  expect(config.databaseUrl).toBe("postgres://db/x");
  expect("tenant" in config).toBe(false);
});

test("flags win over the environment, which wins over the file; empty is as not set", () => {
  const directory = directoryWith({ METRICGATE_TENANT: "file", METRICGATE_USER: "file", METRICGATE_LOG_LEVEL: "debug" });
  const environment = { METRICGATE_TENANT: "environment", METRICGATE_USER: "environment", METRICGATE_LOG_LEVEL: "" };
  expect(readConfig(environment, directory, { METRICGATE_TENANT: "flag", METRICGATE_USER: undefined })).toMatchObject({
    tenant: "flag",
    user: "environment",
    logLevel: "debug",
  });
  expect(readConfig(environment, directory, { METRICGATE_TENANT: "" })).toMatchObject({ tenant: "environment" });
});

test("every setting arrives", () => {
  const config = readConfig(
    {
      METRICGATE_DATABASE_URL: "postgresql://db/x",
      METRICGATE_API_DB_PASSWORD: "a",
      METRICGATE_INGEST_DB_PASSWORD: "i",
      METRICGATE_DIRECTORY_DB_PASSWORD: "d",
      METRICGATE_MIGRATOR_DB_PASSWORD: "m",
      METRICGATE_DATA_DIR: "/data",
      METRICGATE_CATALOG_DIR: "/catalog",
      METRICGATE_TENANT: "acme",
      METRICGATE_USER: "ada",
      METRICGATE_API_KEY: "mgk_0123456789abcdef_secret",
      METRICGATE_AUTH: "required",
      METRICGATE_PUBLIC_URL: "https://m.example/mcp",
      METRICGATE_OAUTH_ISSUER: "https://login.example/",
      METRICGATE_OAUTH_AUDIENCE: "metricgate",
      METRICGATE_OAUTH_JWKS_URL: "http://127.0.0.1:1/keys",
      METRICGATE_OAUTH_TENANT_CLAIM: "https://login.example/tenant",
      METRICGATE_OAUTH_TOKEN_TYPE: "jwt",
      METRICGATE_SECRET_KEYS: "k1:x",
      METRICGATE_FERNET_KEY: "f",
      METRICGATE_ALLOWED_ORIGINS: "https://a.example, http://b.example:8080,",
      METRICGATE_CHART_FONTS: INTER,
      METRICGATE_LOG_LEVEL: "trace",
      METRICGATE_REDIS_URL: "rediss://user:secret@cache:6380/1",
      METRICGATE_RATE_LIMIT_TENANT: "50",
      METRICGATE_RATE_LIMIT_PRINCIPAL: "5",
      METRICGATE_RATE_LIMIT_BURST: "0",
      METRICGATE_EMBEDDING_URL: "http://127.0.0.1:11434/v1",
      METRICGATE_EMBEDDING_MODEL: "small",
      METRICGATE_EMBEDDING_KEY: "sk",
      METRICGATE_RATE_LIMIT_STORE: "postgres",
    },
    directoryWith(),
  );
  expect(config).toEqual({
    embeddings: { url: "http://127.0.0.1:11434/v1", model: "small", key: "sk" },
    databaseUrl: "postgresql://db/x",
    databasePasswords: { api: "a", ingest: "i", directory: "d", migrator: "m" },
    dataDir: "/data",
    catalogDir: "/catalog",
    tenant: "acme",
    user: "ada",
    apiKey: "mgk_0123456789abcdef_secret",
    auth: "required",
    publicUrl: "https://m.example/mcp",
    oauth: {
      issuer: "https://login.example/",
      audience: "metricgate",
      jwksUrl: "http://127.0.0.1:1/keys",
      tenantClaim: "https://login.example/tenant",
      tokenType: "jwt",
    },
    secretKeys: "k1:x",
    fernetKey: "f",
    allowedOrigins: ["https://a.example", "http://b.example:8080"],
    redisUrl: "rediss://user:secret@cache:6380/1",
    rateLimits: { tenantPerMinute: 50, principalPerMinute: 5, burst: 0, store: "postgres" },
    chartFonts: [INTER],
    logLevel: "trace",
  });
});

test.each([
  ["METRICGATE_DATABASE_URL", "mysql://root:hunter2@db/x"],
  ["METRICGATE_DATABASE_URL", "db"],
  ["METRICGATE_TENANT", "Acme Inc"],
  ["METRICGATE_TENANT", "../x"],
  ["METRICGATE_USER", "x".repeat(201)],
  ["METRICGATE_ALLOWED_ORIGINS", "https://a.example/path"],
  ["METRICGATE_ALLOWED_ORIGINS", "*"],
  ["METRICGATE_LOG_LEVEL", "loud"],
  ["METRICGATE_CHART_FONTS", "/no/such/hunter2.ttf"],
  ["METRICGATE_CHART_FONTS", join(PACKAGE_ROOT, "package.json")],
  ["METRICGATE_API_KEY", "hunter2"],
  ["METRICGATE_AUTH", "maybe"],
  ["METRICGATE_PUBLIC_URL", "http://m.example/mcp"],
  ["METRICGATE_OAUTH_ISSUER", "http://login.example"],
  ["METRICGATE_OAUTH_ISSUER", "http://127.0.0.1.evil.example"],
  ["METRICGATE_OAUTH_ISSUER", "https://login.example?x=hunter2"],
  ["METRICGATE_OAUTH_ISSUER", "https://root:hunter2@login.example"],
  ["METRICGATE_OAUTH_ISSUER", "https://login.example"],
  ["METRICGATE_OAUTH_AUDIENCE", "https://m.example/mcp"],
  ["METRICGATE_OAUTH_JWKS_URL", "ftp://login.example"],
  ["METRICGATE_OAUTH_TENANT_CLAIM", "org"],
  ["METRICGATE_OAUTH_TOKEN_TYPE", "id+jwt"],
  ["METRICGATE_REDIS_URL", "http://hunter2@cache"],
  ["METRICGATE_RATE_LIMIT_TENANT", "0"],
  ["METRICGATE_RATE_LIMIT_PRINCIPAL", "many"],
  ["METRICGATE_RATE_LIMIT_BURST", "-1"],
  ["METRICGATE_RATE_LIMIT_STORE", "disk"],
  ["METRICGATE_RATE_LIMIT_STORE", "redis"],
])("%s=%s is refused in one line that names the setting and repeats no secret", (name, value) => {
  const message = refusal({ [name]: value });
  expect(message.startsWith(`${name}: `)).toBe(true);
  expect(message).not.toContain("hunter2");
});

test("calls are counted on Redis where there is one, unless said otherwise", () => {
  const redis = { METRICGATE_REDIS_URL: "redis://cache" };
  const storeOf = (settings: Record<string, string>) => readConfig(settings, directoryWith()).rateLimits.store;
  expect(storeOf(redis)).toBe("redis");
  expect(storeOf({ ...redis, METRICGATE_RATE_LIMIT_STORE: "memory" })).toBe("memory");
});

test("an issuer's keys and a server's own address follow from the issuer and the audience", () => {
  const issuer = { METRICGATE_OAUTH_ISSUER: "https://login.example/realm/", METRICGATE_OAUTH_AUDIENCE: "https://m.example/mcp" };
  expect(readConfig(issuer, directoryWith())).toMatchObject({
    publicUrl: "https://m.example/mcp",
    oauth: {
      issuer: "https://login.example/realm/",
      jwksUrl: "https://login.example/realm/.well-known/jwks.json",
      tenantClaim: "tenant",
      tokenType: "at+jwt",
    },
  });
  expect(refusal({ ...issuer, METRICGATE_OAUTH_AUDIENCE: "metricgate" })).toMatch(/^METRICGATE_PUBLIC_URL: is needed/);
  expect(refusal({ ...issuer, METRICGATE_OAUTH_AUDIENCE: "http://m.example/mcp" })).toMatch(/^METRICGATE_PUBLIC_URL: is needed/);
});

test.each([
  ["no JSON", "{", "is not JSON"],
  ["a list", [], "must be an object of texts"],
  ["a number for a text", { METRICGATE_TENANT: 1 }, "must be an object of texts"],
  ["an unknown setting", { METRICGATE_TENNANT: "acme" }, 'there is no setting "METRICGATE_TENNANT"'],
  ["a name of every object", '{"constructor": "x"}', 'there is no setting "constructor"'],
])("a settings file with %s is refused", (_what, settings, message) => {
  expect(refusal({}, directoryWith(settings))).toContain(`${CONFIG_FILE}: ${message}`);
});

test("an embedding service needs its address and a model, and nobody in between", () => {
  for (const settings of [
    { METRICGATE_EMBEDDING_URL: "https://api.example/v1" },
    { METRICGATE_EMBEDDING_MODEL: "small" },
    { METRICGATE_EMBEDDING_KEY: "sk" },
    { METRICGATE_EMBEDDING_URL: "http://api.example/v1", METRICGATE_EMBEDDING_MODEL: "small" },
  ])
    expect(() => readConfig(settings, directoryWith())).toThrow(/METRICGATE_EMBEDDING_URL/);
});

test("embeddings are made by one kind of provider, or none", () => {
  const service = { METRICGATE_EMBEDDING_URL: "https://api.example/v1", METRICGATE_EMBEDDING_MODEL: "small" };
  expect(readConfig({ METRICGATE_EMBEDDINGS: "local" }, directoryWith()).embeddings).toBe("local");
  expect(readConfig({ METRICGATE_EMBEDDINGS: "none" }, directoryWith())).not.toHaveProperty("embeddings");
  expect(readConfig({ METRICGATE_EMBEDDINGS: "http", ...service }, directoryWith()).embeddings).toMatchObject({ model: "small" });
  expect(readConfig({ ...service, METRICGATE_EMBEDDING_WEIGHT: "0.5" }, directoryWith()).embeddings).toMatchObject({ weight: 0.5 });
  expect(refusal({ ...service, METRICGATE_EMBEDDING_WEIGHT: "3" })).toContain("METRICGATE_EMBEDDING_WEIGHT: must be from 0 to 2");
  expect(refusal({ METRICGATE_EMBEDDINGS: "http" })).toContain("METRICGATE_EMBEDDING_URL: needs METRICGATE_EMBEDDING_MODEL");
  for (const kind of ["none", "local"])
    expect(refusal({ METRICGATE_EMBEDDINGS: kind, ...service })).toContain(
      `METRICGATE_EMBEDDINGS: ${kind} goes without METRICGATE_EMBEDDING_URL`,
    );
  expect(refusal({ METRICGATE_EMBEDDINGS: "cloud" })).toContain("METRICGATE_EMBEDDINGS: must be one of none, http, local");
});

test("a settings file with a wrong value names the setting", () => {
  expect(refusal({}, directoryWith({ METRICGATE_LOG_LEVEL: "loud" }))).toContain("METRICGATE_LOG_LEVEL: ");
});

test("a settings file that cannot be read is refused, not passed over", () => {
  const directory = directoryWith();
  mkdirSync(join(directory, CONFIG_FILE));
  expect(refusal({}, directory)).toContain(CONFIG_FILE);
});

test("the version is the package's", () => {
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
});
