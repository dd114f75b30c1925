import { Hono } from "hono";
import { expect, test } from "vitest";
import { hostAndOriginGuard, originCheck } from "../../src/http/guards.ts";

async function statusFor(bound: string, host: string): Promise<number> {
  const app = new Hono();
  app.use(hostAndOriginGuard({ host: bound, allowedOrigins: [], observe: () => undefined }));
  app.get("/", (context) => context.text("in"));
  return (await app.request("/", { headers: { host } })).status;
}

test.each([
  ["10.1.2.3", "10.1.2.3:8765", 200],
  ["0.0.0.0", "10.1.2.3:8765", 403],
  ["0.0.0.0", "0.0.0.0:8765", 403],
  ["::", "[::]:8765", 403],
  ["fd00::1", "[fd00::1]:8765", 200],
  ["fd00::1", "[fd00::2]:8765", 403],
  ["[fd00::1]", "[fd00::1]", 200],
  ["0.0.0.0", "localhost", 200],
])("bound to %s, a request to %s is answered %d", async (bound, host, status) => {
  expect(await statusFor(bound, host)).toBe(status);
});

test("an origin is local on any port, listed exactly, or refused", () => {
  const allowed = originCheck(["https://a.example"]);
  expect(["http://localhost:1", "https://127.0.0.1", "http://[::1]:9", "https://a.example"].every(allowed)).toBe(true);
  expect(["https://a.example:8443", "https://a.example.evil", "ftp://localhost", "null", "", "x"].some(allowed)).toBe(false);
});
