import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Weighable } from "../../src/execute/admission.ts";
import { INTERACTIVE_LIMITS, KEPT_PLAN_LIMITS } from "../../src/execute/limits.ts";
import { type Bounds, createPlanning } from "../../src/execute/planning.ts";
import { testTenant } from "../support/tenants.ts";

const ROWS = { columns: ["n"], rows: [[1]] };
const FRESH: Bounds = INTERACTIVE_LIMITS;

function asked(about: unknown, dataVersion: string | null = "7@2024"): Weighable {
  const unused = (): never => {
    throw new Error("not weighed here");
  };
  return { tenant: testTenant({ id: 1 }), dataVersion, about, shapeStatement: unused, weigh: unused };
}

/** A database on which statements take a set time, and kept plans may be ended. */
function make({ tookMs = 2, keptFails }: { tookMs?: number; keptFails?: AppError }) {
  let now = 0;
  const ran: Bounds[] = [];
  const planning = createPlanning(() => now);
  const run = async (bounds: Bounds) => {
    ran.push(bounds);
    now += tookMs;
    if (bounds.keepPlan === true && keptFails !== undefined) throw keptFails;
    return ROWS;
  };
  return { ran, ask: (question: Weighable) => planning.run(question, run) };
}

test("a light question is planned for its values once, and runs by the kept plan from then on", async () => {
  const { ran, ask } = make({ tookMs: 15 });
  for (const _ of [1, 2, 3]) expect(await ask(asked("a"))).toBe(ROWS);
  const kept = { timeoutMs: 60, keepPlan: true };
  expect(ran).toEqual([FRESH, kept, kept]);
  await ask(asked("b"));
  await ask(asked("a", "8@2024"));
  expect(ran.slice(3)).toEqual([FRESH, FRESH]);
});

test("what took a moment gets no less than the least time", async () => {
  const { ran, ask } = make({ tookMs: 1 });
  await ask(asked("a"));
  await ask(asked("a"));
  expect(ran[1]).toEqual({ timeoutMs: KEPT_PLAN_LIMITS.leastMs, keepPlan: true });
});

test("a heavy question is planned for its values always, as is one of data without a version", async () => {
  const heavy = make({ tookMs: KEPT_PLAN_LIMITS.freshMs + 1 });
  await heavy.ask(asked("a"));
  await heavy.ask(asked("a"));
  expect(heavy.ran).toEqual([FRESH, FRESH]);
  const unknown = make({});
  await unknown.ask(asked("a", null));
  await unknown.ask(asked("a", null));
  expect(unknown.ran).toEqual([FRESH, FRESH]);
});

test("a kept plan that takes much longer is given up for good, and the question is answered all the same", async () => {
  const { ran, ask } = make({ keptFails: new AppError("TIMEOUT", "too long") });
  for (const _ of [1, 2, 3]) expect(await ask(asked("a"))).toBe(ROWS);
  expect(ran).toEqual([FRESH, { timeoutMs: 50, keepPlan: true }, FRESH, FRESH]);
});

test("any other failure is the caller's to hear, and costs the plan nothing", async () => {
  const { ran, ask } = make({ keptFails: new AppError("CANCELLED", "cancelled") });
  await ask(asked("a"));
  await expect(ask(asked("a"))).rejects.toMatchObject({ code: "CANCELLED" });
  await expect(ask(asked("a"))).rejects.toMatchObject({ code: "CANCELLED" });
  expect(ran.map((bounds) => bounds.keepPlan)).toEqual([undefined, true, true]);
});
