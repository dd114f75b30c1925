import { createHash } from "node:crypto";
import type { PoolClient } from "pg";
import { sqlStateOf } from "./failures.ts";

/** A plan holds some 70 to 120 bytes of the server's memory for each character of its statement: 331 kB for 3,363, 3.2 MB for 45,646. */
const MAX_CHARACTERS = { statement: 16_000, connection: 64_000 };
/** Runs by the plan that fits all values: the server's own choice rests on guesses, the caller's on a measurement. */
export const KEPT_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan";

/** The statements that a connection keeps, by name. */
const keptOf = new WeakMap<PoolClient, Map<string, number>>();

/** What the statement is called on this connection, so that the server plans it only once; undefined for one too long to keep. */
export function planName(client: PoolClient, text: string): string | undefined {
  if (text.length > MAX_CHARACTERS.statement) return undefined;
  const name = createHash("sha256").update(text).digest("base64url").slice(0, 32);
  const kept = keptOf.get(client) ?? new Map<string, number>();
  keptOf.set(client, kept.set(name, text.length));
  return name;
}

/** A connection that keeps more than it may is closed rather than cleared: the driver has no way to forget a name. */
export function keepsTooMuch(client: PoolClient): boolean {
  const lengths = keptOf.get(client)?.values() ?? [];
  return [...lengths].reduce((sum, length) => sum + length, 0) > MAX_CHARACTERS.connection;
}

/** True where the kept plan failed, not the statement: changed tables, or a pooler between that hands out other sessions. */
export function isPlanLost(thrown: unknown): boolean {
  return ["0A000", "26000", "42P05"].includes(sqlStateOf(thrown) ?? "");
}
