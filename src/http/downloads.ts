import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { AppError, toAppError } from "../errors.ts";
import type { McpParts } from "../mcp/parts.ts";
import { scopeOfTool } from "../mcp/scopes.ts";
import { type Call, withinCall } from "../observe/call.ts";
import { EXPORT_TYPES, type ExportFormat, exportWriter } from "../result/export.ts";
import type { Result } from "../result/result.ts";
import type { Principal } from "../tenant.ts";
import { byteRange, cutToRange } from "./byte-range.ts";
import { callerOf, hasCredentialInAddress } from "./caller.ts";
import type { HttpAuth } from "./challenge.ts";
import { type Drain, refuseStopping } from "./drain.ts";
import type { RateLimitHeaders } from "./rate-limit-headers.ts";
import { refusals } from "./refusals.ts";

export interface DownloadParts {
  readonly mcp: McpParts;
  readonly auth: HttpAuth;
  readonly limits: RateLimitHeaders | undefined;
  readonly drain: Drain;
}

const CALL: Call = { tool: "results", transport: "http" };
/** Results never change, and belong to one caller. */
const CACHE = "private, max-age=3600";

/**
 * GET /results/{id}.csv, .json and .parquet: a caller's own result as a file, streamed page by page, each recorded in the trail
 * before it leaves. Who may have it is found out as for /mcp; somebody else's is NOT_FOUND like one that does not exist.
 */
export function downloadRoutes({ mcp, auth, limits, drain }: DownloadParts): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  const refuse = refusals(auth, mcp);
  routes.get("/:file{res_[A-Za-z0-9_-]{22}\\.(?:csv|json|parquet)}", async (context) => {
    const request = context.req.raw;
    if (!drain.admit(request, context.env.outgoing)) return refuseStopping();
    if (hasCredentialInAddress(request)) return refuse.query();
    const caller = await callerOf(request, mcp);
    if (caller instanceof AppError) return refuse.identity(request, caller);
    const scope = scopeOfTool("get_result");
    if (!caller.scopes.includes(scope)) return refuse.scope(caller, [scope]);
    limits?.onCaller(request, caller);
    const [id, format] = context.req.param("file").split(".") as [string, ExportFormat];
    const cut = (): void => void context.env.outgoing.destroy();
    const response = await download(request, { principal: caller, id, format, mcp, cut });
    return limits === undefined ? response : limits.decorate(request, response);
  });
  return routes;
}

interface Wanted {
  readonly principal: Principal;
  readonly id: string;
  readonly format: ExportFormat;
  readonly mcp: McpParts;
  /** Breaks the connection off: what cannot be gone on with must not look whole. */
  readonly cut: () => void;
}

/** Throws AppError, NOT_FOUND before anything else is said. */
async function download({ headers, method }: Request, wanted: Wanted): Promise<Response> {
  const first = await pageOf(wanted, null);
  const range = headers.get("range");
  const isGzip = range === null && wanted.format !== "parquet" && takesGzip(headers.get("accept-encoding"));
  const told = headersOf(wanted, isGzip);
  if (headers.get("if-none-match")?.includes(told.etag) === true) return new Response(null, { status: 304, headers: told });
  // Of a file that has changed all is sent; this one never does, but another's validator may come.
  const isSame = (headers.get("if-range") ?? told.etag) === told.etag;
  const part = range !== null && isSame && method === "GET" ? await partOf(range, first, { wanted, told }) : undefined;
  if (part !== undefined) return part;
  const body = streamOf(pieces(first, wanted), wanted);
  if (!isGzip) return new Response(body, { headers: told });
  return new Response(body.pipeThrough(new CompressionStream("gzip")), { headers: { ...told, "content-encoding": "gzip" } });
}

function headersOf({ id, format }: Wanted, isGzip: boolean) {
  return {
    etag: `"${id}.${format}${isGzip ? ".gz" : ""}"`,
    "content-type": EXPORT_TYPES[format],
    "content-disposition": `attachment; filename="${id}.${format}"`,
    "cache-control": CACHE,
    "accept-ranges": "bytes",
    "x-content-type-options": "nosniff",
    vary: "accept-encoding, authorization",
  };
}

/** Some bytes of the file; undefined where the header asks for nothing that can be understood. */
async function partOf(
  header: string,
  first: Result,
  { wanted, told }: { readonly wanted: Wanted; readonly told: Readonly<Record<string, string>> },
): Promise<Response | undefined> {
  const size = await sizeOf(first, wanted);
  const range = byteRange(header, size);
  if (range === undefined) return undefined;
  if (range === "unsatisfiable") return new Response(null, { status: 416, headers: { ...told, "content-range": `bytes */${size}` } });
  return new Response(streamOf(cutToRange(pieces(first, wanted), range), wanted), {
    status: 206,
    headers: {
      ...told,
      "content-range": `bytes ${range.first}-${range.last}/${size}`,
      "content-length": String(range.last - range.first + 1),
    },
  });
}

/** The file, piece by piece, with its first page at hand. */
async function* pieces(first: Result, wanted: Wanted): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const writer = await exportWriter(wanted.format, first);
  let page = first;
  yield writer.page(page) as Uint8Array<ArrayBuffer>;
  while (page.data.next_cursor !== null) {
    page = await pageOf(wanted, page.data.next_cursor);
    yield writer.page(page) as Uint8Array<ArrayBuffer>;
  }
  yield writer.end() as Uint8Array<ArrayBuffer>;
}

async function sizeOf(first: Result, wanted: Wanted): Promise<number> {
  let size = 0;
  for await (const piece of pieces(first, wanted)) size += piece.length;
  return size;
}

function pageOf({ principal, id, mcp }: Wanted, cursor: string | null): Promise<Result> {
  return withinCall(CALL, () => mcp.pipeline.page(principal, { result_id: id, isExport: true, cursor }));
}

/** Made as fast as it is taken; a client that hangs up ends it. */
function streamOf(bytes: AsyncGenerator<Uint8Array>, wanted: Wanted): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(orCut(bytes, wanted) as AsyncIterable<Uint8Array<ArrayBuffer>>);
}

async function* orCut(bytes: AsyncGenerator<Uint8Array>, { mcp, cut }: Wanted): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (thrown) {
    mcp.observe({ kind: "unexpected_error", where: "results", error: toAppError(thrown) });
    cut();
  }
}

function takesGzip(header: string | null): boolean {
  return (header ?? "").split(",").some((one) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).+)?$/i.test(one));
}
