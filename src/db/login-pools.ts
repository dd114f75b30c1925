import pg from "pg";
import type { Observe } from "../observe/observation.ts";
import { settledWithin } from "../settled-within.ts";
import { cutConnection } from "./cancel-request.ts";
import type { Database, Login } from "./database.ts";
import { VALUE_TYPES } from "./value-parsers.ts";

/** How one pool connects and how large it may grow. */
export type PoolUse = Login | "stream";

/** Connections per use; api and stream serve questions, auditor records them, jobs and queue run them later, the others a few writers. */
export const POOL_SIZES: Readonly<Record<PoolUse, number>> = {
  api: 10,
  stream: 3,
  ingest: 4,
  directory: 3,
  migrator: 2,
  auditor: 8,
  jobs: 8,
  queue: 8,
};

/** How long connections get to end in order; then they are cut. A peer that is gone would never let them. */
const END_MS = 1_000;

/** The login that a use connects as. */
export function loginOf(use: PoolUse): Login {
  return use === "stream" ? "api" : use;
}

/** The role's name in the database. */
export function roleOf(login: Login): string {
  return `metricgate_${login}`;
}

/** Pools made on first use, one per use; every connection reads values as the port promises, in UTC. */
export function loginPools(
  mode: Database["mode"],
  observe: Observe,
  configFor: (use: PoolUse) => pg.PoolConfig,
): {
  readonly pool: (use: PoolUse) => pg.Pool;
  readonly end: () => Promise<void>;
} {
  const pools = new Map<PoolUse, pg.Pool>();
  const open = new Set<pg.PoolClient>();
  const lost = (thrown: Error): void => observe({ kind: "database_lost", mode, reason: thrown.message });
  const make = (use: PoolUse): pg.Pool => {
    const pool = new pg.Pool({
      max: POOL_SIZES[use],
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      // A peer that vanished is noticed in some 20 s, also while nothing is asked; the system would take two hours.
      keepAliveInitialDelayMillis: 10_000,
      application_name: `metricgate ${use}`,
      options: `-c TimeZone=UTC -c DateStyle=ISO,YMD${use === "queue" ? " -c search_path=bullmq" : ""}`,
      pipeline: use === "api" || use === "auditor",
      // BullMQ reads values its own way.
      ...(use === "queue" ? {} : { types: VALUE_TYPES }),
      ...configFor(use),
    });
    // Without a listener on both, a server's restart ends this process.
    pool.on("error", lost);
    pool.on("connect", (client) => {
      open.add(client);
      client.on("error", () => undefined);
    });
    pool.on("remove", (client) => open.delete(client));
    return pool;
  };
  return {
    pool: (use) => {
      const pool = pools.get(use) ?? make(use);
      pools.set(use, pool);
      return pool;
    },
    end: async () => {
      const ended = Promise.all([...pools.values()].map((pool) => pool.end()));
      pools.clear();
      if (await settledWithin(ended, END_MS)) return void (await ended);
      for (const client of open) cutConnection(client);
      await settledWithin(ended, END_MS);
    },
  };
}
