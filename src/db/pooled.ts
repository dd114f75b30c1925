import type { Pool, PoolClient, QueryArrayConfig, QueryArrayResult } from "pg";
import QueryStream from "pg-query-stream";
import { AppError } from "../errors.ts";
import { cutConnection } from "./cancel-request.ts";
import type { Database, Login, ReadRequest, Rows } from "./database.ts";
import { databaseError, endedError, isConnectionLost, type EndedBy } from "./failures.ts";
import { isPlanLost, keepsTooMuch, KEPT_PLAN, planName } from "./kept-plans.ts";
import { VALUE_TYPES } from "./value-parsers.ts";

/** What differs between the adapters. */
export interface Pools {
  readonly mode: Database["mode"];
  readonly keepsPlans: boolean;
  /** `stream` is the api login again, without pipelining: a portal cannot share a pipelined connection. */
  pool(use: Login | "stream"): Pool;
  /** Asks the server to end what the connection runs. May come too early or too late, so it is repeated. */
  cancel(client: PoolClient): void;
  /** Milliseconds that the server gets to end a statement itself before the deadline is enforced from here. */
  readonly deadlineGraceMs: number;
  close(): Promise<void>;
}

const CANCEL_AGAIN_MS = 100;
const GIVE_UP_MS = 3_000;
/** Looking up who calls is short, and every call waits for it: a connection that has gone silent must not hold them all. */
const DIRECTORY_TIMEOUT_MS = 5_000;

/** Watches one checked-out connection: ends its statement at the deadline or the caller's wish. */
interface Watch {
  readonly endedBy: () => EndedBy | undefined;
  readonly stop: () => void;
}

