import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { must } from "../../src/must.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
/** How long a line may take from the server's log to us. */
const LOG_LAG_MS = 8;

/** What a server said to one message. */
export interface Said {
  readonly id: number;
  /** The JSON-RPC answer, or what the transport said instead. */
  readonly message: {
    readonly result?: {
      readonly isError?: boolean;
      readonly content?: readonly { readonly text?: string }[];
      readonly structuredContent?: Record<string, unknown>;
    } & Record<string, unknown>;
    readonly error?: { readonly code: number; readonly message: string };
  };
  readonly status: number;
  readonly bytes: number;
  readonly ms: number;
}

/** A real server process and one client of it that writes its bytes itself. */
export interface Speaker {
  /** Sends a request whose params are this JSON text. */
  ask(method: string, params: string): Promise<Said>;
  /** Statements run for a request, or at all, by the server's own log once what was logged by now has arrived. */
  statements(requestId?: number): Promise<number>;
  /** Looks for jobs and results by a handle, likewise. */
  lookUps(requestId?: number): Promise<number>;
  /** Everything that the server has written to standard error. */
  log(): string;
  close(): Promise<number | null>;
}

interface Server {
  readonly process: ChildProcess;
  readonly statements: Speaker["statements"];
  readonly lookUps: Speaker["lookUps"];
  readonly log: () => string;
  readonly close: () => Promise<number | null>;
}

function start(args: readonly string[], environment: Readonly<Record<string, string>>): Server {
  const child = spawn(process.execPath, [MAIN, "serve", ...args], {
    env: { ...process.env, METRICGATE_LOG_LEVEL: "trace", ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => void (log += chunk.toString()));
  const logged = async (action: string, requestId: number | undefined): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, LOG_LAG_MS));
    const ran = log.split("\n").filter((line) => line.includes(`"event.action":"${action}"`));
    return ran.filter((line) => requestId === undefined || line.includes(`"mcp.request.id":"${requestId}"`)).length;
  };
  return {
    process: child,
    log: () => log,
    statements: (requestId) => logged("query_finished", requestId),
    lookUps: (requestId) => logged("handle_looked_up", requestId),
    close: async () => {
      if (child.exitCode !== null) return child.exitCode;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const [code] = (await ended) as [number | null];
      return code;
    },
  };
}

/** A server over standard input and output. */
export async function stdioSpeaker(
  environment: Readonly<Record<string, string>>,
): Promise<Speaker & { readonly write: (line: string) => void }> {
  const { process: child, statements, lookUps, log, close } = start(["--stdio"], environment);
  const waiting = new Map<number, (line: string) => void>();
  let next = 1;
  createInterface({ input: must(child.stdout, "stdout") }).on("line", (line) => {
    const id = (JSON.parse(line) as { id?: unknown }).id;
    if (typeof id === "number") waiting.get(id)?.(line);
  });
  const write = (line: string): void => void must(child.stdin, "stdin").write(`${line}\n`);
  const ask = async (method: string, params: string): Promise<Said> => {
    const id = 1000 + next++;
    const startMs = performance.now();
    const line = await new Promise<string>((resolve, reject) => {
      waiting.set(id, resolve);
      child.once("exit", () => reject(new Error(`the server ended: ${log().slice(-2000)}`)));
      write(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`);
    });
    child.removeAllListeners("exit");
    waiting.delete(id);
    return { id, message: JSON.parse(line) as Said["message"], status: 200, bytes: line.length, ms: performance.now() - startMs };
  };
  const clientInfo = { name: "attacker", version: "1" };
  await ask("initialize", JSON.stringify({ protocolVersion: "2025-11-25", capabilities: {}, clientInfo }));
  write('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return { ask, statements, lookUps, log, close, write };
}

/** A server over HTTP; requests stand alone, without a session. */
export async function httpSpeaker(
  environment: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Speaker & { readonly url: string; readonly as: (headers: Readonly<Record<string, string>>) => Speaker["ask"] }> {
  const server = start(["--http", "127.0.0.1:0"], environment);
  const { statements, lookUps, log, close } = server;
  while (!/http:\/\/\S+\/mcp/.test(log())) {
    if (server.process.exitCode !== null) throw new Error(log());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const url = must(/http:\/\/\S+\/mcp/.exec(log())?.[0], "an address");
  let id = 0;
  const as =
    (more: Readonly<Record<string, string>>): Speaker["ask"] =>
    async (method, params) => {
      const startMs = performance.now();
      const own = ++id;
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers, ...more },
        body: `{"jsonrpc":"2.0","id":${own},"method":${JSON.stringify(method)},"params":${params}}`,
      });
      const text = await response.text();
      const json = /^data: (\{.*)$/m.exec(text)?.[1] ?? text;
      return {
        id: own,
        message: JSON.parse(json) as Said["message"],
        status: response.status,
        bytes: text.length,
        ms: performance.now() - startMs,
      };
    };
  return { ask: as({}), as, statements, lookUps, log, close, url };
}
