import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "vitest";

/** A Redis that others use too; undefined where there is none, which CI does not accept. */
export function redisTestUrl(): string | undefined {
  const url = process.env["TEST_REDIS_URL"];
  if (url === undefined && process.env["CI"] === "true") throw new Error("TEST_REDIS_URL is required where CI=true");
  return url;
}

/** Runs a suite where Redis can be run. */
export function describeOnRedis(name: string, suite: () => void): void {
  describe.skipIf(redisTestUrl() === undefined)(`${name} (Redis)`, suite);
}

/** A Redis of the test's own, to be stopped and started at will; empty at each start. */
export interface OwnRedis extends AsyncDisposable {
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stops answering without closing connections, and goes on. */
  freeze(): void;
  thaw(): void;
}

/** Not started yet. */
export async function ownRedis(): Promise<OwnRedis> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "metricgate-redis-"));
  let server: ReturnType<typeof spawn> | undefined;
  const stop = async (): Promise<void> => {
    if (server === undefined) return;
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
    server = undefined;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    start: async () => {
      server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory], {
        stdio: "ignore",
      });
      while (!(await accepts(port))) await sleep(20);
    },
    stop,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    [Symbol.asyncDispose]: async () => {
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