function watch(pools: Pools, client: PoolClient, deadlineMs: number, signal: AbortSignal | undefined): Watch {
  let endedBy: EndedBy | undefined;
  let again: NodeJS.Timeout | undefined;
  let giveUp: NodeJS.Timeout | undefined;
  const end = (by: EndedBy): void => {
    if (endedBy !== undefined) return;
    endedBy = by;
    pools.cancel(client);
    again = setInterval(() => pools.cancel(client), CANCEL_AGAIN_MS);
    giveUp = setTimeout(() => cutConnection(client), GIVE_UP_MS);
  };
  const deadline = setTimeout(() => end("deadline"), deadlineMs - performance.now() + pools.deadlineGraceMs);
  const onAbort = (): void => end("caller");
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  return {
    endedBy: () => endedBy,
    stop: () => {
      clearTimeout(deadline);
      clearInterval(again);
      clearTimeout(giveUp);
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

/** A connection of the pool, or the caller's cancellation while waiting for one. */
async function checkOut(pool: Pool, signal: AbortSignal | undefined): Promise<PoolClient> {
  if (signal?.aborted === true) throw endedError("caller");
  const connecting = pool.connect();
  if (signal === undefined) return connecting;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(endedError("caller"));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([connecting, aborted]);
  } catch (thrown) {
    connecting.then(
      (client) => client.release(),
      () => undefined,
    );
    throw thrown;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** The driver's types do not know `queryMode`, which keeps a statement without values off the simple protocol. */
type ExtendedConfig = QueryArrayConfig & { readonly queryMode: "extended" };

/** Sends together what is asked together: a write to a socket costs some 0.05 ms, and the driver makes one a query. */
function inOneWrite<T>({ connection: { stream } }: PoolClient, ask: () => T): T {
  stream.cork();
  try {
    return ask();
  } finally {
    stream.uncork();
  }
}

async function pipelined(client: PoolClient, { prologue, statement: { text, values }, keepPlan }: ReadRequest): Promise<Rows> {
  const fresh: ExtendedConfig = { text, values: [...values], rowMode: "array", queryMode: "extended" };
  const name = keepPlan === true ? planName(client, text) : undefined;
  const statement = name === undefined ? fresh : { ...fresh, name };
  const opening = name === undefined ? prologue : `${prologue}; ${KEPT_PLAN}`;
  const settled = await Promise.allSettled(
    inOneWrite(client, () => [client.query(opening), client.query<unknown[]>(statement), client.query("COMMIT")] as const),
  );
  // The first failure is the cause; what follows it only says that the transaction is aborted.
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  const result = (settled[1] as PromiseFulfilledResult<QueryArrayResult<unknown[]>>).value;
  return { columns: result.fields.map((field) => field.name), rows: result.rows };
}

async function runOnce(pools: Pools, login: Login, request: ReadRequest, deadlineMs: number): Promise<Rows> {
  const client = await checkOut(pools.pool(login), request.signal);
  const watching = watch(pools, client, deadlineMs, request.signal);
  let clean = false;
  try {
    const rows = await pipelined(client, request);
    clean = client.getTransactionStatus() === "I" && watching.endedBy() === undefined && !keepsTooMuch(client);
    return rows;
  } catch (thrown) {
    const endedBy = watching.endedBy();
    throw endedBy === undefined ? thrown : databaseError(thrown, endedBy);
  } finally {
    watching.stop();
    client.release(!clean);
  }
}

async function run(pools: Pools, login: Login, request: ReadRequest): Promise<Rows> {
  const deadlineMs = performance.now() + request.timeoutMs;
  const fresh: ReadRequest = { ...request, keepPlan: false };
  try {
    return await runOnce(pools, login, pools.keepsPlans ? request : fresh, deadlineMs);
  } catch (thrown) {
    // A connection that died under it: once more on a new one (a restarted server leaves dead ones in the pool).
    if (!(isConnectionLost(thrown) || isPlanLost(thrown)) || performance.now() >= deadlineMs) throw databaseError(thrown);
  }
  try {
    return await runOnce(pools, login, fresh, deadlineMs);
  } catch (thrown) {
    throw databaseError(thrown);
  }
}

/** pg-query-stream's cursor, which its types leave open. */
interface Cursor {
  readonly read: (rows: number) => Promise<readonly (readonly unknown[])[]>;
}

/** Waits for what a connection is asked for, but no longer than the connection lasts: its cursor may never tell. */
interface Lifeline {
  readonly whileOpen: <T>(asked: Promise<T>) => Promise<T>;
  readonly forget: () => void;
}

function lifelineOf(client: PoolClient): Lifeline {
  let lostBy: Error | undefined;
  // The last one only: a race against one promise would hold on to every batch for as long as that stands.
  let giveUp: (error: Error) => void = () => undefined;
  const onError = (error: Error): void => {
    lostBy ??= error;
    giveUp(lostBy);
  };
  const onEnd = (): void => onError(new Error("Connection terminated unexpectedly"));
  client.on("error", onError);
  client.on("end", onEnd);
  return {
    whileOpen: (asked) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        asked.then(resolve, reject);
        if (lostBy !== undefined) reject(lostBy);
      }),
    forget: () => void client.off("error", onError).off("end", onEnd),
  };
}

async function* stream(pools: Pools, request: ReadRequest, batchRows: number): AsyncGenerator<readonly (readonly unknown[])[]> {
  const deadlineMs = performance.now() + request.timeoutMs;
  const client = await checkOut(pools.pool("stream"), request.signal).catch((thrown: unknown) => {
    throw databaseError(thrown);
  });
  const watching = watch(pools, client, deadlineMs, request.signal);
  const { whileOpen, forget } = lifelineOf(client);
  let clean = false;
  try {
    await whileOpen(client.query(request.prologue));
    const query = new QueryStream(request.statement.text, [...request.statement.values], {
      rowMode: "array",
      types: VALUE_TYPES,
    });
    const cursor = client.query(query).cursor as Cursor;
    // The cursor itself: the stream around it waits for ever for a server that ended the connection.
    for (;;) {
      const batch = await whileOpen(cursor.read(batchRows));
      if (batch.length > 0) yield batch;
      if (batch.length < batchRows) break;
    }
    await whileOpen(client.query("COMMIT"));
    clean = watching.endedBy() === undefined;
  } catch (thrown) {
    throw databaseError(thrown, watching.endedBy());
  } finally {
    watching.stop();
    forget();
    if (!clean) cutConnection(client);
    client.release(!clean);
  }
}

async function session<T>(pools: Pools, login: Login, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pools
    .pool(login)
    .connect()
    .catch((thrown: unknown) => {
      throw databaseError(thrown);
    });
  // Imports and migrations take as long as they take.
  const watching = login === "directory" ? watch(pools, client, performance.now() + DIRECTORY_TIMEOUT_MS, undefined) : undefined;
  let clean = false;
  try {
    const done = await work(client);
    if (client.getTransactionStatus() !== "I") {
      throw new AppError("INTERNAL", "A transaction was left open.");
    }
    clean = watching?.endedBy() === undefined;
    return done;
  } catch (thrown) {
    throw isOfDatabase(thrown) ? databaseError(thrown) : thrown;
  } finally {
    watching?.stop();
    client.release(!clean);
  }
}

/** What pg threw, as opposed to what the session's own work threw. */
function isOfDatabase(thrown: unknown): boolean {
  return isConnectionLost(thrown) || (thrown instanceof Error && "severity" in thrown);
}

/** The port over pg pools; both adapters are this, with their own pools and their own way to cancel. */
export function pooledDatabase(pools: Pools): Database {
  return {
    mode: pools.mode,
    keepsPlans: pools.keepsPlans,
    read: (request) => run(pools, "api", request),
    stream: (request, batchRows) => stream(pools, request, batchRows),
    append: (request) => run(pools, "auditor", request),
    session: (login, work) => session(pools, login, work),
    pool: (login) => pools.pool(login),
    close: () => pools.close(),
  };
}
