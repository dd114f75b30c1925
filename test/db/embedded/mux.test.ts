import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair, type Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import QueryStream from "pg-query-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEngine, type Engine } from "../../../src/db/embedded/engine.ts";
import { createMux, type Mux } from "../../../src/db/embedded/mux.ts";
import { buildSnapshot, readSnapshot } from "../../../src/db/embedded/snapshot.ts";
import { VirtualSocket } from "../../../src/db/embedded/virtual-socket.ts";
import { must } from "../../../src/must.ts";
import { frame, int32, splitFrames, typeOf } from "../../../src/db/embedded/wire.ts";

const STARTUP = Buffer.concat([int32(22), int32(196608), Buffer.from("user\0postgres\0")]);

let folder: string;
let engine: Engine;
let mux: Mux;
const lost: string[] = [];

beforeAll(async () => {
  if (readSnapshot() === undefined) await buildSnapshot();
  folder = mkdtempSync(join(tmpdir(), "metricgate-mux-"));
  engine = await startEngine({ dataDir: join(folder, "postgres"), snapshot: must(readSnapshot(), "a snapshot") });
  mux = createMux(engine, { maxWaitMs: 1_000, maxIdleInTransactionMs: 1_500, onEngineLost: (reason) => lost.push(reason) });
  await using(async (client) => {
    await client.query(
      "create table public.scratch (n int, t text); grant usage on schema public to public; grant all on public.scratch to public",
    );
    await client.query("create role other login; alter role other set statement_timeout = '7s'");
  });
}, 60_000);

