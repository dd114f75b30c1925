import type { MiddlewareHandler } from "hono";
import type { Observe } from "../observe/observation.ts";

/** Deeper than any spec or protocol message; what nests deeper is written to exhaust a parser's stack. */
export const MAX_JSON_DEPTH = 64;

/** Whether brackets of JSON text nest deeper than `limit`, in one pass and without parsing. Text that is no JSON is left to the parser. */
export function isDeeperThan(limit: number, text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inText) {
      if (character === "\\") at += 1;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "{" || character === "[") {
      depth += 1;
      if (depth > limit) return true;
    } else if (character === "}" || character === "]") depth -= 1;
  }
  return false;
}

/** Refuses a body that nests too deeply with 400, before anything parses it. Its size is bounded before. */
export function jsonDepthLimit(observe: Observe): MiddlewareHandler {
  return async (context, next) => {
    if (context.req.method !== "POST" || !isDeeperThan(MAX_JSON_DEPTH, await context.req.raw.clone().text())) return next();
    observe({ kind: "request_refused", reason: "depth", status: 400 });
    const message = `A request may nest at most ${MAX_JSON_DEPTH} arrays and objects inside each other.`;
    return context.json({ jsonrpc: "2.0", error: { code: -32_600, message }, id: null }, 400);
  };
}
