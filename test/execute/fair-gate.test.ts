import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import { fairGate } from "../../src/execute/fair-gate.ts";
import type { GateLimits } from "../../src/execute/limits.ts";
import type { Observation } from "../../src/observe/observation.ts";

const LIMITS: GateLimits = { running: 2, runningPerTenant: 1, waitingPerTenant: 3, waitMs: 1_000 };

/** A gate whose work ends when the test says so; `started` tells the order. */
function controlled(limits: Partial<GateLimits> = {}) {
  const observed: Observation[] = [];
  const gate = fairGate({ ...LIMITS, ...limits }, { observe: (one) => observed.push(one) });
  const started: string[] = [];
  const running = new Map<string, () => void>();
  const enter = (name: string, tenantId: number, signal?: AbortSignal): Promise<string> => {
    const work = async (): Promise<string> => {
      started.push(name);
      const end = Promise.withResolvers<void>();
      running.set(name, end.resolve);
      await end.promise;
      running.delete(name);
      return name;
    };
    const done = gate.run(tenantId, work, signal);
    done.catch(() => undefined);
    return done;
  };
  const finish = async (name: string): Promise<void> => {
    await vi.advanceTimersByTimeAsync(0);
    running.get(name)?.();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { gate, observed, started, enter, finish, running: () => [...running.keys()] };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

test("tenants take turns, however many one of them has waiting", async () => {
  const { enter, finish, started } = controlled({ running: 1, waitingPerTenant: 10 });
  for (const name of ["a1", "a2", "a3", "a4"]) void enter(name, 1);
  for (const name of ["b1", "b2"]) void enter(name, 2);
  void enter("c1", 3);
  await vi.advanceTimersByTimeAsync(0);
  for (let turn = 0; turn < 7; turn += 1) await finish(started.at(-1) ?? "");
  expect(started).toEqual(["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
});

test("no more run than may, of one tenant and in all", async () => {
  const { enter, finish, started, running } = controlled();
  for (const [name, tenant] of [
    ["a1", 1],
    ["a2", 1],
    ["b1", 2],
    ["c1", 3],
  ] as const)
    void enter(name, tenant);
  await vi.advanceTimersByTimeAsync(0);
  expect(running()).toEqual(["a1", "b1"]);
  await finish("b1");
  expect(running()).toEqual(["a1", "c1"]);
  await finish("c1");
  expect(running()).toEqual(["a1"]);
  await finish("a1");
  expect(started).toEqual(["a1", "b1", "c1", "a2"]);
});

test("one too many waiting is told at once, with the limit and when to try again", async () => {
  const { enter, observed, started } = controlled();
  for (const name of ["a1", "a2", "a3", "a4"]) void enter(name, 1);
  const refused: unknown = await enter("a5", 1).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "BUSY",
    message: "This tenant has 1 questions running and 3 waiting, which is the limit.",
    details: { retryAfterSeconds: 5, next: expect.any(String) },
  });
  expect(observed).toContainEqual({ kind: "turn_taken", tenantId: 1, waitMs: expect.any(Number), outcome: "BUSY" });
  void enter("b1", 2);
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toEqual(["a1", "b1"]);
});

test("a turn that does not come in time is BUSY, and the place in the queue is free again", async () => {
  const { enter, finish, started } = controlled();
  void enter("a1", 1);
  const waiting = enter("a2", 1);
  const settled = expect(waiting).rejects.toMatchObject({
    code: "BUSY",
    message: expect.stringContaining("waited 1 s, which is the limit"),
  });
  await vi.advanceTimersByTimeAsync(999);
  void enter("a3", 1);
  await vi.advanceTimersByTimeAsync(1);
  await settled;
  await finish("a1");
  expect(started).toEqual(["a1", "a3"]);
});

test("who cancels while waiting leaves at once and is never run", async () => {
  const { enter, finish, started, observed } = controlled();
  void enter("a1", 1);
  const controller = new AbortController();
  const waiting = enter("a2", 1, controller.signal);
  void enter("a3", 1);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
  expect(observed.at(-1)).toMatchObject({ kind: "turn_taken", outcome: "CANCELLED" });
  await finish("a1");
  expect(started).toEqual(["a1", "a3"]);
  await expect(enter("late", 2, AbortSignal.abort())).rejects.toMatchObject({ code: "CANCELLED" });
  expect(started).not.toContain("late");
});

test("a cancel that comes with the turn takes nobody's place", async () => {
  const { gate, enter, finish, started } = controlled({ running: 1 });
  void enter("a1", 1);
  const controller = new AbortController();
  const unlucky = gate.run(1, async () => controller.signal.throwIfAborted(), controller.signal).catch(() => "gone");
  void enter("a3", 1);
  await vi.advanceTimersByTimeAsync(0);
  const ended = finish("a1");
  controller.abort();
  await ended;
  expect(await unlucky).toBe("gone");
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toEqual(["a1", "a3"]);
  await finish("a3");
  void enter("a4", 1);
  await vi.advanceTimersByTimeAsync(0);
  expect(started.at(-1)).toBe("a4");
});

test("work that fails gives its place on", async () => {
  const { gate, enter, started } = controlled({ running: 1 });
  const failing = gate.run(1, () => Promise.reject(new AppError("TIMEOUT", "x")));
  void enter("b1", 2);
  await expect(failing).rejects.toMatchObject({ code: "TIMEOUT" });
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toEqual(["b1"]);
});

test("idle work runs only while nothing else does, and is ended when somebody has to wait because of it", async () => {
  const { gate, enter, finish, started } = controlled({ running: 1 });
  void enter("a1", 1);
  expect(gate.runIdle(async () => undefined)).toBeUndefined();
  await finish("a1");
  let ended = "";
  const idle = gate.runIdle((signal) => new Promise((resolve) => signal.addEventListener("abort", () => ((ended = "aborted"), resolve()))));
  expect(idle).toBeInstanceOf(Promise);
  void enter("a2", 1);
  expect(ended).toBe("aborted");
  await idle;
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toEqual(["a1", "a2"]);
});

test("idle work is left alone while there is room beside it", async () => {
  const { gate, enter, started } = controlled({ running: 2 });
  let isEnded = false;
  const end = Promise.withResolvers<void>();
  const idle = gate.runIdle((signal) => {
    signal.addEventListener("abort", () => (isEnded = true));
    return end.promise;
  });
  void enter("a1", 1);
  await vi.advanceTimersByTimeAsync(0);
  expect([started, isEnded]).toEqual([["a1"], false]);
  end.resolve();
  await idle;
});

test("whatever comes and goes, no bound is passed and nobody is lost", async () => {
  vi.useRealTimers();
  const limits: GateLimits = { running: 3, runningPerTenant: 2, waitingPerTenant: 1_000, waitMs: 10_000 };
  const gate = fairGate(limits);
  const running = new Map<number, number>();
  let most = 0;
  let mostOfOne = 0;
  let cancelled = 0;
  const one = async (index: number): Promise<string> => {
    // The first has most to do, so that it is alone at the end.
    const tenantId = index % 10 < 6 ? 1 : index % 5;
    const controller = new AbortController();
    if (index % 7 === 0) setTimeout(() => controller.abort(), index % 11);
    const work = async (): Promise<string> => {
      running.set(tenantId, (running.get(tenantId) ?? 0) + 1);
      most = Math.max(
        most,
        [...running.values()].reduce((sum, count) => sum + count, 0),
      );
      mostOfOne = Math.max(mostOfOne, running.get(tenantId) ?? 0);
      await sleep(index % 3);
      running.set(tenantId, (running.get(tenantId) ?? 0) - 1);
      if (index % 13 === 0) throw new AppError("INTERNAL", "x");
      return "done";
    };
    return gate.run(tenantId, work, controller.signal).catch((error: unknown) => {
      if (error instanceof AppError && error.code === "CANCELLED") cancelled += 1;
      return error instanceof AppError ? error.code : "?";
    });
  };
  const outcomes = await Promise.all(Array.from({ length: 400 }, (_, index) => one(index)));
  expect(most).toBe(3);
  expect(mostOfOne).toBe(2);
  expect(cancelled).toBeGreaterThan(5);
  expect(new Set(outcomes)).toEqual(new Set(["done", "CANCELLED", "INTERNAL"]));
  await expect(gate.run(1, async () => "free")).resolves.toBe("free");
});
