import { randomInt } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Engine } from "./engine.ts";
import { SESSION_RESET, VirtualConnection, type ConnectionHost } from "./virtual-connection.ts";
import { frame, int32, query, readyForQuery, rowTexts, splitFrames, textAt, typeOf } from "./wire.ts";

export interface MuxOptions {
  /** How long a batch may wait for the session before it is refused as busy, in milliseconds. */
  readonly maxWaitMs?: number;
  /** How long a connection may hold a transaction without using it, in milliseconds. */
  readonly maxIdleInTransactionMs?: number;
  /** Told when the engine was lost under a statement, with the reason. */
  readonly onEngineLost?: (reason: string) => void;
}

/** Many wire connections on one database session. */
export interface Mux {
  readonly accept: (socket: Duplex) => void;
  readonly connections: () => number;
  /** Closes all connections; what runs ends first. */
  readonly close: () => Promise<void>;
}

interface Batch {
  readonly kind: "batch";
  readonly connection: VirtualConnection;
  readonly bytes: Buffer;
  readonly late: NodeJS.Timeout;
}

type Job = Batch | { readonly kind: "start" | "clean"; readonly connection: VirtualConnection };

/**
 * The session belongs to one connection from its batch until the session is idle again ('I'), so a transaction is
 * never interleaved. Between transactions it is put into the next connection's shape: login, role, settings.
 */
class SessionMux implements Mux {
  readonly #engine: Engine;
  readonly #options: MuxOptions;
  readonly #all = new Set<VirtualConnection>();
  readonly #queue: Job[] = [];
  readonly #host: ConnectionHost;
  #owner: VirtualConnection | undefined;
  #shapedFor: VirtualConnection | undefined;
  #running: VirtualConnection | undefined;
  #isPumping = false;
  #pumping: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Whose statement we ended the thread for. */
  #interrupted: VirtualConnection | undefined;
  #nextPid = randomInt(1, 1_000_000);

  constructor(engine: Engine, options: MuxOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#host = {
      onStartup: (connection) => this.#push({ kind: "start", connection }),
      onBatch: (connection, bytes) => {
        const late = setTimeout(() => this.#tooLate(connection), options.maxWaitMs ?? 30_000);
        this.#push({ kind: "batch", connection, bytes, late });
      },
      onCancel: (pid, secret) => this.#cancel(pid, secret),
      onClose: (connection) => this.#closed(connection),
    };
  }

  accept(socket: Duplex): void {
    this.#all.add(new VirtualConnection(socket, this.#host, this.#nextPid++, randomInt(-(2 ** 31), 2 ** 31)));
  }

  connections(): number {
    return this.#all.size;
  }

  async close(): Promise<void> {
    for (const connection of this.#all) connection.fail("57P01", "the embedded database is closing");
    await this.#pumping;
  }

  #push(job: Job): void {
    this.#queue.push(job);
    if (!this.#isPumping) this.#pumping = this.#pump();
  }

  /** The next job: the owner's while there is one, else the oldest. */
  #next(): Job | undefined {
    const index = this.#owner === undefined ? 0 : this.#queue.findIndex((job) => job.connection === this.#owner);
    return index < 0 ? undefined : this.#queue.splice(index, 1)[0];
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      clearTimeout(this.#idle);
      this.#idle = undefined;
      this.#running = job.connection;
      try {
        await this.#do(job);
      } catch (thrown) {
        this.#engineLost(job.connection, thrown);
      }
      this.#running = undefined;
    }
    this.#isPumping = false;
    const owner = this.#owner;
    if (owner === undefined || this.#idle !== undefined) return; // others that wait do not prolong it
    this.#idle = setTimeout(
      () => owner.fail("25P03", "terminating connection due to idle-in-transaction timeout"),
      this.#options.maxIdleInTransactionMs ?? 300_000,
    );
  }

  async #do(job: Job): Promise<void> {
    if (job.kind === "clean") return this.#clean(job.connection);
    if (job.connection.closed) return undefined;
    if (job.kind === "start") return this.#start(job.connection);
    // What the client has sent behind this comes along: one trip to the engine for a pipelined transaction.
    const batches = [job, ...this.#queue.filter((other) => other.kind === "batch" && other.connection === job.connection)] as Batch[];
    const kept = this.#queue.filter((other) => !batches.includes(other as Batch));
    this.#queue.splice(0, this.#queue.length, ...kept);
    for (const { late } of batches) clearTimeout(late);
    return this.#run(job.connection, Buffer.concat(batches.map(({ bytes }) => bytes)));
  }

