import { serveOverHttp } from "../../src/http/server.ts";
import type { HttpEdge, HttpOptions } from "../../src/http/server.ts";
import { testParts } from "./mcp-parts.ts";
import type { TestParts } from "./mcp-parts.ts";

export interface TestHttp extends AsyncDisposable {
  readonly edge: HttpEdge;
  readonly parts: TestParts;
  readonly origin: string;
}

/** An HTTP server on a free port over the pipeline in memory. */
export async function testHttp(options: Parameters<typeof testParts>[0] = {}, http: Partial<HttpOptions> = {}): Promise<TestHttp> {
  const parts = await testParts(options);
  const edge = await serveOverHttp({ host: "127.0.0.1", port: 0, allowedOrigins: [], ready: async () => true, mcp: parts, ...http });
  return { edge, parts, origin: new URL(edge.url).origin, [Symbol.asyncDispose]: () => edge.close() };
}
