import { Worker } from "node:worker_threads";
import { AppError } from "../../errors.ts";
import { type Picture, type RenderRequest, TOO_LARGE } from "./request.ts";

/** How a picture is waited for. */
export interface RenderOptions {
  /** Aborting ends the worker that draws. */
  readonly signal?: AbortSignal;
  /** From asking to having, waiting for a turn included. */
  readonly timeoutMs?: number;
}

/** Draws pictures in threads of their own. */
export interface Renderer {
  /** Throws AppError TIMEOUT, CANCELLED, TOO_LARGE, BUSY, UNAVAILABLE (the thread ended) or INTERNAL. */
  render(request: RenderRequest, options?: RenderOptions): Promise<Picture>;
  /** Ends the threads and whatever they draw. */
  close(): Promise<void>;
}

export interface RendererOptions {
  readonly maxWorkers?: number;
  /** Pictures that may wait for a turn. */
  readonly maxWaiting?: number;
  /** A thread that draws nothing for so long ends: it holds some 100 MB. */
  readonly idleMs?: number;
  /** TTF or OTF files for characters that the bundled typeface lacks. */
  readonly fontFiles?: readonly string[];
  /** In place of the shipped worker. */
  readonly workerFile?: URL;
}

/** What a worker is started with. */
export interface RenderWorkerData {
  readonly fontFiles: readonly string[];
}

/** What a worker answers; `error` where it could not draw. */
export interface RenderReply {
  readonly picture?: Picture;
  readonly error?: { readonly message: string; readonly stack?: string };
}

const WORKER_FILE = new URL(import.meta.url.endsWith(".ts") ? "./render-worker.ts" : "./render-worker.js", import.meta.url);
const TIMEOUT_MS = 10_000;
const MEMORY_MB = 320;

interface Job {
  readonly request: RenderRequest;
  readonly settle: (outcome: RenderReply | AppError) => void;
}

interface Slot {
  readonly worker: Worker;
  job: Job | undefined;
  idle: NodeJS.Timeout | undefined;
}

/** Starts threads as pictures are asked for: nothing of the drawing is loaded before the first. */
export function createRenderer(options: RendererOptions = {}): Renderer {
  return new RenderPool(options);
}

class RenderPool implements Renderer {
  readonly #options: Required<RendererOptions>;
  readonly #slots = new Set<Slot>();
  readonly #waiting: Job[] = [];
  #isClosed = false;

  constructor({ maxWorkers = 2, maxWaiting = 32, idleMs = 120_000, fontFiles = [], workerFile = WORKER_FILE }: RendererOptions) {
    this.#options = { maxWorkers, maxWaiting, idleMs, fontFiles, workerFile };
  }

  render(request: RenderRequest, { signal, timeoutMs = TIMEOUT_MS }: RenderOptions = {}): Promise<Picture> {
    if (this.#isClosed) return Promise.reject(ended());
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.#waiting.length >= this.#options.maxWaiting)
      return Promise.reject(
        new AppError("BUSY", "Too many charts are being drawn.", { retryAfterSeconds: 2, next: "Call again shortly." }),
      );
    const { promise, resolve, reject } = Promise.withResolvers<Picture>();
    const settle = (outcome: RenderReply | AppError): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      if (outcome instanceof AppError) reject(outcome);
      else if (outcome.picture === undefined) reject(failureOf(outcome.error));
      else resolve(outcome.picture);
    };
    const job: Job = { request, settle };
    const giveUp = (error: AppError): void => {
      settle(error);
      this.#drop(job);
    };
    const onAbort = (): void => giveUp(cancelled());
    const timer = setTimeout(() => giveUp(tooSlow(timeoutMs)), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiting.push(job);
    this.#next();
    return promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting.splice(0)) job.settle(ended());
    await Promise.all([...this.#slots].map(({ worker }) => worker.terminate()));
  }

  /** Gives waiting pictures to free threads, and to new ones as far as there may be more. */
  #next(): void {
    while (!this.#isClosed && this.#waiting.length > 0) {
      const free = [...this.#slots].find(({ job }) => job === undefined);
      const slot = free ?? (this.#slots.size < this.#options.maxWorkers ? this.#start() : undefined);
      const job = slot && this.#waiting.shift();
      if (slot === undefined || job === undefined) return;
      clearTimeout(slot.idle);
      slot.job = job;
      slot.worker.ref();
      slot.worker.postMessage(job.request);
    }
  }

  #start(): Slot {
    const slot: Slot = { worker: startWorker(this.#options), job: undefined, idle: undefined };
    slot.worker.on("message", (reply: RenderReply) => {
      finish(slot, reply);
      this.#next();
      if (slot.job === undefined) this.#rest(slot);
    });
    slot.worker.on("error", (error) => finish(slot, failureOf(error)));
    // However a thread ends, what it drew ends with it and another takes its place.
    slot.worker.on("exit", () => {
      clearTimeout(slot.idle);
      this.#slots.delete(slot);
      finish(slot, ended());
      this.#next();
    });
    this.#slots.add(slot);
    return slot;
  }

  /** A thread without work keeps no process alive, and ends after a while. */
  #rest(slot: Slot): void {
    slot.worker.unref();
    slot.idle = setTimeout(() => {
      this.#slots.delete(slot);
      void slot.worker.terminate();
    }, this.#options.idleMs).unref();
  }

  #drop(job: Job): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
    for (const slot of this.#slots) if (slot.job === job) void slot.worker.terminate();
  }
}

function finish(slot: Slot, outcome: RenderReply | AppError): void {
  const { job } = slot;
  slot.job = undefined;
  job?.settle(outcome);
}

/** A thread with bounded memory, none of the process's settings, and no way to the protocol's stdout. */
function startWorker({ workerFile, fontFiles }: Required<RendererOptions>): Worker {
  const worker = new Worker(workerFile, {
    workerData: { fontFiles } satisfies RenderWorkerData,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    env: { TZ: "UTC" },
    stdout: true,
    name: "chart",
  });
  worker.stdout.on("data", (text: Buffer) => process.stderr.write(text));
  return worker;
}

function failureOf(error: unknown): AppError {
  const { message = "", code } = (error ?? {}) as { message?: string; code?: string };
  if (message === TOO_LARGE || code === "ERR_WORKER_OUT_OF_MEMORY")
    return new AppError("TOO_LARGE", "This chart is larger than a picture may be.", {
      next: "Run the spec with a coarser time grain, fewer groups or a limit.",
    });
  return new AppError("INTERNAL", "The chart could not be drawn.", {
    cause: error,
    next: "Choose another type; the numbers are in the result.",
  });
}

const cancelled = (): AppError => new AppError("CANCELLED", "The call was cancelled.");
const ended = (): AppError =>
  new AppError("UNAVAILABLE", "What draws charts ended.", { next: "Call again; the numbers are in the result." });
const tooSlow = (timeoutMs: number): AppError =>
  new AppError("TIMEOUT", `Drawing took longer than ${timeoutMs / 1000} s and was ended.`, {
    next: "Choose a simpler type or fewer rows.",
  });