afterAll(async () => {
  await mux.close();
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

function dial(): Duplex {
  const [near, far] = duplexPair();
  mux.accept(far);
  return near;
}

function config(more: pg.PoolConfig = {}): pg.PoolConfig {
  return { stream: () => new VirtualSocket(async () => dial()), user: "postgres", database: "postgres", ssl: false, ...more };
}

async function connect(more: pg.PoolConfig = {}): Promise<pg.Client> {
  const client = new pg.Client(config(more));
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function using<T>(work: (client: pg.Client) => Promise<T>, more: pg.PoolConfig = {}): Promise<T> {
  const client = await connect(more);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test("five connections of mixed statements get their own answers", async () => {
  const wrong: string[] = [];
  let asked = 0;
  const expectRows = (what: string, got: unknown, wanted: unknown): void => {
    asked += 1;
    if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push(`${what}: ${JSON.stringify(got)}`);
  };
  const connection = async (id: number): Promise<void> => {
    const client = await connect();
    for (let i = 0; i < 200; i += 1) {
      const mark = id * 1_000 + i;
      switch ((i * 7 + id) % 6) {
        case 0:
          expectRows("simple", (await client.query(`select ${mark} as n`)).rows, [{ n: mark }]);
          break;
        case 1: // one name, five texts: each connection's own
          expectRows("named", (await client.query({ name: "s", text: `select $1::int + ${id} as n`, values: [mark] })).rows, [
            { n: mark + id },
          ]);
          break;
        case 2:
          await client.query(`begin; set local app.tenant_id = '${mark}'`);
          await new Promise(setImmediate);
          expectRows("context", (await client.query("select ctx.tenant_id() as n")).rows, [{ n: mark }]);
          await client.query(i % 4 === 0 ? "rollback" : "commit");
          break;
        case 3:
          await client.query("select 1 / 0").then(
            () => wrong.push("no error"),
            (error: { code?: string }) => expectRows("error", error.code, "22012"),
          );
          break;
        case 4: {
          const rows: number[] = [];
          for await (const row of client.query(
            new QueryStream(`select n + ${mark} as n from generate_series(1, 30) n`, [], { batchSize: 7 }),
          ))
            rows.push((row as { n: number }).n);
          expectRows("cursor", [rows.length, rows[0], rows[29]], [30, mark + 1, mark + 30]);
          break;
        }
        default: {
          const many = (await client.query(`select ${mark} as a; select ctx.tenant_id() as b`)) as unknown as { rows: unknown[] }[];
          expectRows(
            "many",
            many.map((one) => one.rows),
            [[{ a: mark }], [{ b: null }]],
          );
        }
      }
    }
    await client.end();
  };
  await Promise.all([1, 2, 3, 4, 5].map(connection));
  expect(wrong).toEqual([]);
  expect(asked).toBe(1_000);
}, 30_000);

test("each connection is its own login with that role's settings", async () => {
  const look =
    "select session_user::text as s, current_user::text as c, current_setting('statement_timeout') as t, current_setting('work_mem') as m";
  const a = await connect({ user: "other", options: "-c work_mem=9MB" });
  const b = await connect();
  for (let i = 0; i < 3; i += 1) {
    expect((await a.query(look)).rows).toEqual([{ s: "other", c: "other", t: "7s", m: "9MB" }]);
    expect((await b.query(look)).rows).toMatchObject([{ s: "postgres", c: "postgres", t: "0" }]);
    await b.query("set work_mem = '3MB'; set role other");
  }
  await expect(a.query("create role third")).rejects.toMatchObject({ code: "42501" });
  await a.end();
  await b.end();
});

test("an unknown or login-less role is refused", async () => {
  for (const user of ["nobody", "metricgate_owner", "o'; drop table public.scratch --", '"']) {
    await expect(connect({ user })).rejects.toMatchObject({ code: "28000" });
  }
});

test("a role that lost its login meanwhile runs nothing", async () => {
  await using((admin) => admin.query("create role brief login"));
  const brief = await connect({ user: "brief" });
  await using((admin) => admin.query("drop role brief"));
  await expect(brief.query("select current_user")).rejects.toMatchObject({ code: "28000" });
});

test("notifications reach who listens, and nobody else", async () => {
  const heard: string[] = [];
  const listen = async (name: string): Promise<pg.Client> => {
    const client = await connect();
    client.on("notification", ({ channel, payload }) => heard.push(`${name} ${channel} ${payload}`));
    return client;
  };
  const [a, b, c] = [await listen("a"), await listen("b"), await listen("c")];
  await a.query('-- the library says why\nLISTEN "Jobs:1"');
  await b.query('listen "Jobs:1"; listen plain');
  await b.query('unlisten "Jobs:1"');
  await c.query(`notify "Jobs:1", 'one'; notify plain, 'two'`);
  await b.query("unlisten *");
  await c.query(`notify plain, 'three'; notify "Jobs:1", 'four'`);
  await a.end();
  await c.query(`notify "Jobs:1", 'five'`);
  expect(heard.sort()).toEqual(["a Jobs:1 four", "a Jobs:1 one", "b plain two"]);
  await b.end();
  await c.end();
});

test("a transaction of a connection that goes away is rolled back, its statements are forgotten", async () => {
  const a = await connect();
  await a.query({ name: "kept", text: "select 1" });
  expect(await prepared()).toBe(1);
  await a.query("begin; insert into public.scratch values (1, 'lost')");
  (a as unknown as { connection: { stream: Duplex } }).connection.stream.destroy();
  expect((await using((client) => client.query("select from public.scratch"))).rowCount).toBe(0);
  expect(await prepared()).toBe(0);
});

async function prepared(): Promise<number> {
  const { rows } = await using((client) => client.query<{ n: string }>("select count(*) as n from pg_prepared_statements"));
  return Number(rows[0]?.n);
}

test("COPY FROM STDIN takes its data, fails as a whole, and can be broken off", async () => {
  const copy = async (sql: string, data: string, end: Buffer): Promise<string> => {
    const stream = dial();
    stream.write(STARTUP);
    const seen: string[] = [];
    let rest = Buffer.alloc(0);
    const answers = Promise.withResolvers<string>();
    let ready = 0;
    stream.on("data", (bytes: Buffer) => {
      const cut = splitFrames(Buffer.concat([rest, bytes]));
      rest = Buffer.from(cut.rest);
      for (const message of cut.frames) {
        const type = typeOf(message);
        if (type === "Z" && ++ready === 1) {
          stream.write(frame("Q", sql));
        } else if (ready > 0) {
          seen.push(type);
          if (type === "G")
            stream.write(Buffer.concat([frame("d", Buffer.from(data.slice(0, 3))), frame("d", Buffer.from(data.slice(3))), end]));
          if (type === "Z") answers.resolve(seen.join(""));
        }
      }
    });
    const order = await answers.promise;
    stream.end(frame("X"));
    return order;
  };
  const done = frame("c");
  const sql = "copy public.scratch from stdin";
  expect(await copy(sql, "1\tone\n2\ttwo\n", done)).toBe("GCZ");
  expect(await copy(sql, "3\tthree\nx\tbad\n", done)).toBe("GEZ");
  expect(await copy(sql, "4\tfour\n", frame("f", "no more"))).toBe("GEZ");
  expect(await copy("copy public.absent from stdin", "1\n2\n", done)).toBe("GEZ");
  const { rows } = await using((client) => client.query("select n, t from public.scratch order by n"));
  expect(rows).toEqual([
    { n: 1, t: "one" },
    { n: 2, t: "two" },
  ]);
});

test("who waits too long for another's transaction is told that it is busy", async () => {
  const a = await connect();
  const b = await connect();
  await a.query("begin");
  const startMs = performance.now();
  await expect(b.query("select 1")).rejects.toMatchObject({ code: "55P03" });
  expect(performance.now() - startMs).toBeLessThan(1_400);
  await a.query("commit");
  await a.end();
});

test("a transaction that is held and not used is ended", async () => {
  const a = await connect();
  await a.query("begin");
  await sleep(1_700);
  expect((await using((client) => client.query("select 1 as n"))).rows).toEqual([{ n: 1 }]);
  await expect(a.query("commit")).rejects.toThrow();
});

test("an interrupted statement ends its connection; idle ones live on, stateful ones are told", async () => {
  const [slow, idle, stateful] = [await connect(), await connect(), await connect()];
  await idle.query("select 1");
  await stateful.query({ name: "s", text: "select 1" });
  const running = expect(slow.query("select count(*) from generate_series(1, 2000000000)")).rejects.toMatchObject({ code: "57014" });
  await sleep(100);
  const { processID, secretKey } = slow as unknown as { processID: number; secretKey: number };
  const cancel = (key: number): void => void dial().end(Buffer.concat([int32(16), int32(80877102), int32(processID), int32(key)]));
  cancel(secretKey ^ 1);
  await sleep(100);
  expect(lost).toEqual([]);
  cancel(secretKey);
  await running;
  expect(lost).toHaveLength(1);
  expect((await idle.query("select 2 as n")).rows).toEqual([{ n: 2 }]);
  await expect(stateful.query("select 1")).rejects.toThrow();
  await idle.end();
});

test("bytes that are no message end the connection, not the database", async () => {
  const reply = async (...packets: Buffer[]): Promise<string> => {
    const stream = dial();
    const got: Buffer[] = [];
    stream.on("data", (bytes: Buffer) => got.push(bytes));
    const ended = new Promise((resolve) => stream.once("end", resolve));
    for (const packet of packets) {
      stream.write(packet);
      await sleep(20);
    }
    await Promise.race([ended, sleep(300)]);
    stream.destroy();
    return Buffer.concat(got).toString("latin1");
  };

  expect(await reply(int32(4))).toBe("");
  expect(await reply(Buffer.concat([int32(999_999), int32(196608)]))).toBe("");
  expect(await reply(Buffer.concat([int32(8), int32(80877103)]))).toBe("N");
  expect(await reply(Buffer.concat([int32(8), int32(131072)]))).toContain("0A000");
  expect(await reply(STARTUP, frame("?", "x"))).toContain("08P01");
  expect(await reply(STARTUP, Buffer.concat([frame("P", "", "copy public.scratch from stdin", Buffer.alloc(2)), frame("S")]))).toContain(
    "0A000",
  );
  expect(await reply(STARTUP.subarray(0, 5), STARTUP.subarray(5))).toContain("server_version");
  expect((await using((client) => client.query("select 1 as n"))).rows).toEqual([{ n: 1 }]);
  expect(mux.connections()).toBeLessThan(10);
});
