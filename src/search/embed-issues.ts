import { setTimeout as sleep } from "node:timers/promises";
import type { PoolClient } from "pg";
import { AppError } from "../errors.ts";
import { must } from "../must.ts";
import { type Embedding, embeddedText, type EmbeddingProvider, EMBEDDING_LIMITS, modelKey, TextsRefused } from "./embedding.ts";

/** Runs work in one writing transaction inside the tenant's wall. */
export type WithTenant = <T>(work: (client: PoolClient) => Promise<T>) => Promise<T>;

export interface EmbedProgress {
  readonly embedded: number;
  readonly pending: number;
  /** Issues whose text the service refuses; they are left out until it changes. */
  readonly refused: number;
}

export interface EmbedRun {
  readonly tenantId: number;
  readonly withTenant: WithTenant;
  readonly provider: EmbeddingProvider;
  /** Whether a large tenant gets an approximate index; the embedded database has no settings by role that it would need. */
  readonly mayIndex: boolean;
  /** Most characters that are sent; what is left is done by the next run. */
  readonly maxCharacters: number;
  /** No batch is begun any more after this instant, in milliseconds of `performance.now()`; the next run goes on. */
  readonly untilMs?: number;
  /** Where it is known; otherwise the provider is asked. */
  readonly dimension?: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: EmbedProgress) => void;
}

export interface EmbedReport extends EmbedProgress {
  /** Characters that were sent. */
  readonly characters: number;
  /** `done`: every issue has its embedding or was refused; `budget`: enough for this run; `busy`: another worker is at it. */
  readonly ended: "done" | "budget" | "aborted" | "busy";
  readonly dimension: number;
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
  select from warehouse.search_embedding e where e.tenant_id = $1 and e.model = $2 and e.issue_no = d.issue_no and e.text_hash = d.text_hash)
