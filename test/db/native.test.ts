import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openNative, passwordOf, urlForLogin } from "../../src/db/native.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import { describeOnNative } from "../support/databases.ts";
import { testTenant } from "../support/tenants.ts";

const A = testTenant({ id: 7 });
const ignore = (): void => undefined;
const MARK = "select count(*) as metricgate_slow from generate_series(1, 2000000000)";

test("each login connects as itself, with its own password or the URL's", () => {
  const url = "postgres://root:p%40ss@db.example:5433/mg?sslmode=require";
  expect(passwordOf(url)).toBe("p@ss");
  expect(urlForLogin(url, "api", {})).toBe("postgres://metricgate_api:p%40ss@db.example:5433/mg?sslmode=require");
  expect(urlForLogin(url, "ingest", { ingest: "a/b:c@d" })).toBe(
    "postgres://metricgate_ingest:a%2Fb%3Ac%40d@db.example:5433/mg?sslmode=require",
  );
  expect(urlForLogin("postgresql://host/mg", "api", {})).toBe("postgresql://metricgate_api@host/mg");
  expect(urlForLogin("postgres:///mg?host=/run/postgresql", "directory", {})).toBe(
    "postgres://metricgate_directory@/mg?host=/run/postgresql",
  );
  expect(() => urlForLogin("mysql://host/mg", "api", {})).toThrow(TypeError);
});

test("a server that is away is UNAVAILABLE", async () => {
  const database = openNative({ url: "postgres://x@127.0.0.1:1/mg", observe: ignore });
  const reading = readAsTenant(database, A, { text: "select 1", values: [] }, { timeoutMs: 1_000 });
  await expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE", details: { retryAfterSeconds: 2 } });
  await expect(database.session("ingest", async () => 1)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await database.close();
});

test("a server that does not answer is BUSY in time", async () => {
  const sockets: net.Socket[] = [];
  const silent = net.createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  await new Promise((resolve) => silent.once("listening", resolve));
  const { port } = silent.address() as net.AddressInfo;
  const database = openNative({ url: `postgres://x@127.0.0.1:${port}/mg`, observe: ignore, connectTimeoutMs: 200 });
  const reading = readAsTenant(database, A, { text: "select 1", values: [] }, { timeoutMs: 1_000 });
  await expect(reading).rejects.toMatchObject({ code: "BUSY" });
  await database.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

describeOnNative("the native adapter", (get) => {
  const running = (): Promise<number> =>
    get().asSuperuser(async (client) => {
      const { rows } = await client.query<{ n: string }>(
        "select count(*) as n from pg_stat_activity where state = 'active' and query like '%metricgate_slow%' and pid <> pg_backend_pid() and datname = current_database()",
      );
      return Number(rows[0]?.n);
    });

  test("a cancelled call ends the backend's statement", async () => {
    const controller = new AbortController();
    const reading = readAsTenant(get().database, A, { text: MARK, values: [] }, { timeoutMs: 20_000, signal: controller.signal });
    const settled = expect(reading).rejects.toMatchObject({ code: "CANCELLED", cause: { code: "57014" } });
    await sleep(200);
    expect(await running()).toBe(1);
    controller.abort();
    await settled;
    expect(await running()).toBe(0);
  });

  test("the server itself keeps the deadline", async () => {
    const reading = readAsTenant(get().database, A, { text: MARK, values: [] }, { timeoutMs: 200 });
    await expect(reading).rejects.toMatchObject({
      code: "TIMEOUT",
      cause: { code: "57014", message: expect.stringContaining("statement timeout") },
    });
    expect(await running()).toBe(0);
  });

  test("a full pool is BUSY, and a cancelled waiter leaves no connection behind", async () => {
    const { host, port } = await get().database.session("directory", async (client) => client as unknown as { host: string; port: number });
    const name = await get().asSuperuser(
      async (client) => (await client.query<{ d: string }>("select current_database() as d")).rows[0]?.d,
    );
    const small = openNative({
      url: `postgres://x@${host}:${port}/${name}`,
      observe: ignore,
      poolSizes: { api: 1 },
      connectTimeoutMs: 200,
    });
    const controller = new AbortController();
    const slow = readAsTenant(small, A, { text: MARK, values: [] }, { timeoutMs: 1_500 });
    const slowEnds = expect(slow).rejects.toMatchObject({ code: "TIMEOUT" });
    await sleep(100);
    const waiting = readAsTenant(small, A, { text: "select 1", values: [] }, { timeoutMs: 1_000, signal: controller.signal });
    const waitingEnds = expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    controller.abort();
    await waitingEnds;
    const busy = readAsTenant(small, A, { text: "select 1", values: [] }, { timeoutMs: 1_000 });
    await expect(busy).rejects.toMatchObject({ code: "BUSY", details: { retryAfterSeconds: 1 } });
    await slowEnds;
    expect((await readAsTenant(small, A, { text: "select 1", values: [] }, { timeoutMs: 1_000 })).rows).toEqual([[1]]);
    await small.close();
  });

  test("connections that the server ended are replaced under a read", async () => {
    const { database } = get();
    const one = { text: "select pg_backend_pid()", values: [] };
    await Promise.all(Array.from({ length: 5 }, () => readAsTenant(database, A, one, { timeoutMs: 5_000 })));
    await get().asSuperuser((client) =>
      client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'metricgate_api' and datname = current_database()",
      ),
    );
    const again = await Promise.all(Array.from({ length: 5 }, () => readAsTenant(database, A, one, { timeoutMs: 5_000 })));
    expect(again).toHaveLength(5);
  });

  test("a backend ended under its statement, twice, is UNAVAILABLE", async () => {
    const reading = readAsTenant(get().database, A, { text: MARK, values: [] }, { timeoutMs: 10_000 });
    const settled = expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE" });
    for (let ended = 0; ended < 2;) {
      await sleep(50);
      ended += await get().asSuperuser(async (client) => {
        const { rowCount } = await client.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where state = 'active' and query like '%metricgate_slow%' and pid <> pg_backend_pid() and datname = current_database()",
        );
        return rowCount ?? 0;
      });
    }
    await settled;
  });
});
