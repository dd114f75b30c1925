import type { ServerResponse } from "node:http";
import { AppError } from "../errors.ts";
import { errorText } from "../mcp/answer.ts";
import { httpStatusOf } from "./status.ts";

/** Requests that run, so that a server that stops can answer them first. */
export interface Drain {
  readonly isStopping: boolean;
  /** Counts a request until its response has gone, or its client has; false where nothing new is begun any more. */
  admit(request: Request, response: ServerResponse): boolean;
  /** From now on nothing new is begun; settles when what runs is answered, at the latest after `withinMs`. */
  stop(withinMs: number): Promise<void>;
}

export function createDrain(): Drain {
  const running = new Set<ServerResponse>();
  const empty = Promise.withResolvers<void>();
  let isStopping = false;
  const check = (): void => {
    if (isStopping && running.size === 0) empty.resolve();
  };
  return {
    get isStopping() {
      return isStopping;
    },
    admit: (request, response) => {
      if (isStopping) return false;
      if (!isAnswered(request)) return true;
      running.add(response);
      response.once("close", () => {
        running.delete(response);
        check();
      });
      return true;
    },
    stop: async (withinMs) => {
      isStopping = true;
      check();
      const timer = setTimeout(empty.resolve, withinMs);
      await empty.promise;
      clearTimeout(timer);
    },
  };
}

/** Streams of notices stay open until somebody ends them: they are no calls that wait for an answer. */
function isAnswered({ method, headers, url }: Request): boolean {
  if (new URL(url).pathname.startsWith("/results/")) return true;
  return method === "POST" && headers.get("mcp-method") !== "subscriptions/listen";
}

/** What a call is told that comes too late; closing the connection sends the next one elsewhere. */
export function refuseStopping(): Response {
  const error = new AppError("UNAVAILABLE", "This server is stopping.", {
    retryAfterSeconds: 1,
    next: "Repeat the same call in a moment.",
  });
  return Response.json(
    { jsonrpc: "2.0", error: { code: -32_000, message: errorText(error) }, id: null },
    { status: httpStatusOf(error.code), headers: { connection: "close", "retry-after": "1" } },
  );
}