and not exists (
  select from warehouse.search_refusal r where r.tenant_id = $1 and r.model = $2 and r.issue_no = d.issue_no and r.text_hash = d.text_hash)`;

const COUNTS = `
select (select count(*)::int ${PENDING}) as pending,
  (select count(*)::int from warehouse.search_refusal r where r.tenant_id = $1 and r.model = $2) as refused`;

const NEXT = `
select d.issue_no::float8 as issue_no, d.text_hash, i.summary, left(i.description, ${EMBEDDING_LIMITS.characters}) as description ${PENDING}
order by d.issue_no limit ${EMBEDDING_LIMITS.batch}`;

const STORE = `
insert into warehouse.search_embedding (tenant_id, model, issue_no, text_hash, embedding)
select $1, $2, r.issue_no, r.text_hash, r.embedding from json_to_recordset($3::json) as r (issue_no bigint, text_hash text, embedding real[])
on conflict (tenant_id, model, issue_no) do update set text_hash = excluded.text_hash, embedding = excluded.embedding`;

/** What was embedded before says nothing of the text that was refused. */
const REFUSE = `
with gone as (delete from warehouse.search_embedding where tenant_id = $1 and model = $2 and issue_no = any ($3::bigint[]))
insert into warehouse.search_refusal (tenant_id, model, issue_no, text_hash)
select $1, $2, r.issue_no, r.text_hash from unnest($3::bigint[], $4::text[]) as r (issue_no, text_hash)
on conflict (tenant_id, model, issue_no) do update set text_hash = excluded.text_hash, refused_at = now()`;

const TAKE = "delete from warehouse.search_refusal where tenant_id = $1 and model = $2 and issue_no = any ($3::bigint[])";

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
  const { tenantId, withTenant, provider } = run;
  // The dimension is the provider's to say.
  const dimension = run.dimension ?? (await embedPatiently([PROBE], run))[0]?.length ?? 0;
  const model = modelKey(provider, provider.model, dimension);
  const counts = (): Promise<Counts> => withTenant((client) => countsOf(client, tenantId, model));
  const opened = await withTenant((client) => client.query(OPEN, [tenantId, model, provider.model, dimension]));
  if (opened.rowCount === 0) return { embedded: 0, ...(await counts()), characters: 0, ended: "busy", dimension };
  const done = { embedded: 0, characters: 0, ended: "done" as EmbedReport["ended"] };
  try {
    await embedBatches({ ...run, model, dimension, counts }, done);
  } finally {
    await withTenant(async (client) => {
      const isReady = done.ended === "done" && (await countsOf(client, tenantId, model)).pending === 0;
      await client.query(NOTE, [tenantId, model, true, isReady]);
      if (isReady) await client.query(FORGET, [tenantId, model]);
    });
  }
  await indexLarge(run, model, dimension);
  return { ...done, ...(await counts()), dimension };
}

interface Opened {
  readonly model: string;
  readonly dimension: number;
  readonly counts: () => Promise<Counts>;
}

/** Batch after batch, until nothing is pending or it is enough; says how far it is in `done`. */
async function embedBatches(
  run: EmbedRun & Opened,
  done: { embedded: number; characters: number; ended: EmbedReport["ended"] },
): Promise<void> {
  const { tenantId, withTenant, signal, model, maxCharacters, untilMs = Number.POSITIVE_INFINITY } = run;
  for (;;) {
    const batch = await withTenant(async (client) => (await client.query<Pending>(NEXT, [tenantId, model])).rows);
    if (batch.length === 0) return;
    const length = batch.reduce((sum, one) => sum + textOf(one).length, 0);
    const isEnough = done.characters + length > maxCharacters || performance.now() > untilMs;
    done.ended = signal.aborted ? "aborted" : isEnough ? "budget" : "done";
    if (done.ended !== "done") return;
    done.characters += length;
    const { embedded, refused } = await embedEach(batch, run);
    await withTenant(async (client) => {
      if (refused.length > 0)
        await client.query(REFUSE, [tenantId, model, refused.map((one) => one.issue_no), refused.map((one) => one.text_hash)]);
      await client.query(TAKE, [tenantId, model, embedded.map((one) => one.issue_no)]);
      await client.query(STORE, [tenantId, model, JSON.stringify(embedded)]);
      await client.query(NOTE, [tenantId, model, false, false]);
    });
    done.embedded += embedded.length;
    run.onProgress?.({ embedded: done.embedded, ...(await run.counts()) });
  }
}

/** A text that a service which takes anything takes. */
const PROBE = "dimension";

interface Embedded extends Pick<Pending, "issue_no" | "text_hash"> {
  readonly embedding: Embedding;
}

/** Embeds a batch. Where the service refuses it, its halves, down to the texts that it refuses alone while it takes another. Throws AppError UNAVAILABLE. */
async function embedEach(
  batch: readonly Pending[],
  run: EmbedRun & Opened,
): Promise<{ readonly embedded: readonly Embedded[]; readonly refused: readonly Pending[] }> {
  try {
    const embeddings = await embedPatiently(batch.map(textOf), run);
    if (embeddings[0]?.length !== run.dimension)
      throw new AppError("UNAVAILABLE", "The embedding service changed its dimension on the way.");
    return {
      embedded: batch.map(({ issue_no, text_hash }, at) => ({ issue_no, text_hash, embedding: must(embeddings[at], "an embedding") })),
      refused: [],
    };
  } catch (thrown) {
    if (!(thrown instanceof TextsRefused)) throw thrown;
    if (batch.length === 1) {
      // A service that refuses everything is set up wrongly, which is no text's fault.
      await embedPatiently([PROBE], run);
      return { embedded: [], refused: batch };
    }
    const half = Math.ceil(batch.length / 2);
    const first = await embedEach(batch.slice(0, half), run);
    const second = await embedEach(batch.slice(half), run);
    return { embedded: [...first.embedded, ...second.embedded], refused: [...first.refused, ...second.refused] };
  }
}

const textOf = ({ summary, description }: Pending): string => embeddedText(summary, description);

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

type Counts = Pick<EmbedProgress, "pending" | "refused">;

async function countsOf(client: PoolClient, tenantId: number, model: string): Promise<Counts> {
  const { rows } = await client.query<Counts>(COUNTS, [tenantId, model]);
  return must(rows[0], "the counts");
}

async function embedPatiently(texts: readonly string[], { provider, signal }: EmbedRun): Promise<readonly Embedding[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await provider.embed(texts, { timeoutMs: EMBEDDING_LIMITS.batchTimeoutMs, signal });
    } catch (thrown) {
      if (attempt === EMBEDDING_LIMITS.attempts || signal.aborted || thrown instanceof TextsRefused) throw thrown;
      await sleep(EMBEDDING_LIMITS.backoffMs * 2 ** (attempt - 1));
    }
  }
}
