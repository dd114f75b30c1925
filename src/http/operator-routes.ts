import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import type { Context } from "hono";

export interface OperatorRoutes {
  /** Resolves when the server can answer questions; rejects or resolves false while it cannot. */
  readonly ready: () => Promise<boolean>;
  /** Whether the server is on its way out: it is not ready any more, and will not be. */
  readonly isStopping?: () => boolean;
  readonly metricsText?: () => Promise<string>;
}

const READY_WITHIN_MS = 2000;

/** Whether the process lives and can work; these say nothing else, so that anyone may ask. */
export function healthRoutes({ ready, isStopping = () => false }: OperatorRoutes): Hono {
  const routes = new Hono();
  routes.get("/live", (context) => context.json({ status: "live" }));
  routes.get("/ready", async (context) => {
    if (isStopping()) return context.json({ status: "stopping" }, 503);
    const isReady = await within(READY_WITHIN_MS, ready());
    return isReady ? context.json({ status: "ready" }) : context.json({ status: "starting" }, 503);
  });
  return routes;
}

/** Counters for a collector on this machine; to anyone else, and through a proxy, the page does not exist. */
export function metricsRoute({ metricsText }: OperatorRoutes): (context: Context) => Promise<Response> {
  return async (context) => {
    if (metricsText === undefined || !isLocal(context)) return context.notFound();
    return context.text(await metricsText(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  };
}

function isLocal(context: Context): boolean {
  const address = getConnInfo(context).remote.address ?? "";
  const proxied = ["forwarded", "x-forwarded-for", "x-real-ip"].some((name) => context.req.header(name) !== undefined);
  return !proxied && /^(127\.|::1$|::ffff:127\.)/.test(address);
}

async function within(timeoutMs: number, promise: Promise<boolean>): Promise<boolean> {
  const timer = Promise.withResolvers<boolean>();
  const timeout = setTimeout(() => timer.resolve(false), timeoutMs);
  try {
    return await Promise.race([promise.catch(() => false), timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}
