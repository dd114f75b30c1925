import { spawn, type ChildProcess } from "node:child_process";
import { must } from "../../src/must.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

/** A line of the log, as far as tests look at it. */
export interface LogLine {
  readonly "event.action": string;
  readonly message: string;
  readonly "error.code"?: string;
  readonly "error.type"?: string;
  readonly "error.message"?: string;
}

/** What a server says on standard error. */
export interface Heard {
  readonly lines: readonly LogLine[];
  /** What was said on standard error besides log lines; a crash is there. */
  readonly said: () => string;
  /** Everything in the log that no fault excuses: crashes, unhandled rejections, errors of our own making. */
  readonly mistakes: () => readonly string[];
}

/** A real server: `src/main.ts serve`, as an operator starts it. */
export interface ServerProcess extends Heard, AsyncDisposable {
  readonly process: ChildProcess;
  /** The exit status; null where a signal ended it. */
  readonly exited: Promise<number | null>;
}

export interface HttpProcess extends ServerProcess {
  readonly url: string;
  readonly origin: string;
}

/** Reads standard error as it comes. */
export function readLog(): Heard & { readonly hear: (text: string) => void } {
  const lines: LogLine[] = [];
  let said = "";
  let rest = "";
  return {
    lines,
    said: () => said + rest,
    mistakes: () => [
      ...lines.flatMap((line) => (line["event.action"] === "unexpected_error" && !isOfDatabase(line) ? [JSON.stringify(line)] : [])),
      ...(said + rest).split("\n").filter((line) => line !== "" && !/^metricgate \S+ serves MCP at /.test(line)),
    ],
    hear: (text) => {
      const whole = (rest + text).split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) {
        if (line.startsWith("{")) lines.push(JSON.parse(line) as LogLine);
        else said += `${line}\n`;
      }
    },
  };
}

function start(args: readonly string[], environment: Readonly<Record<string, string>>): ServerProcess {
  const child = spawn(process.execPath, [MAIN, "serve", ...args], {
    env: { ...process.env, METRICGATE_LOG_LEVEL: "info", ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const log = readLog();
  const { promise: exited, resolve } = Promise.withResolvers<number | null>();
  child.on("close", (code) => resolve(code));
  child.stdin.on("error", () => undefined);
  child.stderr.on("data", (chunk: Buffer) => log.hear(chunk.toString()));
  return {
    process: child,
    exited,
    ...log,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Noted, not told: that the database was away for something that no caller waited for. */
function isOfDatabase(line: LogLine): boolean {
  return ["UNAVAILABLE", "BUSY", "TIMEOUT"].includes(line["error.code"] ?? "");
}

/** A server over standard input and output, for raw lines. */
export function startStdio(environment: Readonly<Record<string, string>>): ServerProcess {
  return start(["--stdio"], environment);
}

/** A server on a free port of this machine, once it listens. */
export async function startHttp(environment: Readonly<Record<string, string>>, host = "127.0.0.1"): Promise<HttpProcess> {
  const server = start(["--http", `${host}:0`], environment);
  const found = /serves MCP at http:\/\/\S+:(\d+)\/mcp/;
  for (let waitedMs = 0; !found.test(server.said()); waitedMs += 20) {
    if (server.process.exitCode !== null || waitedMs > 30_000) throw new Error(`the server did not start: ${server.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const origin = `http://127.0.0.1:${must(found.exec(server.said())?.[1], "a port")}`;
  return { ...server, origin, url: `${origin}/mcp` };
}
