import pg from "pg";
import type { Observe } from "../../observe/observation.ts";
import { cancelRequestOf, sendCancelRequest } from "../cancel-request.ts";
import type { Database } from "../database.ts";
import { databaseError } from "../failures.ts";
import { loginOf, loginPools, roleOf, type PoolUse } from "../login-pools.ts";
import { migrateWith, type MigrateReport } from "../migrate.ts";
import { schemaFingerprint } from "../migration-files.ts";
import { pooledDatabase } from "../pooled.ts";
import { openDataDirectory, recordSchema } from "./data-directory.ts";
import { isSchemaCurrent, openLink, type Link } from "./link.ts";
import { VirtualSocket } from "./virtual-socket.ts";

export interface EmbeddedOptions {
  /** METRICGATE_DATA_DIR, or the user's default; made where absent, for its owner only. */
  readonly dataDir: string;
  readonly observe: Observe;
}

/** The embedded database: the port, and what only its own process can ask of it. */
export interface EmbeddedDatabase extends Database {
  readonly mode: "embedded";
  /** Whether this process runs the database or uses that of another process on the same directory. */
  readonly role: () => "leader" | "follower";
  /** Lends a superuser's connection: for migrations and tests, never for a caller's question. */
  readonly asSuperuser: <T>(work: (client: pg.Client) => Promise<T>) => Promise<T>;
}

/** One session serves all, so more connections would only wait inside instead of outside. */
const SIZES: Readonly<Record<PoolUse, number>> = { api: 4, stream: 2, ingest: 2, directory: 2, migrator: 1, auditor: 4, jobs: 3, queue: 4 };

async function asSuperuser<T>(link: Link, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    stream: () => new VirtualSocket(() => link.dial()),
    user: "postgres",
    database: "postgres",
    ssl: false,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Opens the data directory's database: runs it in a thread of this process, or joins the process that runs it, and
 * takes over when that one ends. Migrates where the files are not at this release's schema. Throws AppError
 * UNAVAILABLE where the directory cannot be used or its schema is newer.
 */
export async function openEmbedded({ dataDir, observe }: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const startMs = performance.now();
  const directory = openDataDirectory(dataDir);
  const link = openLink({
    directory,
    onEngineLost: (reason) => observe({ kind: "database_lost", mode: "embedded", reason }),
  });
  const pools = loginPools("embedded", observe, (use) => ({
    stream: () => new VirtualSocket(() => link.dial()),
    user: roleOf(loginOf(use)),
    database: "postgres",
    ssl: false,
    max: SIZES[use],
  }));
  const close = async (): Promise<void> => {
    await pools.end();
    await link.close();
  };
  const migrate = (): Promise<MigrateReport> => asSuperuser(link, (client) => migrateWith(client));
  try {
    (await link.dial()).destroy();
    if (!isSchemaCurrent(directory)) {
      await migrate();
      recordSchema(directory, schemaFingerprint());
    }
  } catch (thrown) {
    await close();
    throw databaseError(thrown);
  }
  observe({ kind: "database_opened", mode: "embedded", openMs: performance.now() - startMs, role: link.role() });
  const database = pooledDatabase({
    mode: "embedded",
    keepsPlans: false,
    pool: pools.pool,
    cancel: (client) => {
      const request = cancelRequestOf(client);
      link.dial().then(
        (stream) => sendCancelRequest(stream, request),
        () => undefined, // nobody runs the database, so nothing runs in it
      );
    },
    deadlineGraceMs: 0,
    close,
  });
  return { ...database, mode: "embedded", role: () => link.role(), asSuperuser: (work) => asSuperuser(link, work) };
}
