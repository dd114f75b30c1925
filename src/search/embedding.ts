import { AppError, type ErrorDetails } from "../errors.ts";

/** The service takes requests, but not these texts: too long for it, or nothing that it will read. */
export class TextsRefused extends AppError {
  constructor(message: string, details?: ErrorDetails) {
    super("UNAVAILABLE", message, details);
  }
}

/** A text's meaning as a direction; all of one model are as long. */
export type Embedding = readonly number[];

/** What turns texts into embeddings. */
export interface EmbeddingProvider {
  /** Where they are made, part of what stored ones are known by: models of the same name elsewhere are others. */
  readonly id: string;
  /** What is asked for by default. */
  readonly model: string;
  /** How much nearness by it counts beside the words, which count 1. */
  readonly weight: number;
  /** One embedding a text, in order. Throws AppError UNAVAILABLE, also when it takes longer than `timeoutMs`; of it TextsRefused where another text may be taken. */
  embed(texts: readonly string[], options: EmbedOptions): Promise<readonly Embedding[]>;
}

export interface EmbedOptions {
  /** Another model than the default one. */
  readonly model?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A model that a tenant's issues were embedded by. */
export interface KnownModel {
  /** What stored embeddings are known by. */
  readonly model: string;
  /** What the provider calls it. */
  readonly name: string;
  readonly dimension: number;
  readonly vectors: number;
  readonly isReady: boolean;
}

/** Bounds of what is sent to a provider. */
export const EMBEDDING_LIMITS = {
  /** Texts of one request. */
  batch: 64,
  /** Characters of one text: about what models read. */
  characters: 2_000,
  batchTimeoutMs: 60_000,
  /** A search waits this long for its question's embedding, then does without. */
  queryTimeoutMs: 3_000,
  attempts: 3,
  /** Before the second attempt; doubled before the third. */
  backoffMs: 500,
  /** Largest answer, in bytes: 64 embeddings of 2,000 dimensions as text. */
  answerBytes: 8 * 2 ** 20,
  /** Beyond so many issues of a tenant an approximate index is searched instead of all of them. */
  exactVectors: 20_000,
} as const;

/** What stored embeddings of a provider's model are known by. */
export function modelKey({ id }: Pick<EmbeddingProvider, "id">, name: string, dimension: number): string {
  return `${id} ${name}@${dimension}`;
}

/** The text of an issue as models are given it. */
export function embeddedText(title: string | null, body: string | null): string {
  const text = `${title ?? ""}\n${body ?? ""}`.trim().slice(0, EMBEDDING_LIMITS.characters).toWellFormed();
  return text === "" ? "(no text)" : text;
}

/** The mean direction of several embeddings. */
export function meanOf(embeddings: readonly Embedding[]): number[] {
  const [first = []] = embeddings;
  const sum = first.map(() => 0);
  for (const embedding of embeddings) {
    const length = Math.hypot(...embedding) || 1;
    for (const [at, value] of embedding.entries()) sum[at] = (sum[at] ?? 0) + value / length;
  }
  return sum;
}
