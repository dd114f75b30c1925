import type { Catalog } from "./catalog/catalog.ts";
import type { Rows } from "./db/database.ts";
import { AppError } from "./errors.ts";
import type { SearchPlan } from "./plan/search.ts";
import {
  type Embedding,
  EMBEDDING_LIMITS,
  embeddedText,
  type EmbeddingProvider,
  type KnownModel,
  meanOf,
  modelKey,
} from "./search/embedding.ts";
import type { Statement } from "./sql/fragment.ts";
import { compileEmbedding, compileModels, compileNearest, MODELS } from "./sql/nearest.ts";
import type { Principal } from "./tenant.ts";

export interface Nearing {
  readonly catalog: Catalog;
  readonly principal: Principal;
  /** Absent: issues are found by words alone. */
  readonly embeddings?: EmbeddingProvider;
  readonly signal?: AbortSignal;
  readonly read: (statement: Statement, options?: { readonly keepPlan: boolean }) => Promise<Rows>;
}

/** What was asked: texts, and the number of an issue whose likes are meant. */
export interface Meant {
  readonly texts: readonly string[];
  readonly like: number | null;
}

/** The issues near in meaning and what that counts for, or why there are none to be had. */
export type Near = { readonly rows: Rows; readonly weight: number } | { readonly warning: string | null };

/**
 * Looks for issues that mean what was asked, by the newest model that all issues of the tenant were embedded by. Never fails for the
 * provider's sake: words alone answer then, with a warning.
 */
export async function nearIssues(
  asked: Meant,
  plan: Pick<SearchPlan, "filters" | "timezone" | "candidates">,
  nearing: Nearing,
): Promise<Near> {
  const { catalog, principal, embeddings, read } = nearing;
  if (embeddings === undefined) return { warning: null };
  const model = usable(modelsOf(await read(compileModels(principal, catalog), { keepPlan: true })), embeddings);
  if (model === undefined) return { warning: "The issues are not embedded yet, so that they were found by words alone." };
  const embedding = await meaningOf(asked, model, { ...nearing, embeddings });
  if ("warning" in embedding) return embedding;
  const isExact = model.vectors <= EMBEDDING_LIMITS.exactVectors;
  const nearest = { model: model.model, dimension: model.dimension, embedding: embedding.direction, isExact, plan };
  return { rows: await read(compileNearest(nearest, principal, catalog)), weight: embeddings.weight };
}

/** The direction of all that was asked together. */
async function meaningOf(
  { texts, like }: Meant,
  model: KnownModel,
  nearing: Nearing & { readonly embeddings: EmbeddingProvider },
): Promise<{ readonly direction: readonly number[] } | { readonly warning: string }> {
  const own = like === null ? undefined : await ownEmbedding(like, model, nearing);
  const asked = await askProvider(texts, model, nearing);
  if ("warning" in asked) return asked;
  const direction = meanOf([...(own === undefined ? [] : [own]), ...asked.embeddings]);
  if (direction.length === 0) return { warning: "This issue is not embedded yet, so that its likes were found by words alone." };
  if (direction.length === model.dimension) return { direction };
  return { warning: "The embedding model has changed its dimension; the issues were found by words alone." };
}

async function askProvider(
  texts: readonly string[],
  { name }: KnownModel,
  { embeddings, signal }: Pick<Nearing, "signal"> & { readonly embeddings: EmbeddingProvider },
): Promise<{ readonly embeddings: readonly Embedding[] } | { readonly warning: string }> {
  if (texts.length === 0) return { embeddings: [] };
  const plain = texts.map((text) => embeddedText(text, null));
  try {
    const options = { model: name, timeoutMs: EMBEDDING_LIMITS.queryTimeoutMs, ...(signal === undefined ? {} : { signal }) };
    return { embeddings: await embeddings.embed(plain, options) };
  } catch (thrown) {
    if (signal?.aborted === true) throw new AppError("CANCELLED", "The call was cancelled.");
    if (!(thrown instanceof AppError) || thrown.code !== "UNAVAILABLE") throw thrown;
    return { warning: `${thrown.message} The issues were found by words alone.` };
  }
}

/** The configured model where it is ready, else the one before it at the same provider. */
function usable(known: readonly KnownModel[], provider: EmbeddingProvider): KnownModel | undefined {
  const ready = known.filter(({ isReady, model, name, dimension }) => isReady && model === modelKey(provider, name, dimension));
  return ready.find(({ name }) => name === provider.model) ?? ready[0];
}

async function ownEmbedding(
  issueNo: number,
  { model }: KnownModel,
  { catalog, principal, read }: Pick<Nearing, "catalog" | "principal" | "read">,
): Promise<readonly number[] | undefined> {
  const { rows } = await read(compileEmbedding({ model, issueNo }, principal, catalog));
  const embedding = rows[0]?.[0];
  return Array.isArray(embedding) ? embedding.map(Number) : undefined;
}

function modelsOf({ columns, rows }: Rows): KnownModel[] {
  const at = (name: string): number => columns.indexOf(name);
  return rows.map((row) => ({
    model: String(row[at(MODELS.model)]),
    name: String(row[at(MODELS.name)]),
    dimension: Number(row[at(MODELS.dimension)]),
    vectors: Number(row[at(MODELS.vectors)]),
    isReady: row[at(MODELS.isReady)] === true,
  }));
}
