import { Redis } from "ioredis";
import type { Observe } from "../observe/observation.ts";

/** A connection to Redis that is allowed to be away: whoever uses it goes on without. */
export interface RedisConnection {
  readonly client: Redis;
  /** Whether a command is worth sending now; never waits. */
  isUp(): boolean;
  /** Runs a command; undefined while Redis is away, and when the command fails. Never throws. */
  attempt<T>(command: (client: Redis) => Promise<T>): Promise<T | undefined>;
  close(): Promise<void>;
}

/** A command that takes longer is given up; a cache that slow is none. */
const COMMAND_TIMEOUT_MS = 150;
/** How long nothing is sent after a command failed. */
const REST_MS = 2_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MAX_MS = 3_000;

/** Connects in the background, and again whenever the connection is lost; being away is observed once each time. */
export function connectRedis(url: string, observe: Observe): RedisConnection {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 10), RECONNECT_MAX_MS),
  });
  let restsUntilMs = 0;
  let isLost = false;
  const lost = (error: unknown): void => {
    if (!isLost) observe({ kind: "redis_lost", reason: error instanceof Error ? error.message : String(error) });
    isLost = true;
  };
  client.on("error", lost);
  client.on("ready", () => {
    isLost = false;
    restsUntilMs = 0;
  });
  const isUp = (): boolean => client.status === "ready" && performance.now() >= restsUntilMs;
  return {
    client,
    isUp,
    attempt: async (command) => {
      if (!isUp()) return undefined;
      try {
        const value = await command(client);
        isLost = false;
        return value;
      } catch (error) {
        restsUntilMs = performance.now() + REST_MS;
        lost(error);
        return undefined;
      }
    },
    close: async () => client.disconnect(),
  };
}
