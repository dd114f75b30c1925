import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { AppError, toAppError } from "../errors.ts";
import type { McpParts } from "../mcp/parts.ts";
import { scopeOfTool } from "../mcp/scopes.ts";
import { type Call, withinCall } from "../observe/call.ts";
import { EXPORT_TYPES, type ExportFormat } from "../result/export.ts";
import type { Result } from "../result/result.ts";
import type { Principal } from "../tenant.ts";
import { callerOf, hasCredentialInAddress } from "./caller.ts";
import type { HttpAuth } from "./challenge.ts";
import { type Drain, refuseStopping } from "./drain.ts";
import type { RateLimitHeaders } from "./rate-limit-headers.ts";
import { refusals } from "./refusals.ts";
import { type FilePart, type FileSource, resultFiles, type ResultFiles } from "./result-file.ts";

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
  const files = resultFiles();
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
    const response = await download(request, { principal: caller, id, format, mcp, files, cut });
    return limits === undefined ? response : limits.decorate(request, response);
  });
  return routes;
}

interface Wanted {
  readonly principal: Principal;
  readonly id: string;
  readonly format: ExportFormat;
  readonly mcp: McpParts;
  readonly files: ResultFiles;
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
  const source: FileSource = { ...wanted, first, pageAt: (cursor) => pageOf(wanted, cursor) };
  const part = range !== null && isSame && method === "GET" ? await wanted.files.part(range, source) : undefined;
  if (part !== undefined) return partial(part, told, wanted);
  const body = streamOf(wanted.files.whole(source), wanted);
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

function partial(part: FilePart | { readonly unsatisfiableOf: number }, told: Readonly<Record<string, string>>, wanted: Wanted): Response {
  if ("unsatisfiableOf" in part)
    return new Response(null, { status: 416, headers: { ...told, "content-range": `bytes */${part.unsatisfiableOf}` } });
  const { range, size, bytes } = part;
  return new Response(streamOf(bytes, wanted), {
    status: 206,
    headers: {
      ...told,
      "content-range": `bytes ${range.first}-${range.last}/${size}`,
      "content-length": String(range.last - range.first + 1),
    },
  });
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
