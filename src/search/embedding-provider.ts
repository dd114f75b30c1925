import type { EmbeddingProvider } from "./embedding.ts";
import { httpEmbeddings, type HttpEmbeddingSettings } from "./http-embeddings.ts";
import { assertLocalModel, localEmbeddings } from "./local-embeddings.ts";

/** Where embeddings are made: by a service, or in a thread of this process. */
export type EmbeddingSettings = HttpEmbeddingSettings | "local";

/** The provider that an operator chose. Throws AppError UNAVAILABLE where that is a local model that is not installed. */
export function embeddingProvider(settings: EmbeddingSettings): EmbeddingProvider {
  if (settings !== "local") return httpEmbeddings(settings);
  assertLocalModel();
  return localEmbeddings();
}
