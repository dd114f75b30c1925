import { setImmediate as othersTurn } from "node:timers/promises";
import type { Database } from "../db/database.ts";
import { withTenantWrite } from "../db/tenant-session.ts";
import { type ErrorCode, toAppError } from "../errors.ts";
import type { Observation, Observe } from "../observe/observation.ts";
import type { Principal } from "../tenant.ts";
import { ownerOf } from "./job.ts";
import { ANSWER_LIMITS, type WritePace } from "./limits.ts";
import { type CallAnswer, insertResult, makeRoom, packAnswer, type PackedResult } from "./results.ts";

/** Writes the answers of calls to the database behind the calls. What cannot be written costs nobody an answer. */
export interface AnswerWriter {
  /** Has an answer written soon. Waits for nothing and never throws. `bytes` is about its size in memory. */
  keep(principal: Principal, answer: CallAnswer, bytes: number): void;
  /** Writes at once what waits, and takes nothing more. Settles when it is written or a write has failed; never rejects. */
  close(): Promise<void>;
}

interface Waiting {
  readonly tenantId: number;
  readonly owner: string;
  readonly answer: CallAnswer;
  readonly bytes: number;
  readonly sinceMs: number;
}

export interface WriterParts {
  readonly database: () => Promise<Database>;
  readonly observe: Observe;
  readonly pace: WritePace;
}

/** Failures that may be gone at the next try; anything else is the answers' own, and they are left unwritten. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "BUSY", "TIMEOUT"]);

export function answerWriter(parts: WriterParts): AnswerWriter {
  return new WritingBehind(parts);
}

class WritingBehind implements AnswerWriter {
  readonly #parts: WriterParts;
  /** In the order in which they came. */
  #waiting: Waiting[] = [];
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Before it nothing is written: the last write failed. */
  #notBeforeMs = 0;
  #failures = 0;
  /** Answers that left unwritten since that was last told. */
  #crowdedOut = 0;
  #isClosed = false;
  /** Answers of each tenant that were written since its room was last looked at; a tenant that is absent was not looked at yet. */
  readonly #unlooked = new Map<number, number>();

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  keep(principal: Principal, answer: CallAnswer, bytes: number): void {
    const { id: tenantId } = principal.tenant;
    if (this.#isClosed) return this.#tell({ tenantId, count: 1, outcome: "lost", reason: "CANCELLED" });
    this.#waiting.push({ tenantId, owner: ownerOf(principal), answer, bytes, sinceMs: performance.now() });
    this.#bytes += bytes;
    this.#shorten();
    this.#plan();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  /** Whatever is too much leaves, the oldest first. */
  #shorten(): void {
    while (this.#waiting.length > ANSWER_LIMITS.waiting || this.#bytes > ANSWER_LIMITS.waitingBytes) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.bytes;
      this.#crowdedOut += 1;
    }
  }

  #plan(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#writing !== undefined || this.#isClosed) return;
    clearTimeout(this.#timer);
    const { idleMs, longestMs } = this.#parts.pace;
    const nowMs = performance.now();
    const dueMs = Math.max(Math.min(nowMs + idleMs, first.sinceMs + longestMs), this.#notBeforeMs);
    this.#timer = setTimeout(() => void this.#begin(), Math.max(0, dueMs - nowMs));
    // Nobody is kept waiting: who closes the process has it written.
    this.#timer.unref();
  }

  #begin(): void {
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
      this.#plan();
    });
  }

  /** Writes what waits, tenant by tenant, until nothing does or a write fails. */
  async #write(): Promise<void> {
    if (this.#crowdedOut > 0) this.#tell({ tenantId: null, count: this.#crowdedOut, outcome: "lost", reason: "BUSY" });
    this.#crowdedOut = 0;
    for (;;) {
      const batch = this.#take();
      const [first] = batch;
      if (first === undefined) return;
      const { tenantId } = first;
      const startMs = performance.now();
      try {
        await this.#store(tenantId, batch);
        this.#failures = 0;
        this.#tell({ tenantId, count: batch.length, outcome: "kept", durationMs: performance.now() - startMs });
      } catch (thrown) {
        const { code } = toAppError(thrown);
        const isPassing = PASSING.has(code) && !this.#isClosed;
        this.#tell({ tenantId, count: batch.length, outcome: isPassing ? "later" : "lost", reason: code });
        if (!PASSING.has(code)) this.#parts.observe({ kind: "unexpected_error", where: "answers", error: thrown });
        if (isPassing) return this.#putBack(batch);
        if (this.#isClosed) return;
      }
    }
  }

  /** The next answers of whichever tenant has waited longest. */
  #take(): readonly Waiting[] {
    const tenantId = this.#waiting[0]?.tenantId;
    const batch = this.#waiting.filter((one) => one.tenantId === tenantId).slice(0, this.#parts.pace.batch);
    const taken = new Set(batch);
    this.#waiting = this.#waiting.filter((one) => !taken.has(one));
    for (const { bytes } of batch) this.#bytes -= bytes;
    return batch;
  }

  #putBack(batch: readonly Waiting[]): void {
    this.#waiting.unshift(...batch);
    for (const { bytes } of batch) this.#bytes += bytes;
    this.#shorten();
    const { backoffMs, longestBackoffMs } = ANSWER_LIMITS;
    this.#notBeforeMs = performance.now() + Math.min(backoffMs * 2 ** this.#failures, longestBackoffMs);
    this.#failures += 1;
  }

  async #store(tenantId: number, batch: readonly Waiting[]): Promise<void> {
    const packed: { readonly owner: string; readonly result: PackedResult }[] = [];
    // One after the other: calls that are answered meanwhile come in between.
    for (const { answer, owner, sinceMs } of batch) {
      packed.push({ owner, result: await packAnswer(answer, performance.now() - sinceMs) });
      await othersTurn();
    }
    // To look takes some milliseconds where there are many.
    const unlooked = (this.#unlooked.get(tenantId) ?? ANSWER_LIMITS.unlooked) + packed.length;
    const isDue = unlooked >= ANSWER_LIMITS.unlooked;
    await withTenantWrite(
      await this.#parts.database(),
      tenantId,
      async (client) => {
        for (const { owner, result } of packed) await insertResult(client, { tenantId, jobId: null, owner }, result);
        if (isDue) await makeRoom(client, tenantId, "call");
      },
      "jobs",
    );
    this.#unlooked.set(tenantId, isDue ? 0 : unlooked);
  }

  #tell(told: Omit<Extract<Observation, { kind: "answers_written" }>, "kind">): void {
    this.#parts.observe({ kind: "answers_written", ...told });
  }
}
