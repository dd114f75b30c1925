import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/client";

/** The clients that must work: the first generation's, and the second's in both protocol eras. */
export const GENERATIONS = ["v1", "v2-2025", "v2-2026"] as const;
export type Generation = (typeof GENERATIONS)[number];

/** How a client reaches its server: a URL, or the environment of the stdio test server. */
export type Target =
  | { readonly url: string; readonly bearer?: string }
  | {
      readonly stdio: Readonly<Record<string, string>>;
      readonly entry?: string;
      readonly args?: readonly string[];
      /** Hears what the server says on standard error. */
      readonly onStderr?: (text: string) => void;
    };

type CallOptions = {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { progress: number; message?: string | undefined }) => void;
  readonly timeout?: number;
};

/** What both generations of client can do, by the same words. */
export interface TestClient extends AsyncDisposable {
  call(name: string, input: Record<string, unknown>, options?: CallOptions): Promise<CallToolResult>;
  readonly raw: ClientV1 | ClientV2;
  readonly generation: Generation;
  protocolVersion(): string | undefined;
}

const STDIO_ENTRY = new URL("mcp-stdio-server.ts", import.meta.url).pathname;

/** Connects a real client. */
export async function connect(generation: Generation, target: Target): Promise<TestClient> {
  const raw = await (generation === "v1" ? connectV1(target) : connectV2(target, generation));
  return {
    raw,
    generation,
    call: async (name, input, options) => {
      const request = { name, arguments: input };
      const result =
        raw instanceof ClientV1 ? await raw.callTool(request, undefined, options as never) : await raw.callTool(request, options as never);
      return result as CallToolResult;
    },
    protocolVersion: () =>
      raw instanceof ClientV1
        ? String(raw.transport && "protocolVersion" in raw.transport ? raw.transport.protocolVersion : "")
        : raw.getNegotiatedProtocolVersion(),
    [Symbol.asyncDispose]: () => raw.close(),
  };
}

async function connectV1(target: Target): Promise<ClientV1> {
  const client = new ClientV1({ name: "test-v1", version: "1.0.0" });
  const transport = "url" in target ? new HttpV1(new URL(target.url), initOf(target)) : hear(new StdioV1(processOf(target)), target);
  await client.connect(transport as never);
  return client;
}

async function connectV2(target: Target, generation: Generation): Promise<ClientV2> {
  const mode = generation === "v2-2026" ? { pin: "2026-07-28" } : "legacy";
  const client = new ClientV2({ name: "test-v2", version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect("url" in target ? new HttpV2(new URL(target.url), initOf(target)) : hear(new StdioV2(processOf(target)), target));
  return client;
}

function initOf({ bearer }: Extract<Target, { url: string }>) {
  return bearer === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${bearer}` } } };
}

function hear<T extends StdioV1 | StdioV2>(transport: T, { onStderr }: Extract<Target, { stdio: unknown }>): T {
  transport.stderr?.on("data", (chunk: Buffer) => onStderr?.(chunk.toString()));
  return transport;
}

function processOf({ stdio, entry = STDIO_ENTRY, args = [], onStderr }: Extract<Target, { stdio: unknown }>) {
  const environment = Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined));
  return {
    command: process.execPath,
    args: [entry, ...args],
    env: { ...environment, ...stdio },
    stderr: onStderr === undefined ? ("ignore" as const) : ("pipe" as const),
  };
}
