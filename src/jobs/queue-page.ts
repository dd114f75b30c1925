import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { HonoAdapter } from "@bull-board/hono";
import { serveStatic } from "@hono/node-server/serve-static";

/** Answers what the page is asked for: a path with its query, from its own root. Throws where the line cannot be reached. */
export type QueuePage = (path: string) => Promise<Response>;

/** The page asks for typefaces elsewhere; those of the machine do. */
const LINK_ELSEWHERE = /<link\b[^>]*\bhref="https?:[^>]*>/g;
const STATIC = /^\/static/;

/**
 * The line as @bull-board shows it, to look at only: which entries wait, run and come by the clock. An entry carries ids, and a failed try
 * its error. `base` is where the page's own links begin.
 */
export function queuePage(queue: ConstructorParameters<typeof BullMQAdapter>[0], base: string): QueuePage {
  // Files are looked for below the path as it is here, whatever it is outside.
  const files = ({ root = "" }: { readonly root?: string }) =>
    serveStatic({ root, rewriteRequestPath: (path) => path.replace(STATIC, "") });
  const server = new HonoAdapter(files as typeof serveStatic).setBasePath(base);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })],
    serverAdapter: server,
    options: { uiConfig: { boardTitle: "metricgate jobs", hideRedisDetails: true, hideDocsLink: true, showWorkers: false } },
  });
  const app = server.registerPlugin();
  return async (path) => {
    const response = await app.request(path);
    // Its own words for a failure would be the database's.
    if (response.status >= 500) throw new Error(`the page of the queue answered ${response.status}`);
    if (!(response.headers.get("content-type") ?? "").startsWith("text/html")) return response;
    return new Response((await response.text()).replaceAll(LINK_ELSEWHERE, ""), { status: response.status, headers: response.headers });
  };
}
