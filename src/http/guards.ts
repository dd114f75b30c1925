import { localhostAllowedHostnames, validateHostHeader } from "@modelcontextprotocol/server";
import type { MiddlewareHandler } from "hono";
import type { Observe } from "../observe/observation.ts";

export interface GuardOptions {
  /** The address that the server is bound to. */
  readonly host: string;
  /** Origins besides localhost whose pages may call, as `https://tools.example.com`; their hosts may be called by too. */
  readonly allowedOrigins: readonly string[];
  /** Where clients reach the server from outside; its host may be called by. */
  readonly publicUrl?: string;
  readonly observe: Observe;
}

const WILDCARDS = new Set(["0.0.0.0", "::", "[::]", ""]);

/**
 * Refuses what a browser page of a stranger could send: a Host that is not ours (DNS rebinding) and an Origin that
 * is not allowed. Programs send no Origin and pass.
 */
export function hostAndOriginGuard({ host, allowedOrigins, publicUrl, observe }: GuardOptions): MiddlewareHandler {
  const hostnames = [
    ...localhostAllowedHostnames(),
    ...(WILDCARDS.has(host) ? [] : [bracketed(host)]),
    ...[...allowedOrigins, ...(publicUrl === undefined ? [] : [publicUrl])].map((url) => new URL(url).hostname),
  ];
  const originAllowed = originCheck(allowedOrigins);
  return async (context, next) => {
    const hostCheck = validateHostHeader(context.req.header("host"), hostnames);
    const origin = context.req.header("origin");
    if (hostCheck.ok && (origin === undefined || originAllowed(origin))) return next();
    observe({ kind: "request_refused", reason: hostCheck.ok ? "origin" : "host", status: 403 });
    const message = hostCheck.ok
      ? "This Origin is not allowed; see METRICGATE_ALLOWED_ORIGINS."
      : "This Host is not allowed; see METRICGATE_PUBLIC_URL and METRICGATE_ALLOWED_ORIGINS.";
    return context.json({ jsonrpc: "2.0", error: { code: -32_000, message }, id: null }, 403);
  };
}

/** True for pages of this machine on any port, and for exactly the origins listed. */
export function originCheck(allowedOrigins: readonly string[]): (origin: string) => boolean {
  const listed = new Set(allowedOrigins.map((origin) => new URL(origin).origin));
  const local = new Set(localhostAllowedHostnames());
  return (origin) => {
    if (!URL.canParse(origin)) return false;
    const url = new URL(origin);
    return listed.has(url.origin) || ((url.protocol === "http:" || url.protocol === "https:") && local.has(url.hostname));
  };
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
