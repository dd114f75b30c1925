import { setTimeout as sleep } from "node:timers/promises";
import type { PoolClient } from "pg";
import { AppError } from "../errors.ts";
import { type Embedding, embeddedText, type EmbeddingProvider, EMBEDDING_LIMITS, modelKey } from "./embedding.ts";

/** Runs work in one writing transaction inside the tenant's wall. */
export type WithTenant = <T>(work: (client: PoolClient) => Promise<T>) => Promise<T>;

export interface EmbedProgress {
  readonly embedded: number;
  readonly pending: number;
}

export interface EmbedRun {
  readonly tenantId: number;
  readonly withTenant: WithTenant;
  readonly provider: EmbeddingProvider;
  /** Whether a large tenant gets an approximate index; the embedded database has no settings by role that it would need. */
  readonly mayIndex: boolean;
  /** Most characters that are sent; what is left is done by the next run. */
  readonly maxCharacters: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: EmbedProgress) => void;
}

export interface EmbedReport extends EmbedProgress {
  /** Characters that were sent. */
  readonly characters: number;
  /** `done`: every issue has its embedding; `busy`: another worker is at it. */
  readonly ended: "done" | "budget" | "aborted" | "busy";
}

/** How long another worker leaves a model to one that says nothing any more, in seconds. */
const LEASE_SECONDS = 120;

const OPEN = `
insert into warehouse.search_model as m (tenant_id, model, name, dimension, leased_until) values ($1, $2, $3, $4, now() + make_interval(secs => ${LEASE_SECONDS}))
on conflict (tenant_id, model) do update set leased_until = excluded.leased_until where m.leased_until is null or m.leased_until < now()
returning 1`;

const PENDING = `
from warehouse.search_document d join warehouse.issue i on i.tenant_id = $1 and i.issue_no = d.issue_no
where d.tenant_id = $1 and not exists (
  select from warehouse.search_embedding e where e.tenant_id = $1 and e.model = $2 and e.issue_no = d.issue_no and e.text_hash = d.text_hash)`;

const NEXT = `
select d.issue_no::float8 as issue_no, d.text_hash, i.summary, left(i.description, ${EMBEDDING_LIMITS.characters}) as description ${PENDING}
order by d.issue_no limit ${EMBEDDING_LIMITS.batch}`;

const STORE = `
insert into warehouse.search_embedding (tenant_id, model, issue_no, text_hash, embedding)
select $1, $2, r.issue_no, r.text_hash, r.embedding from json_to_recordset($3::json) as r (issue_no bigint, text_hash text, embedding real[])
on conflict (tenant_id, model, issue_no) do update set text_hash = excluded.text_hash, embedding = excluded.embedding`;

const NOTE = `
update warehouse.search_model set updated_at = now(), leased_until = case when $3 then null else now() + make_interval(secs => ${LEASE_SECONDS}) end,
  is_ready = is_ready or $4, vectors = (select count(*) from warehouse.search_embedding where tenant_id = $1 and model = $2)
where tenant_id = $1 and model = $2`;

/** Models that searches no longer need, now that the new one is ready. */
const FORGET = "delete from warehouse.search_model where tenant_id = $1 and model <> $2";

interface Pending {
  readonly issue_no: number;
  readonly text_hash: string;
  readonly summary: string | null;
  readonly description: string | null;
}

/**
 * Embeds the tenant's issues whose text has no embedding by the provider's model yet, a batch a transaction: what is done stays done
 * whenever it ends, and the next run goes on. Until every issue has one, searches keep to the model before. Throws AppError
 * UNAVAILABLE when the provider fails several times over.
 */
export async function embedIssues(run: EmbedRun): Promise<EmbedReport> {
  const { tenantId, withTenant, provider, signal, onProgress } = run;
  // The dimension is the provider's to say.
  const [probe] = await embedPatiently(["dimension"], run);
  const dimension = probe?.length ?? 0;
  const model = modelKey(provider, provider.model, dimension);
  const opened = await withTenant((client) => client.query(OPEN, [tenantId, model, provider.model, dimension]));
  if (opened.rowCount === 0) return { embedded: 0, pending: await pendingOf(run, model), characters: 0, ended: "busy" };
  let embedded = 0;
  let characters = 0;
  let ended: EmbedReport["ended"] = "done";
  try {
    for (;;) {
      const batch = await withTenant(async (client) => (await client.query<Pending>(NEXT, [tenantId, model])).rows);
      if (batch.length === 0) break;
      const texts = batch.map(({ summary, description }) => embeddedText(summary, description));
      const length = texts.reduce((sum, text) => sum + text.length, 0);
      ended = signal.aborted ? "aborted" : characters + length > run.maxCharacters ? "budget" : "done";
      if (ended !== "done") break;
      characters += length;
      const embeddings = await embedPatiently(texts, run);
      if (embeddings[0]?.length !== dimension) throw new AppError("UNAVAILABLE", "The embedding service changed its dimension on the way.");
      const rows = batch.map(({ issue_no, text_hash }, at) => ({ issue_no, text_hash, embedding: embeddings[at] }));
      await withTenant(async (client) => {
        await client.query(STORE, [tenantId, model, JSON.stringify(rows)]);
        await client.query(NOTE, [tenantId, model, false, false]);
      });
      embedded += batch.length;
      onProgress?.({ embedded, pending: await pendingOf(run, model) });
    }
  } finally {
    await withTenant(async (client) => {
      const isReady = ended === "done" && (await countPending(client, tenantId, model)) === 0;
      await client.query(NOTE, [tenantId, model, true, isReady]);
      if (isReady) await client.query(FORGET, [tenantId, model]);
    });
  }
  await indexLarge(run, model, dimension);
  return { embedded, pending: await pendingOf(run, model), characters, ended };
}

/** Makes the approximate index once a tenant has more than is looked through one by one. */
async function indexLarge({ tenantId, withTenant, mayIndex }: EmbedRun, model: string, dimension: number): Promise<void> {
  if (!mayIndex) return;
  await withTenant(async (client) => {
    const { rows } = await client.query<{ vectors: number }>(
      "select vectors from warehouse.search_model where tenant_id = $1 and model = $2",
      [tenantId, model],
    );
    if ((rows[0]?.vectors ?? 0) > EMBEDDING_LIMITS.exactVectors)
      await client.query("select warehouse.ensure_embedding_index($1, $2)", [model, dimension]);
  });
}

function pendingOf({ tenantId, withTenant }: EmbedRun, model: string): Promise<number> {
  return withTenant((client) => countPending(client, tenantId, model));
}

async function countPending(client: PoolClient, tenantId: number, model: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*)::int as count ${PENDING}`, [tenantId, model]);
  return rows[0]?.count ?? 0;
}

async function embedPatiently(texts: readonly string[], { provider, signal }: EmbedRun): Promise<readonly Embedding[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await provider.embed(texts, { timeoutMs: EMBEDDING_LIMITS.batchTimeoutMs, signal });
    } catch (thrown) {
      if (attempt === EMBEDDING_LIMITS.attempts || signal.aborted) throw thrown;
      await sleep(EMBEDDING_LIMITS.backoffMs * 2 ** (attempt - 1));
    }
  }
}
