import type { LimitExceeded, RateLimiter } from "./auth/rate-limit.ts";
import { AppError } from "./errors.ts";
import type { Observe } from "./observe/observation.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Principal } from "./tenant.ts";

/** The pipeline for callers who ask only so often. A call over a limit throws RATE_LIMITED and nothing of it is run. */
export function limited(pipeline: Pipeline, limiter: RateLimiter, observe: Observe): Pipeline {
  const admit = async (principal: Principal): Promise<void> => {
    const exceeded = await limiter.take(principal);
    if (exceeded === undefined) return;
    observe({ kind: "rate_limited", tenantId: principal.tenant.id, scope: exceeded.scope });
    throw rateLimited(exceeded);
  };
  return {
    ...pipeline,
    run: async (principal, input, options) => {
      await admit(principal);
      return pipeline.run(principal, input, options);
    },
    page: async (principal, request) => {
      await admit(principal);
      return pipeline.page(principal, request);
    },
    values: async (principal, request, options) => {
      await admit(principal);
      return pipeline.values(principal, request, options);
    },
    drill: async (principal, request, options) => {
      await admit(principal);
      return pipeline.drill(principal, request, options);
    },
    chart: async (principal, request, options) => {
      await admit(principal);
      return pipeline.chart(principal, request, options);
    },
    search: async (principal, request, options) => {
      await admit(principal);
      return pipeline.search(principal, request, options);
    },
    startJob: async (principal, request) => {
      await admit(principal);
      return pipeline.startJob(principal, request);
    },
    job: async (principal, request, options) => {
      await admit(principal);
      return pipeline.job(principal, request, options);
    },
    cancelJob: async (principal, request) => {
      await admit(principal);
      return pipeline.cancelJob(principal, request);
    },
  };
}

function rateLimited({ scope, limit, burst, retryAfterSeconds }: LimitExceeded): AppError {
  const whose = scope === "tenant" ? "All callers of this tenant together" : "This caller";
  return new AppError(
    "RATE_LIMITED",
    `${whose} may make ${limit} calls a minute, and ${burst} more in ten minutes; these are used up. Nothing was run.`,
    { retryAfterSeconds, next: "Wait as long as told, then repeat the call; ask for several measures in one spec rather than one by one." },
  );
}
