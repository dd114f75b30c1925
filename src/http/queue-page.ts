import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { AppError } from "../errors.ts";
import { errorEnvelope } from "../mcp/answer.ts";
import type { McpParts } from "../mcp/parts.ts";
import { callerOf, hasCredentialInAddress } from "./caller.ts";
import type { HttpAuth } from "./challenge.ts";
import { type Drain, refuseStopping } from "./drain.ts";
import { refusals } from "./refusals.ts";

export interface QueuePageParts {
  readonly mcp: Pick<McpParts, "identify" | "observe">;
  readonly auth: HttpAuth;
  readonly drain: Drain;
  /** Answers what the page is asked for, by path and query below `base`, where its own links begin; throws UNAVAILABLE. Without it there is no page. */
  readonly queuePage?: (path: string, base: string) => Promise<Response>;
  /** See GuardOptions. */
  readonly publicUrl?: string;
}

export const QUEUE_PAGE_PATH = "/operator/queues";

const HEADERS = {
  // The page's library sets styles of its own; scripts, data and typefaces come from here or not at all.
  "content-security-policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * The line of jobs of all tenants, to look at: ids only, for whoever shows a credential with the scope `jobs:operate`. One is asked for
 * also where /mcp needs none. A browser may send a key as the password of its own log-in prompt.
 */
export function queuePageRoutes({ mcp, auth, drain, queuePage, publicUrl }: QueuePageParts): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  if (queuePage === undefined) return routes;
  // A proxy may show us under a longer path than ours.
  const base = publicUrl === undefined ? QUEUE_PAGE_PATH : new URL(QUEUE_PAGE_PATH.slice(1), publicUrl).pathname;
  const refuse = refusals(auth, mcp);
  const answer = async (request: Request): Promise<Response> => {
    if (hasCredentialInAddress(request)) return refuse.query();
    const caller = request.headers.has("authorization") ? await callerOf(withBearer(request), mcp) : unknown();
    if (caller instanceof AppError) return promptOf(request, refuse.identity(request, caller));
    if (!caller.scopes.includes("jobs:operate")) return refuse.scope(caller, ["jobs:operate"]);
    if (request.method !== "GET") return readOnly();
    const { pathname, search } = new URL(request.url);
    return queuePage(`${pathname.slice(QUEUE_PAGE_PATH.length).replace(/\/+$/, "") || "/"}${search}`, base);
  };
  routes.all("*", async (context) => {
    const request = context.req.raw;
    if (!drain.admit(request, context.env.outgoing)) return refuseStopping();
    const answered = await answer(request);
    const headers = new Headers(answered.headers);
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    return new Response(answered.body, { status: answered.status, headers });
  });
  return routes;
}

/** The same request for who it is from; `Basic` with the credential as its password is what a browser can send. */
function withBearer(request: Request): Request {
  const encoded = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const password = encoded && /^[^:]*:([\x21-\x7e]+)$/.exec(Buffer.from(encoded, "base64").toString("latin1"))?.[1];
  if (password === undefined || password === "") return request;
  const headers = new Headers(request.headers);
  headers.set("authorization", `Bearer ${password}`);
  return new Request(request.url, { headers });
}

/** Whoever looks without a bearer, at the page or at what it loads, is asked as a browser is; a browser hears of one way only. */
function promptOf({ method, headers }: Request, refusal: Response): Response {
  if (refusal.status === 401 && method === "GET" && !/^bearer\b/i.test(headers.get("authorization") ?? ""))
    refusal.headers.set("www-authenticate", 'Basic realm="metricgate: an API key as the password", charset="UTF-8"');
  return refusal;
}

function unknown(): AppError {
  return new AppError("UNAUTHENTICATED", "This page asks who looks, and no credential was sent.", {
    next: "Send an API key with the scope jobs:operate; `metricgate key create --scopes jobs:operate` makes one.",
  });
}

function readOnly(): Response {
  const error = new AppError("FORBIDDEN", "This page is for looking only.", {
    next: "Jobs are cancelled with cancel_job, by whose they are.",
  });
  return Response.json(errorEnvelope(error), { status: 405, headers: { allow: "GET" } });
}
