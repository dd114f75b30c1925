import { AppError } from "../errors.ts";
import { type Embedding, type EmbeddingProvider, EMBEDDING_LIMITS, type EmbedOptions, TextsRefused } from "./embedding.ts";

/** Where and as whom embeddings are asked for. */
export interface HttpEmbeddingSettings {
  /** As in `https://api.openai.com/v1`: `/embeddings` follows it. */
  readonly url: string;
  readonly model: string;
  /** Sent with every request, told to nobody else. */
  readonly key?: string;
  readonly weight?: number;
}

/** Of a model that nobody measured here: some do better by more. */
const UNKNOWN_WEIGHT = 0.3;

/** Embeddings by the protocol that OpenAI made common: OpenAI, Azure, Voyage, Ollama, vLLM and others speak it. */
export function httpEmbeddings({ url, model, key, weight = UNKNOWN_WEIGHT }: HttpEmbeddingSettings): EmbeddingProvider {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/$/, "")}/embeddings`;
  const headers = {
    "content-type": "application/json",
    // Azure reads the second.
    ...(key === undefined ? {} : { authorization: `Bearer ${key}`, "api-key": key }),
  };
  return {
    id: `${address.origin}${address.pathname.replace(/\/embeddings$/, "")}`,
    model,
    weight,
    embed: (texts, options) => ask({ address, headers, model: options.model ?? model }, texts, options),
  };
}

/** Statuses by which services refuse what a request says, rather than the request. */
const REFUSALS = [400, 413, 422];

interface Request {
  readonly address: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
}

async function ask(
  { address, headers, model }: Request,
  texts: readonly string[],
  { timeoutMs, signal }: EmbedOptions,
): Promise<readonly Embedding[]> {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(address, {
      method: "POST",
      headers,
      body: JSON.stringify({ model, input: texts, encoding_format: "float" }),
      // Nobody else is given the key.
      redirect: "error",
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    });
    if (!response.ok) {
      await response.body?.cancel();
      const { message, details } = unavailable(`answered with status ${response.status}`);
      throw REFUSALS.includes(response.status) ? new TextsRefused(message, details) : new AppError("UNAVAILABLE", message, details);
    }
    return embeddingsOf(JSON.parse(await bounded(response)), texts.length);
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw unavailable(late.aborted ? `did not answer within ${timeoutMs} ms` : "cannot be reached, or answers something else");
  }
}

async function bounded(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > EMBEDDING_LIMITS.answerBytes) throw unavailable("answers too much");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** Checked: all that is stored and searched by comes from somebody else's server. */
function embeddingsOf(answer: unknown, count: number): Embedding[] {
  const data = (answer as { data?: unknown } | null)?.data;
  if (!Array.isArray(data) || data.length !== count) throw unavailable("answers something else");
  const found: Embedding[] = [];
  for (const [at, entry] of data.entries()) {
    const { index = at, embedding } = (entry ?? {}) as { index?: unknown; embedding?: unknown };
    if (typeof index !== "number" || !isEmbedding(embedding)) throw unavailable("answers something else");
    found[index] = embedding;
  }
  const dimension = found[0]?.length;
  if (Object.keys(found).length !== count || found.some((one) => one.length !== dimension)) throw unavailable("answers something else");
  return found;
}

function isEmbedding(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 2_000 &&
    value.every((one) => Number.isFinite(one)) &&
    value.some((one) => one !== 0)
  );
}

function unavailable(what: string): AppError {
  return new AppError("UNAVAILABLE", `The embedding service ${what}.`, { next: "Check METRICGATE_EMBEDDING_URL, _MODEL and _KEY." });
}
