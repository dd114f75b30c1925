import { expect, test } from "vitest";
import { CACHE_LIMITS, WARM_UP_LIMITS } from "../../src/execute/limits.ts";
import { createWarmUp } from "../../src/execute/warm-up.ts";
import type { Observation } from "../../src/observe/observation.ts";
import type { Principal } from "../../src/tenant.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const ANN = testPrincipal(testTenant({ id: 1 }), "ann");
const NARROW = testPrincipal(testTenant({ id: 1 }), "ben", { allowed: { projects: ["PAY"] } });

function made(refresh: (principal: Principal, spec: string, untilMs: number) => Promise<boolean> = async () => true) {
  const refreshed: [string, string][] = [];
  const observed: Observation[] = [];
  const clock = { nowMs: 0 };
  const closing = new AbortController();
  const warmUp = createWarmUp<string>({
    refresh: async (principal, spec, untilMs) => {
      refreshed.push([principal.user, spec]);
      return refresh(principal, spec, untilMs);
    },
    observe: (one) => observed.push(one),
    closed: closing.signal,
    nowMs: () => clock.nowMs,
  });
  const ask = (principal: Principal, spec: string, times: number) => {
    for (let time = 0; time < times; time += 1) warmUp.asked(principal, spec, clock.nowMs + CACHE_LIMITS.lifetimeMs);
  };
  return { warmUp, refreshed, observed, clock, closing, ask };
}

test("new data brings the most asked questions again, each under the rights it was asked with", async () => {
  const { warmUp, refreshed, observed, ask } = made();
  warmUp.noticed(1, "v1");
  ask(ANN, "often", 3);
  ask(NARROW, "often", 5);
  ask(ANN, "once", 1);
  ask(testPrincipal(testTenant({ id: 2 })), "another tenant's", 9);
  warmUp.noticed(1, "v1");
  await warmUp.idle();
  expect(refreshed).toEqual([]);
  warmUp.noticed(1, "v2");
  await warmUp.idle();
  expect(refreshed).toEqual([
    ["ben", "often"],
    ["ann", "often"],
  ]);
  expect(observed).toEqual([
    { kind: "warmed_up", tenantId: 1, outcome: "done" },
    { kind: "warmed_up", tenantId: 1, outcome: "done" },
  ]);
});

test("only so many, and none for a tenant that has been idle for an hour", async () => {
  const { warmUp, refreshed, clock, ask } = made();
  warmUp.noticed(1, "v1");
  for (let spec = 0; spec < 20; spec += 1) ask(ANN, `spec ${spec}`, 2 + spec);
  warmUp.noticed(1, "v2");
  await warmUp.idle();
  expect(refreshed.map(([, spec]) => spec)).toEqual(["spec 19", "spec 18", "spec 17", "spec 16", "spec 15"]);
  clock.nowMs = WARM_UP_LIMITS.idleMs + 1;
  warmUp.noticed(1, "v3");
  await warmUp.idle();
  expect(refreshed).toHaveLength(WARM_UP_LIMITS.specs);
});

test("a busy moment is waited out, a failure skips one question, and closing ends it all", async () => {
  let turn = 0;
  const { warmUp, refreshed, observed, closing, ask } = made(async (_principal, spec) => {
    turn += 1;
    if (spec === "bad") throw new Error("no");
    return turn > 1;
  });
  warmUp.noticed(1, "v1");
  ask(ANN, "good", 4);
  ask(ANN, "bad", 3);
  warmUp.noticed(1, "v2");
  await warmUp.idle();
  expect(refreshed.map(([, spec]) => spec)).toEqual(["good", "good", "bad"]);
  expect(observed.map((one) => "outcome" in one && one.outcome)).toEqual(["done", "skipped"]);
  closing.abort();
  warmUp.noticed(1, "v3");
  await warmUp.idle();
  expect(refreshed).toHaveLength(3);
});

test("by the clock only popular answers that are about to expire are made anew, while their tenant asks", async () => {
  const untils: number[] = [];
  const { warmUp, refreshed, clock, ask } = made(async (_principal, _spec, untilMs) => untils.push(untilMs) > 0);
  warmUp.noticed(1, "v1");
  ask(ANN, "often", 3);
  ask(ANN, "once", 1);
  const againAfter = async (ms: number) => {
    clock.nowMs += ms;
    warmUp.again();
    warmUp.again();
    await warmUp.idle();
    return refreshed.splice(0).map(([, spec]) => spec);
  };
  expect(await againAfter(60_000)).toEqual([]);
  expect(await againAfter(CACHE_LIMITS.lifetimeMs - WARM_UP_LIMITS.soonMs - 60_000)).toEqual(["often"]);
  expect(untils).toEqual([CACHE_LIMITS.lifetimeMs]);
  // It was made anew, and so lasts again.
  expect(await againAfter(60_000)).toEqual([]);
  expect(await againAfter(CACHE_LIMITS.lifetimeMs - WARM_UP_LIMITS.soonMs - 60_000)).toEqual(["often"]);
  expect(await againAfter(WARM_UP_LIMITS.latelyMs)).toEqual([]);
});
