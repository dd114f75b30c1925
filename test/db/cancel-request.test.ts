import net from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PoolClient } from "pg";
import { expect, test } from "vitest";
import { cancelOverWire } from "../../src/db/cancel-request.ts";

const CANCEL = "000000100" + "4d2162e" + "0000002a" + "fffffff9";

/** What a server is sent when a client of it is cancelled; `answer` is what it says to the first packet. */
async function sent(options: { ssl: unknown; answer?: string; path?: string }): Promise<{ first: string; second: Buffer }> {
  const seen = Promise.withResolvers<{ first: string; second: Buffer }>();
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (first) => {
      const done = (second: Buffer): void => {
        socket.destroy();
        seen.resolve({ first: first.toString("hex"), second });
      };
      if (options.answer === undefined) return done(Buffer.alloc(0));
      socket.once("data", done);
      socket.once("close", () => done(Buffer.alloc(0)));
      return void socket.write(options.answer);
    });
  });
  server.listen(options.path === undefined ? { port: 0, host: "127.0.0.1" } : { path: `${options.path}/.s.PGSQL.5432` });
  await new Promise((resolve) => server.once("listening", resolve));
  const port = options.path === undefined ? (server.address() as net.AddressInfo).port : 5432;
  const client = { host: options.path ?? "127.0.0.1", port, ssl: options.ssl, processID: 42, secretKey: -7 };
  cancelOverWire(client as unknown as PoolClient);
  const result = await seen.promise;
  server.close();
  return result;
}

test("without TLS the request goes out as it is, over TCP and over a socket file", async () => {
  expect((await sent({ ssl: false })).first).toBe(CANCEL);
  const path = mkdtempSync(join(tmpdir(), "metricgate-"));
  expect((await sent({ ssl: false, path })).first).toBe(CANCEL);
  rmSync(path, { recursive: true });
});

test("with TLS it never goes out in the clear", async () => {
  const agreed = await sent({ ssl: { rejectUnauthorized: false }, answer: "S" });
  expect(agreed.first).toBe("0000000804d2162f");
  expect(agreed.second[0]).toBe(0x16); // a TLS handshake
  const refused = await sent({ ssl: true, answer: "N" });
  expect(refused.second).toHaveLength(0);
});

test("a server that is away is no error of the caller's", async () => {
  const client = { host: "127.0.0.1", port: 1, ssl: true, processID: 1, secretKey: 1 };
  expect(() => cancelOverWire(client as unknown as PoolClient)).not.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 50));
});
