import { Worker } from "node:worker_threads";
import { must } from "../../must.ts";
import type { EngineData, EngineReply, EngineRequest } from "./engine-worker.ts";

/** One run of bytes; `refused` holds the server's answer where the prelude failed, so that the bytes were not run. */
export interface RunOutcome {
  readonly refused?: Buffer;
}

/** The database in its thread: one run at a time, ended only by ending the thread. */
export interface Engine {
  readonly serverVersion: () => string;
  /** Sends bytes to the session; `onOutput` gets what it answers. Rejects with EngineLost when the thread ends. */
  readonly run: (bytes: Buffer, prelude: Buffer | undefined, onOutput: (bytes: Buffer) => void) => Promise<RunOutcome>;
  /** Ends whatever runs by ending the thread; the database opens again for the next run. */
  readonly interrupt: () => Promise<void>;
  /** The data directory as a gzip tarball. */
  readonly dump: () => Promise<Buffer>;
  readonly close: () => Promise<void>;
}

/** The thread ended under a run: interrupted, or died. */
export class EngineLost extends Error {
  override readonly name = "EngineLost";
}

interface Running {
  readonly id: number;
  readonly onOutput: (bytes: Buffer) => void;
  readonly settle: PromiseWithResolvers<RunOutcome>;
}

interface Thread {
  readonly worker: Worker;
  readonly exited: Promise<unknown>;
}

const WORKER_FILE = import.meta.url.endsWith(".ts") ? "./engine-worker.ts" : "./engine-worker.js";
const STOP_WITHIN_MS = 10_000;

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

class WorkerEngine implements Engine {
  readonly #dataDir: string;
  #thread: Promise<Thread> | undefined;
  #running: Running | undefined;
  #nextId = 1;
  #version = "";
  #closed = false;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** The thread that is up or coming up; a new one where the last has ended or failed to open. */
  open(snapshot?: Uint8Array): Promise<Thread> {
    if (this.#thread !== undefined) return this.#thread;
    if (this.#closed) return Promise.reject(new EngineLost("the embedded database is closed"));
    const starting = this.#start(snapshot === undefined ? { dataDir: this.#dataDir } : { dataDir: this.#dataDir, snapshot });
    this.#thread = starting;
    starting.then(
      ({ exited }) =>
        exited.then(() => {
          this.#thread = undefined;
          if (!this.#closed) this.open().catch(() => undefined); // whoever runs next meets the failure
        }),
      () => {
        this.#thread = undefined;
      },
    );
    return starting;
  }

  async #start(data: EngineData): Promise<Thread> {
    const worker = new Worker(new URL(WORKER_FILE, import.meta.url), { workerData: data, stdout: true });
    worker.stdout.on("data", (text: Buffer) => process.stderr.write(text)); // stdout belongs to the protocol
    const exited = new Promise((resolve) => worker.once("exit", resolve));
    const ready = Promise.withResolvers<string>();
    let reason: unknown = new EngineLost("the embedded database's thread ended");
    worker.on("error", (error) => {
      reason = new EngineLost("the embedded database's thread failed", { cause: error });
    });
    void exited.then(() => {
      ready.reject(reason);
      this.#lose(reason);
    });
    worker.on("message", (reply: EngineReply) => {
      if (reply.kind === "ready") ready.resolve(reply.serverVersion);
      else this.#receive(reply);
    });
    this.#version = await ready.promise;
    return { worker, exited };
  }

  #lose(reason: unknown): void {
    const running = this.#running;
    this.#running = undefined;
    running?.settle.reject(reason);
  }

  #receive(reply: EngineReply): void {
    const running = this.#running;
    if (running === undefined || !("id" in reply) || reply.id !== running.id) return;
    if (reply.kind === "chunk") return running.onOutput(bufferOf(reply.bytes));
    this.#running = undefined;
    return running.settle.resolve(reply.refused === undefined ? {} : { refused: bufferOf(reply.refused) });
  }

  serverVersion(): string {
    return this.#version;
  }

  async #request(make: (id: number) => EngineRequest, onOutput: (bytes: Buffer) => void): Promise<RunOutcome> {
    const { worker } = await this.open();
    if (this.#running !== undefined) throw new Error("the engine runs one request at a time");
    const id = this.#nextId++;
    const settle = Promise.withResolvers<RunOutcome>();
    this.#running = { id, onOutput, settle };
    worker.postMessage(make(id));
    return settle.promise;
  }

  run(bytes: Buffer, prelude: Buffer | undefined, onOutput: (bytes: Buffer) => void): Promise<RunOutcome> {
    return this.#request((id) => ({ kind: "run", id, bytes, ...(prelude === undefined ? {} : { prelude }) }), onOutput);
  }

  async dump(): Promise<Buffer> {
    const parts: Buffer[] = [];
    await this.#request(
      (id) => ({ kind: "dump", id }),
      (bytes) => parts.push(bytes),
    );
    return must(parts[0], "a dump");
  }

  async interrupt(): Promise<void> {
    const { worker, exited } = await this.open();
    await worker.terminate();
    await exited;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const thread = await this.#thread?.catch(() => undefined);
    if (thread === undefined) return;
    const late = setTimeout(() => void thread.worker.terminate(), STOP_WITHIN_MS);
    thread.worker.postMessage({ kind: "stop" } satisfies EngineRequest);
    await thread.exited;
    clearTimeout(late);
  }
}

/** Opens (or makes) the data directory in a thread of its own; resolves when it answers. */
export async function startEngine({ dataDir, snapshot }: EngineData): Promise<Engine> {
  const engine = new WorkerEngine(dataDir);
  await engine.open(snapshot);
  return engine;
}
