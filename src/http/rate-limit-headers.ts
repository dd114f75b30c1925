import type { Principal } from "../tenant.ts";

/** How many calls a caller has left: what the rate limiter of auth/ tells. */
export interface CallsLeft {
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

/** Says on each answer how many calls its caller has left. */
export interface RateLimitHeaders {
  /** Called when it is known who makes a request. */
  readonly onCaller: (request: Request, principal: Principal) => void;
  /** The same answer with RateLimit-Limit, -Remaining and -Reset, and Retry-After when nothing is left. */
  readonly decorate: (request: Request, response: Response) => Promise<Response>;
}

/** `state` counts nothing; what it throws costs the headers only. */
export function rateLimitHeaders(state: (principal: Principal) => Promise<CallsLeft>): RateLimitHeaders {
  const callers = new WeakMap<Request, Principal>();
  return {
    onCaller: (request, principal) => void callers.set(request, principal),
    decorate: async (request, response) => {
      const principal = callers.get(request);
      if (principal === undefined) return response;
      const left = await state(principal).catch(() => undefined);
      if (left === undefined) return response;
      const headers = new Headers(response.headers);
      headers.set("ratelimit-limit", String(left.limit));
      headers.set("ratelimit-remaining", String(left.remaining));
      headers.set("ratelimit-reset", String(left.resetSeconds));
      if (left.remaining === 0 && !headers.has("retry-after")) headers.set("retry-after", String(left.resetSeconds));
      return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
    },
  };
}