  async #run(connection: VirtualConnection, bytes: Buffer): Promise<void> {
    const prelude = this.#shapedFor === connection ? undefined : connection.prelude;
    this.#shapedFor = connection;
    this.#owner = connection;
    let rest: Buffer = Buffer.alloc(0);
    let status = "";
    const outcome = await this.#engine.run(bytes, prelude, (output) => {
      const cut = splitFrames(rest.length === 0 ? output : Buffer.concat([rest, output]));
      rest = cut.rest;
      status = this.#deliver(connection, cut.frames) || status;
    });
    if (outcome.refused !== undefined) {
      this.#shapedFor = undefined;
      this.#owner = undefined;
      return connection.fail("28000", `role "${connection.user}" cannot use the embedded database`);
    }
    if (status === "I") this.#owner = undefined;
    return undefined;
  }

  /** Hands an answer to its connection, notifications to who listens; returns the last transaction status seen. */
  #deliver(connection: VirtualConnection, frames: readonly Buffer[]): string {
    let status = "";
    const own: Buffer[] = [];
    for (const message of frames) {
      const type = typeOf(message);
      if (type === "A") this.#notify(message);
      else if (type !== "G" || !connection.copying) own.push(message); // a COPY was told to go on before its data came
      if (type !== "Z") continue;
      status = String.fromCharCode(message[5] ?? 0);
      connection.copying = false;
    }
    if (own.length > 0) connection.send(Buffer.concat(own));
    return status;
  }

  #notify(message: Buffer): void {
    const channel = textAt(message, 9).text;
    for (const listener of this.#all) if (listener.channels.has(channel)) listener.send(Buffer.from(message));
  }

  /** Answers a start-up packet: the role must exist, and its own settings hold for the connection. */
  async #start(connection: VirtualConnection): Promise<void> {
    this.#shapedFor = undefined;
    const user = connection.user.replaceAll("'", "''");
    const settings: (readonly [string, string])[] = [];
    let found = false;
    let rest: Buffer = Buffer.alloc(0);
    await this.#engine.run(
      query(
        `SELECT s.setting FROM pg_roles r LEFT JOIN LATERAL (SELECT unnest(d.setconfig) AS setting FROM pg_db_role_setting d
           WHERE d.setrole = r.oid) s ON true WHERE r.rolcanlogin AND r.rolname = '${user}'`,
      ),
      query(SESSION_RESET),
      (output) => {
        const cut = splitFrames(Buffer.concat([rest, output]));
        rest = cut.rest;
        for (const message of cut.frames.filter((one) => typeOf(one) === "D")) {
          found = true;
          const setting = /^([\w.]+)=(.*)$/s.exec(rowTexts(message)[0] ?? "");
          if (setting !== null) settings.push([setting[1] ?? "", setting[2] ?? ""]);
        }
      },
    );
    if (!found) return connection.fail("28000", `role "${connection.user}" does not exist`);
    connection.settings = [...settings, ...connection.settings];
    const parameters = {
      server_version: this.#engine.serverVersion(),
      server_encoding: "UTF8",
      client_encoding: "UTF8",
      DateStyle: "ISO, YMD",
      TimeZone: "UTC",
      integer_datetimes: "on",
      standard_conforming_strings: "on",
    };
    return connection.send(
      Buffer.concat([
        frame("R", int32(0)),
        ...Object.entries(parameters).map(([name, value]) => frame("S", name, value)),
        frame("K", int32(connection.pid), int32(connection.secret)),
        readyForQuery(),
      ]),
    );
  }

  /** Ends what a closed connection left in the session: its transaction, its named statements. */
  async #clean(connection: VirtualConnection): Promise<void> {
    const closes = [...connection.prepared].map((name) => frame("C", Buffer.from("S"), name));
    connection.prepared.clear();
    this.#shapedFor = undefined;
    await this.#engine.run(Buffer.concat([...closes, frame("S"), query("ROLLBACK")]), undefined, () => undefined);
    if (this.#owner === connection) this.#owner = undefined;
  }

  #closed(connection: VirtualConnection): void {
    this.#all.delete(connection);
    for (const job of this.#queue) if (job.connection === connection && job.kind === "batch") clearTimeout(job.late);
    const kept = this.#queue.filter((job) => job.connection !== connection);
    this.#queue.splice(0, this.#queue.length, ...kept);
    const uses = this.#owner === connection || this.#running === connection;
    if (uses || connection.prepared.size > 0) this.#push({ kind: "clean", connection });
  }

  #tooLate(connection: VirtualConnection): void {
    connection.fail("55P03", "the embedded database is busy with another transaction");
  }

  /** Ends what a connection runs by ending the engine's thread; what only waits is refused as busy. */
  #cancel(pid: number, secret: number): void {
    const connection = [...this.#all].find((one) => one.pid === pid && one.secret === secret);
    if (connection === undefined) return;
    if (this.#running === connection) {
      this.#interrupted = connection;
      void this.#engine.interrupt();
      return;
    }
    if (this.#queue.some((job) => job.connection === connection)) this.#tooLate(connection);
  }

  /** The thread ended: its transaction is gone, and the session state of whoever had some. */
  #engineLost(connection: VirtualConnection, thrown: unknown): void {
    this.#shapedFor = undefined;
    this.#owner = undefined;
    this.#running = undefined;
    connection.prepared.clear();
    if (this.#interrupted === connection) connection.fail("57014", "canceling statement due to user request");
    else connection.fail("57P01", "the embedded database was restarted");
    this.#interrupted = undefined;
    for (const other of this.#all) {
      if (other.prepared.size === 0 && other.channels.size === 0) continue;
      other.prepared.clear();
      other.fail("57P01", "the embedded database was restarted");
    }
    this.#options.onEngineLost?.(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/** Puts a mux before an engine. */
export function createMux(engine: Engine, options: MuxOptions = {}): Mux {
  return new SessionMux(engine, options);
}
