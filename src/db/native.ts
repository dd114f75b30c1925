import type pg from "pg";
import type { Observe } from "../observe/observation.ts";
import { cancelOverWire } from "./cancel-request.ts";
import type { Database, Login } from "./database.ts";
import { loginOf, loginPools, roleOf, POOL_SIZES, type PoolUse } from "./login-pools.ts";
import { pooledDatabase } from "./pooled.ts";

/** Passwords of the logins; a login without one uses that of the URL. */
export type LoginPasswords = Readonly<Partial<Record<Login, string>>>;

export interface NativeOptions {
  /** METRICGATE_DATABASE_URL. Its user is not used here: each login connects as itself. */
  readonly url: string;
  readonly passwords?: LoginPasswords;
  readonly observe: Observe;
  /** Connections per use where the default does not fit. */
  readonly poolSizes?: Readonly<Partial<Record<PoolUse, number>>>;
  /** How long a call waits for a connection before it is BUSY, in milliseconds. */
  readonly connectTimeoutMs?: number;
}

/** The URL's password, decoded; undefined where it has none. */
export function passwordOf(url: string): string | undefined {
  const found = /^[a-z]+:\/\/[^:@/?#]*:([^@/?#]*)@/i.exec(url)?.[1];
  return found === undefined ? undefined : decodeURIComponent(found);
}

/** The same database, seen by another login. Works for URLs without a host too (`postgres:///db?host=/run/postgresql`). */
export function urlForLogin(url: string, login: Login, passwords: LoginPasswords): string {
  const password = passwords[login] ?? passwordOf(url);
  const credentials = password === undefined ? roleOf(login) : `${roleOf(login)}:${encodeURIComponent(password)}`;
  const changed = url.replace(/^(postgres(?:ql)?:\/\/)(?:[^@/?#]*@)?/i, `$1${credentials}@`);
  if (!changed.includes(`${credentials}@`)) throw new TypeError("the database URL must start with postgres://");
  return changed;
}

/**
 * The native PostgreSQL adapter. Connects when first used, so it opens at once even while the server is away.
 * Runs under the logins only, whatever user the URL names.
 */
export function openNative(options: NativeOptions): Database {
  const configFor = (use: PoolUse): pg.PoolConfig => ({
    connectionString: urlForLogin(options.url, loginOf(use), options.passwords ?? {}),
    max: options.poolSizes?.[use] ?? POOL_SIZES[use],
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
  });
  const pools = loginPools("native", options.observe, configFor);
  return pooledDatabase({
    mode: "native",
    keepsPlans: true,
    pool: pools.pool,
    cancel: cancelOverWire,
    deadlineGraceMs: 500,
    close: pools.end,
  });
}
