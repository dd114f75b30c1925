import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { EmbeddingProvider } from "../../src/search/embedding.ts";
import { httpEmbeddings } from "../../src/search/http-embeddings.ts";

export const KEY = "sk-canary-0123456789";

/** A server process that speaks the protocol. */
export class Server {
  url = "";
  readonly asked: { readonly path: string; readonly authorization?: string }[] = [];
  readonly #process: ChildProcess;

  constructor() {
    this.#process = fork(join(import.meta.dirname, "embedding-server.ts"));
  }

  async start(): Promise<void> {
    const [{ port }] = (await once(this.#process, "message")) as [{ port: number }];
    this.url = `http://127.0.0.1:${port}/v1`;
    this.#process.on("message", (message: { kind: string; path: string }) => {
      if (message.kind === "asked") this.asked.push(message);
    });
  }

  async behave(how: object): Promise<void> {
    this.#process.send(how);
    for (;;) if (((await once(this.#process, "message")) as [{ kind: string }])[0].kind === "told") return;
  }

  provider(model = "words-64"): EmbeddingProvider {
    return httpEmbeddings({ url: this.url, model, key: KEY });
  }

  stop(): void {
    this.#process.kill();
  }
}
