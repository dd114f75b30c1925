import { expect, test } from "vitest";
import { memoryResultStore, RESULT_LIFETIME_MS } from "../../src/cache/result-store.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";

const [one, two, three] = [1, 2, 3].map((id) => testPrincipal(testTenant({ id }))) as [
  ReturnType<typeof testPrincipal>,
  ReturnType<typeof testPrincipal>,
  ReturnType<typeof testPrincipal>,
];

test("a handle works for the tenant and user it was given to, and for nobody else", () => {
  const store = memoryResultStore<string>({ maxBytes: 100, maxTenantBytes: 100 });
  const id = store.put(one, "rows", 10);
  expect(id).toMatch(/^res_[\w-]{22}$/);
  expect(store.get(one, id)).toBe("rows");
  expect(store.get({ ...one, user: "somebody else" }, id)).toBeUndefined();
  expect(store.get(two, id)).toBeUndefined();
  expect(store.get({ ...two, user: one.user }, id)).toBeUndefined();
  expect(store.get(one, "res_absent")).toBeUndefined();
  // The same user by a key that may see less.
  expect(store.get({ ...one, allowed: { projects: ["A"] } }, id)).toBeUndefined();
  expect(store.get({ ...one, scopes: ["drill:read"] }, id)).toBeUndefined();
});

test("handles do not repeat, even for the same value", () => {
  const store = memoryResultStore<string>({ maxBytes: 1e6, maxTenantBytes: 1e6 });
  expect(new Set(Array.from({ length: 100 }, () => store.put(one, "rows", 1))).size).toBe(100);
});

test("a result ends after its lifetime, to the millisecond, and makes room", () => {
  let nowMs = 1000;
  const store = memoryResultStore<string>({ maxBytes: 20, maxTenantBytes: 10, nowMs: () => nowMs });
  const first = store.put(one, "a", 10);
  const other = store.put(two, "b", 10);
  nowMs += RESULT_LIFETIME_MS - 1;
  expect(store.get(one, first)).toBe("a");
  nowMs += 1;
  expect([store.get(one, first), store.get(two, other)]).toEqual([undefined, undefined]);
  const later = store.put(three, "c", 10);
  const latest = store.put(two, "d", 10);
  expect([store.get(three, later), store.get(two, latest)]).toEqual(["c", "d"]);
});

test("a tenant's oldest results leave first, and only its own while it is over its share", () => {
  const store = memoryResultStore<number>({ maxBytes: 100, maxTenantBytes: 30 });
  const foreign = store.put(two, 0, 30);
  const own = [1, 2, 3, 4, 5].map((value) => store.put(one, value, 10));
  expect(own.map((id) => store.get(one, id))).toEqual([undefined, undefined, 3, 4, 5]);
  expect(store.get(two, foreign)).toBe(0);
});

test("the store as a whole drops its oldest", () => {
  const store = memoryResultStore<number>({ maxBytes: 50, maxTenantBytes: 30 });
  const [first, second, third] = [store.put(one, 1, 30), store.put(two, 2, 20), store.put(three, 3, 20)];
  expect([store.get(one, first), store.get(two, second), store.get(three, third)]).toEqual([undefined, 2, 3]);
});
