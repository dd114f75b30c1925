import { chmodSync, rmSync } from "node:fs";
import net from "node:net";
import { duplexPair, type Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../errors.ts";
import { schemaFingerprint } from "../migration-files.ts";
import { clearUnfinished, recordSchema, schemaOf, type DataDirectory } from "./data-directory.ts";
import { startEngine, type Engine } from "./engine.ts";
import { tryToLead, type Leadership } from "./leadership.ts";
import { createMux, type Mux } from "./mux.ts";
import { readSnapshot } from "./snapshot.ts";

/** This process's way to the data directory's one database. */
export interface Link {
  /** A connection to the database, wherever it runs; takes over its running where nobody does. */
  readonly dial: () => Promise<Duplex>;
  readonly role: () => "leader" | "follower";
  readonly close: () => Promise<void>;
}

interface Led {
  readonly leadership: Leadership;
  readonly engine: Engine;
  readonly mux: Mux;
  readonly server: net.Server;
}

export interface LinkOptions {
  readonly directory: DataDirectory;
  readonly onEngineLost: (reason: string) => void;
  /** How long to look for a leader or to become one, in milliseconds. */
  readonly joinWithinMs?: number;
}

const LOOK_AGAIN_MS = 25;

async function serveOthers(directory: DataDirectory, mux: Mux): Promise<net.Server> {
  // Ours to remove: only the holder of the lock comes here, so whoever bound it is gone.
  if (process.platform !== "win32") rmSync(directory.socket, { force: true });
  const server = net.createServer((socket) => mux.accept(socket));
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(directory.socket, listening.resolve);
  await listening.promise;
  if (process.platform !== "win32") chmodSync(directory.socket, 0o600);
  return server;
}

async function lead(options: LinkOptions, leadership: Leadership): Promise<Led> {
  const { directory } = options;
  let engine: Engine | undefined;
  try {
    const schema = schemaOf(directory);
    if (schema === undefined) clearUnfinished(directory);
    const snapshot = schema === undefined ? readSnapshot() : undefined;
    engine = await startEngine({ dataDir: directory.postgres, ...(snapshot === undefined ? {} : { snapshot }) });
    if (snapshot !== undefined) recordSchema(directory, schemaFingerprint());
    const mux = createMux(engine, { onEngineLost: options.onEngineLost });
    return { leadership, engine, mux, server: await serveOthers(directory, mux) };
  } catch (thrown) {
    await engine?.close();
    leadership.resign();
    throw thrown;
  }
}

/** A connection to the leader's socket; undefined where nobody serves it. */
async function follow(directory: DataDirectory): Promise<net.Socket | undefined> {
  const socket = net.connect(directory.socket);
  const settled = Promise.withResolvers<net.Socket | undefined>();
  socket.once("connect", () => settled.resolve(socket));
  socket.once("error", () => settled.resolve(undefined));
  return settled.promise;
}

class DirectoryLink implements Link {
  readonly #options: LinkOptions;
  #led: Led | undefined;
  #joining: Promise<void> | undefined;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  role(): "leader" | "follower" {
    return this.#led === undefined ? "follower" : "leader";
  }

  /** Leads where nobody does. Safe to race: the lock decides. */
  async #tryToLead(): Promise<void> {
    const leadership = tryToLead(this.#options.directory.root);
    if (leadership !== undefined) this.#led = await lead(this.#options, leadership);
  }

  async dial(): Promise<Duplex> {
    const deadline = performance.now() + (this.#options.joinWithinMs ?? 20_000);
    while (!this.#closed && performance.now() < deadline) {
      if (this.#led !== undefined) {
        const [near, far] = duplexPair();
        this.#led.mux.accept(far);
        return near;
      }
      const socket = await follow(this.#options.directory);
      if (socket !== undefined) return socket;
      this.#joining ??= this.#tryToLead().finally(() => {
        this.#joining = undefined;
      });
      await this.#joining;
      if (this.#led === undefined) await sleep(LOOK_AGAIN_MS);
    }
    throw new AppError("UNAVAILABLE", "The embedded database cannot be reached.", {
      next: "Close other metricgate processes that use the same data directory, then try again.",
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#joining?.catch(() => undefined);
    const led = this.#led;
    if (led === undefined) return;
    const closing = Promise.withResolvers<void>();
    led.server.close(() => closing.resolve()); // also removes the socket file
    await led.mux.close();
    await closing.promise;
    await led.engine.close();
    this.#led = undefined;
    led.leadership.resign();
  }
}

export function openLink(options: LinkOptions): Link {
  return new DirectoryLink(options);
}

/** Whether the files are at this release's schema, as their last leader left word. */
export function isSchemaCurrent(directory: DataDirectory): boolean {
  return schemaOf(directory) === schemaFingerprint();
}
