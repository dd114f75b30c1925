import { expect, test } from "vitest";
import type { LimitExceeded, RateLimiter } from "../src/auth/rate-limit.ts";
import { AppError } from "../src/errors.ts";
import { limited } from "../src/limited.ts";
import type { Observation } from "../src/observe/observation.ts";
import { memoryPipeline, shippedCatalog } from "./support/mcp-pipeline.ts";
import { testPrincipal, testTenant } from "./support/tenants.ts";

const ANN = testPrincipal(testTenant({ id: 5 }), "ann");

test("a call over a limit is told which, when to try again and what to do, and nothing of it runs", async () => {
  let exceeded: LimitExceeded | undefined;
  const limiter: RateLimiter = { take: async () => exceeded, state: () => Promise.reject(new Error("not asked")) };
  const inner = memoryPipeline({ catalog: await shippedCatalog() });
  const observed: Observation[] = [];
  const pipeline = limited(inner, limiter, (one) => observed.push(one));
  const calls = () => [
    pipeline.run(ANN, { measures: [{ name: "wip" }] }),
    // The pipeline in memory numbers its results.
    pipeline.page(ANN, { result_id: "res_1" }),
    pipeline.values(ANN, { dimension: "issue_type" }),
    pipeline.drill(ANN, { result_id: "res_1", row: 0, measure: "wip" }),
    pipeline.chart(ANN, { result_id: "res_1" }),
  ];
  await pipeline.run(ANN, { measures: [{ name: "wip" }] });
  await Promise.all(calls());
  expect(inner.seen).toHaveLength(4);
  exceeded = { scope: "tenant", limit: 600, burst: 20, retryAfterSeconds: 12 };
  for (const call of calls()) {
    const error: unknown = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({
      code: "RATE_LIMITED",
      message:
        "All callers of this tenant together may make 600 calls a minute, and 20 more in ten minutes; these are used up. Nothing was run.",
      details: { retryAfterSeconds: 12, next: expect.stringContaining("Wait") },
    });
  }
  expect(inner.seen).toHaveLength(4);
  expect(observed).toEqual(Array.from({ length: 5 }, () => ({ kind: "rate_limited", tenantId: 5, scope: "tenant" })));
  exceeded = { ...exceeded, scope: "principal" };
  await expect(pipeline.run(ANN, {})).rejects.toThrow(/^This caller may make/);
  expect(pipeline.catalog).toBe(inner.catalog);
});
