import { endedError } from "../db/failures.ts";
import { AppError } from "../errors.ts";
import type { Observe } from "../observe/observation.ts";
import { BUSY_RETRY_SECONDS, type GateLimits } from "./limits.ts";

/** Lets calls through to the database: bounded, and in turn over the tenants that wait. */
export interface Gate {
  /**
   * Runs `work` when it is its turn. Throws BUSY (the tenant has too many waiting, or its turn did not come in time) and
   * CANCELLED, at once, when `signal` aborts while waiting. Aborting while `work` runs is the work's own affair.
   */
  run<T>(tenantId: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /**
   * Runs `work` now if nothing of anyone runs or waits; undefined otherwise. Its signal aborts as soon as somebody would
   * have to wait because of it.
   */
  runIdle(work: (signal: AbortSignal) => Promise<void>): Promise<void> | undefined;
}

interface Ticket {
  readonly start: () => void;
}

interface Lane {
  running: number;
  readonly waiting: Set<Ticket>;
}

/** One process's gate. `nowMs` is a monotonic clock. */
export function fairGate(
  limits: GateLimits,
  { observe = () => undefined, nowMs = () => performance.now() }: { observe?: Observe; nowMs?: () => number } = {},
): Gate {
  const line = new Turns(limits);
  const enter = (tenantId: number, signal: AbortSignal | undefined): Promise<void> => {
    if (signal?.aborted === true) throw endedError("caller");
    if (line.takeNow(tenantId)) return Promise.resolve();
    if (line.waitingOf(tenantId) >= limits.waitingPerTenant) throw tooManyWaiting(limits);
    const turn = Promise.withResolvers<void>();
    const leave = line.wait(tenantId, { start: turn.resolve });
    const end = (error: AppError) => (): void => {
      if (leave()) turn.reject(error);
    };
    const timer = setTimeout(end(waitedTooLong(limits)), limits.waitMs);
    const onAbort = end(endedError("caller"));
    signal?.addEventListener("abort", onAbort, { once: true });
    return turn.promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
  };
  return {
    run: async (tenantId, work, signal) => {
      const startMs = nowMs();
      const waited = (outcome: "ok" | AppError["code"]): void =>
        observe({ kind: "turn_taken", tenantId, waitMs: nowMs() - startMs, outcome });
      try {
        await enter(tenantId, signal);
      } catch (error) {
        waited(error instanceof AppError ? error.code : "INTERNAL");
        throw error;
      }
      waited("ok");
      try {
        return await work();
      } finally {
        line.done(tenantId);
      }
    },
    runIdle: (work) => line.runIdle(work),
  };
}

/** Who runs and who waits. Tenants stand in the order in which their next turn comes. */
class Turns {
  readonly #limits: GateLimits;
  readonly #lanes = new Map<number, Lane>();
  readonly #idleWork = new Set<AbortController>();
  #running = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  takeNow(tenantId: number): boolean {
    const lane = this.#laneOf(tenantId);
    const isFree = this.#running < this.#limits.running && lane.running < this.#limits.runningPerTenant && lane.waiting.size === 0;
    if (isFree) this.#take(tenantId, lane);
    return isFree;
  }

  waitingOf(tenantId: number): number {
    return this.#lanes.get(tenantId)?.waiting.size ?? 0;
  }

  /** Puts a ticket last in its tenant's lane; the returned function takes it out again and says whether it was still there. */
  wait(tenantId: number, ticket: Ticket): () => boolean {
    const lane = this.#laneOf(tenantId);
    lane.waiting.add(ticket);
    for (const controller of this.#idleWork) controller.abort();
    return () => {
      const wasWaiting = lane.waiting.delete(ticket);
      if (wasWaiting) this.#forgetEmpty(tenantId, lane);
      return wasWaiting;
    };
  }

  done(tenantId: number): void {
    const lane = this.#laneOf(tenantId);
    this.#running -= 1;
    lane.running -= 1;
    this.#forgetEmpty(tenantId, lane);
    this.#dispatch();
  }

  runIdle(work: (signal: AbortSignal) => Promise<void>): Promise<void> | undefined {
    if (this.#running > 0) return undefined;
    const controller = new AbortController();
    this.#idleWork.add(controller);
    this.#running += 1;
    return work(controller.signal).finally(() => {
      this.#idleWork.delete(controller);
      this.#running -= 1;
      this.#dispatch();
    });
  }

  #laneOf(tenantId: number): Lane {
    const lane = this.#lanes.get(tenantId) ?? { running: 0, waiting: new Set<Ticket>() };
    this.#lanes.set(tenantId, lane);
    return lane;
  }

  /** Gives the tenant a place and puts it last in turn. */
  #take(tenantId: number, lane: Lane): void {
    this.#running += 1;
    lane.running += 1;
    this.#lanes.delete(tenantId);
    this.#lanes.set(tenantId, lane);
  }

  #forgetEmpty(tenantId: number, lane: Lane): void {
    if (lane.running === 0 && lane.waiting.size === 0) this.#lanes.delete(tenantId);
  }

  #dispatch(): void {
    while (this.#running < this.#limits.running) {
      const next = [...this.#lanes].find(([, lane]) => lane.waiting.size > 0 && lane.running < this.#limits.runningPerTenant);
      if (next === undefined) return;
      const [tenantId, lane] = next;
      for (const ticket of lane.waiting) {
        lane.waiting.delete(ticket);
        this.#take(tenantId, lane);
        ticket.start();
        break;
      }
    }
  }
}

function tooManyWaiting({ waitingPerTenant, runningPerTenant }: GateLimits): AppError {
  return new AppError(
    "BUSY",
    `This tenant has ${runningPerTenant} questions running and ${waitingPerTenant} waiting, which is the limit.`,
    {
      retryAfterSeconds: BUSY_RETRY_SECONDS,
      next: "Wait for the answers to the questions already asked, then repeat this call.",
    },
  );
}

function waitedTooLong({ waitMs, runningPerTenant }: GateLimits): AppError {
  return new AppError(
    "BUSY",
    `The question waited ${waitMs / 1000} s, which is the limit, for its turn; a tenant has at most ${runningPerTenant} running at once.`,
    { retryAfterSeconds: BUSY_RETRY_SECONDS, next: "Repeat the same call later, or ask for less at once." },
  );
}
