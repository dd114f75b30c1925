import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import type { BoundStatement, Database, Rows } from "../../src/db/database.ts";
import { openNative } from "../../src/db/native.ts";
import { tenantDirectory } from "../../src/db/tenant-directory.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { readAsTenant, streamAsTenant } from "../../src/execute/tenant-transaction.ts";
import { must } from "../../src/must.ts";
import { entryOf, trailOf } from "../audit/trails.ts";
import { describeOnNative } from "../support/databases.ts";
import { faultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { nativeTestUrl, urlOfDatabase } from "../support/native-database.ts";
import { dirtOfAll } from "../support/pool-probe.ts";
import { createTenant, testTenant } from "../support/tenants.ts";

/*
 * Every way in which a network breaks, between the product and a real server. Whatever breaks, a call ends with a code that
 * says so, in bounded time, and the next one is answered on a connection that nobody left anything on.
 */
const A = testTenant({ id: 7, slug: "a" });
const CONNECTIONS = 3;
/** What the adapter adds to a statement's own time-out before it cuts the connection: grace and giving up. */
const CUT_AFTER_MS = 3_500;
const SLACK_MS = 2_000;
/** A connection that was lost may cost this until the next call is answered. */
const HEALS_WITHIN_MS = 2_000;
const MARK = "metricgate_marked";
const NUMBER = { text: `select 42 as ${MARK}`, values: [] };
const SLOW = { text: `select count(*) as ${MARK} from generate_series(1, 2000000000)`, values: [] };

interface Broken {
  readonly proxy: FaultProxy;
  readonly database: Database;
  readonly read: (statement?: BoundStatement, more?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<Rows>;
  /** Opens every connection that the pool may have. */
  readonly fillPool: () => Promise<void>;
}

/** How a call ended, and after how long. */
async function ended(call: Promise<unknown>): Promise<{ code: string; ms: number }> {
  const startMs = performance.now();
  const code = await call.then(
    () => "ok",
    (error: { code?: string }) => String(error.code),
  );
  return { code, ms: performance.now() - startMs };
}

/** Whatever happened: the next call is answered soon, and no connection has anything left on it. */
async function expectWell({ proxy, database, read }: Broken): Promise<void> {
  proxy.newcomers = "pass";
  proxy.latencyMs = 0;
  const { code, ms } = await ended(read());
  expect(code).toBe("ok");
  expect(ms).toBeLessThan(HEALS_WITHIN_MS);
  expect(await dirtOfAll(database, "api")).toEqual([]);
  expect(await dirtOfAll(database, "auditor")).toEqual([]);
  expect(await dirtOfAll(database, "api", "stream")).toEqual([]);
  const { totalCount, idleCount, waitingCount } = database.pool("api");
  expect({ totalCount, idleCount, waitingCount }).toEqual({ totalCount: CONNECTIONS, idleCount: CONNECTIONS, waitingCount: 0 });
}

// At once, since most of the time is spent on waiting for deadlines; each with a network of its own.
describe.concurrent("a network that breaks", () => {
  describeOnNative("between the product and its database", (get) => {
    beforeAll(async () => {
      await createTenant(get().database, { id: 7, slug: "a" });
      await withTenantWrite(get().database, 7, (client) => client.query("insert into warehouse.tenant_state (tenant_id) values (7)"));
    });
    /** The server notices a client that is gone when it has something to say, so late ones end at their own time-out. */
    afterAll(async () => {
      const running = (): Promise<number | null> =>
        get().asSuperuser(
          async (client) =>
            (
              await client.query(
                "select 1 from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()",
              )
            ).rowCount,
        );
      const isQuiet = async (): Promise<void> => {
        if ((await running()) !== 0) throw new Error("a statement still runs that nobody waits for");
      };
      await vi.waitFor(isQuiet, { timeout: 5_000 });
    });

    const withFaults = (work: (broken: Broken) => Promise<void>) => async (): Promise<void> => {
      const server = must(nativeTestUrl(), "TEST_DATABASE_URL");
      const name = await get().asSuperuser(
        async (client) => (await client.query<{ d: string }>("select current_database() as d")).rows[0]?.d,
      );
      await using proxy = await faultProxy(server);
      const database = openNative({
        url: proxy.through(urlOfDatabase(server, must(name, "a database"))),
        observe: () => undefined,
        poolSizes: { api: CONNECTIONS, stream: CONNECTIONS, auditor: CONNECTIONS, directory: CONNECTIONS },
        connectTimeoutMs: 1_000,
      });
      const read: Broken["read"] = (statement = NUMBER, more = {}) => readAsTenant(database, A, statement, { timeoutMs: 5_000, ...more });
      const fillPool = async (): Promise<void> => void (await Promise.all(Array.from({ length: CONNECTIONS }, () => read())));
      const broken = { proxy, database, read, fillPool };
      try {
        await work(broken);
        await expectWell(broken);
      } finally {
        proxy.reset();
        await database.close();
      }
    };

    test(
      "a reset in the middle of a statement: once is mended, twice is UNAVAILABLE",
      withFaults(async ({ proxy, read, fillPool }) => {
        await fillPool();
        const once = proxy.resetAfter(MARK, 0);
        expect(await ended(read())).toMatchObject({ code: "ok" });
        await once;
        const resets = proxy.resetAfter(MARK, 50).then(() => proxy.resetAfter(MARK, 50));
        const { code, ms } = await ended(read(SLOW, { timeoutMs: 2_000 }));
        expect(code).toBe("UNAVAILABLE");
        expect(ms).toBeLessThan(SLACK_MS);
        await resets;
      }),
    );

    test(
      "every connection reset or closed at once: the next calls are answered",
      withFaults(async ({ proxy, read, fillPool }) => {
        for (const end of [() => proxy.reset(), () => proxy.drop()]) {
          await fillPool();
          expect(end()).toBe(CONNECTIONS);
          const all = await Promise.all(Array.from({ length: 2 * CONNECTIONS }, () => ended(read())));
          expect(all.map(({ code }) => code)).toEqual(Array.from({ length: 2 * CONNECTIONS }, () => "ok"));
          for (const { ms } of all) expect(ms).toBeLessThan(HEALS_WITHIN_MS);
        }
      }),
    );

    test(
      "an answer that never comes ends at the deadline, or at the caller's wish",
      withFaults(async ({ proxy, read }) => {
        const lost = proxy.loseAnswerTo(MARK);
        const late = await ended(read(NUMBER, { timeoutMs: 300 }));
        await lost;
        expect(late.code).toBe("TIMEOUT");
        expect(late.ms).toBeLessThan(300 + CUT_AFTER_MS + SLACK_MS);
        const lostAgain = proxy.loseAnswerTo(MARK);
        const cancelled = await ended(read(NUMBER, { timeoutMs: 30_000, signal: AbortSignal.timeout(200) }));
        await lostAgain;
        expect(cancelled.code).toBe("CANCELLED");
        expect(cancelled.ms).toBeLessThan(200 + CUT_AFTER_MS + SLACK_MS);
      }),
    );

    test(
      "a whole pool of half-open connections is replaced",
      withFaults(async ({ proxy, read, fillPool }) => {
        await fillPool();
        expect(proxy.freeze()).toBe(CONNECTIONS);
        const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => ended(read(NUMBER, { timeoutMs: 300 }))));
        expect(all.map(({ code }) => code)).toEqual(Array.from({ length: CONNECTIONS }, () => "TIMEOUT"));
        for (const { ms } of all) expect(ms).toBeLessThan(300 + CUT_AFTER_MS + SLACK_MS);
        expect((await Promise.all(Array.from({ length: CONNECTIONS }, () => ended(read())))).map(({ code }) => code)).toEqual(
          Array.from({ length: CONNECTIONS }, () => "ok"),
        );
      }),
    );

    test(
      "a server that accepts and says nothing is BUSY in time; one that hangs up is UNAVAILABLE",
      withFaults(async ({ proxy, read }) => {
        proxy.newcomers = "silent";
        const silent = await ended(read());
        expect(silent.code).toBe("BUSY");
        expect(silent.ms).toBeLessThan(1_000 + SLACK_MS);
        proxy.newcomers = "reset";
        const refused = await ended(read());
        expect(refused.code).toBe("UNAVAILABLE");
        expect(refused.ms).toBeLessThan(SLACK_MS);
      }),
    );

    test(
      "a slow network only makes answers late, until they are too late",
      withFaults(async ({ proxy, read, fillPool }) => {
        await fillPool();
        proxy.latencyMs = 150;
        const late = await ended(read());
        expect(late.code).toBe("ok");
        // One round trip for a whole tenant transaction, whatever the distance.
        expect(late.ms).toBeGreaterThan(300);
        expect(late.ms).toBeLessThan(300 + 280);
        proxy.latencyMs = 2_500;
        const tooLate = await ended(read(NUMBER, { timeoutMs: 100 }));
        expect(tooLate.code).toBe("TIMEOUT");
        expect(tooLate.ms).toBeLessThan(100 + CUT_AFTER_MS + SLACK_MS);
      }),
    );

    test(
      "a stream ends as a read does",
      withFaults(async ({ proxy, database }) => {
        const drain = async (text: string, more: { timeoutMs: number; signal?: AbortSignal }): Promise<number> => {
          let rows = 0;
          for await (const batch of streamAsTenant(database, A, { text, values: [] }, { batchRows: 100, ...more })) rows += batch.length;
          return rows;
        };
        const many = `select n as ${MARK} from generate_series(1, 1000) n`;
        expect(await drain(many, { timeoutMs: 2_000 })).toBe(1_000);
        const reset = proxy.resetAfter(MARK, 0);
        expect(await ended(drain(SLOW.text, { timeoutMs: 2_000 }))).toMatchObject({ code: "UNAVAILABLE" });
        await reset;
        const lost = proxy.loseAnswerTo(MARK);
        const silent = await ended(drain(many, { timeoutMs: 300 }));
        await lost;
        expect(silent.code).toBe("TIMEOUT");
        expect(silent.ms).toBeLessThan(300 + CUT_AFTER_MS + SLACK_MS);
      }),
    );

    test(
      "who calls is looked up in bounded time, also over a connection that went silent",
      withFaults(async ({ proxy, database }) => {
        const directory = tenantDirectory(database);
        expect(await directory.find("a")).toMatchObject({ id: 7 });
        proxy.freeze();
        const silent = await ended(directory.find("a"));
        expect(silent.code).toBe("UNAVAILABLE");
        expect(silent.ms).toBeLessThan(5_000 + CUT_AFTER_MS + SLACK_MS);
        expect(await directory.find("a")).toMatchObject({ id: 7 });
        const reset = proxy.resetAfter("directory.tenant", 0);
        expect(await ended(directory.find("a"))).toMatchObject({ code: "UNAVAILABLE" });
        await reset;
        expect(await directory.find("a")).toMatchObject({ id: 7 });
        expect(await dirtOfAll(database, "directory")).toEqual([]);
      }),
    );

    test(
      "an entry of the trail whose confirmation is lost is no confirmation",
      withFaults(async ({ proxy, database }) => {
        const audit = databaseAudit(() => Promise.resolve(database));
        const lost = proxy.loseAnswerTo("audit.append");
        const silent = await ended(audit.append(entryOf(7, { principal: "silent" })));
        await lost;
        expect(silent.code).toBe("AUDIT_UNAVAILABLE");
        expect(silent.ms).toBeLessThan(5_000 + CUT_AFTER_MS + SLACK_MS);
        // What is lost on the way is written again: never missing, perhaps twice.
        const reset = proxy.resetAfter("audit.append", 0);
        expect(await ended(audit.append(entryOf(7, { principal: "reset" })))).toMatchObject({ code: "ok" });
        await reset;
        const rows = await trailOf(get, 7);
        expect(rows.filter((row) => row["principal"] === "reset").length).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});
