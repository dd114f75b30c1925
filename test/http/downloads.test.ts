import { gunzipSync } from "node:zlib";
import { parquetReadObjects, parquetMetadata } from "hyparquet";
import { beforeAll, expect, test } from "vitest";
import { audited } from "../../src/audited.ts";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import { AppError } from "../../src/errors.ts";
import { serveOverHttp, type HttpEdge } from "../../src/http/server.ts";
import { safeCsv } from "../../src/result/csv.ts";
import type { Cell } from "../../src/result/result.ts";
import type { Principal, Tenant } from "../../src/tenant.ts";
import { BY_ISSUE, stage, type Stage, tenantWith } from "../jobs/stage.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testParts } from "../support/mcp-parts.ts";
import { testPrincipal } from "../support/tenants.ts";

/*
 * Results as files, from a real server over a real database: what was found by a job, and by a call.
 */
const ROWS = 25_000;
const SPEC = { ...BY_ISSUE, dimensions: ["issue_key", "status"], time: { grain: "year", range: "all" } };
const ABSENT = `res_${"A".repeat(22)}`;

interface Served extends AsyncDisposable {
  readonly on: Stage;
  readonly edge: HttpEdge;
  /** Pages that were asked for since it was last asked. */
  readonly pagesRead: () => number;
  readonly get: (path: string, headers?: Readonly<Record<string, string>>) => Promise<Response>;
}

describeOnEachDatabase("results as files", (get) => {
  let ours: Tenant;
  let theirs: Tenant;
  const people = new Map<string, Principal>();
  beforeAll(async () => {
    ours = await tenantWith(get(), 1, ROWS);
    theirs = await tenantWith(get(), 2, 3);
    people.set("ann", testPrincipal(ours, "ann"));
    people.set("ben", testPrincipal(ours, "ben"));
    people.set("eve", testPrincipal(theirs, "ann"));
    people.set("sam", testPrincipal(ours, "sam", { scopes: ["search:read"] }));
  }, 120_000);

  /** A server whose callers say who they are by name. */
  async function served(spoil: { failAfter?: number } = {}): Promise<Served> {
    const on = await stage(get().database, "downloads", {});
    const recorded = audited(
      on.pipeline,
      databaseAudit(async () => get().database),
      (one) => on.observed.push(one),
    );
    let pages = 0;
    const parts = await testParts({
      identify: (request) => {
        const person = people.get(request?.headers.get("authorization")?.replace("Bearer ", "") ?? "");
        if (person === undefined) throw new AppError("UNAUTHENTICATED", "Who are you?");
        return person;
      },
    });
    const pipeline = {
      ...recorded,
      page: (...args: Parameters<typeof recorded.page>) => {
        pages += 1;
        if (pages > (spoil.failAfter ?? Number.POSITIVE_INFINITY)) throw new AppError("AUDIT_UNAVAILABLE", "No trail.");
        return recorded.page(...args);
      },
    };
    const edge = await serveOverHttp({
      host: "127.0.0.1",
      port: 0,
      allowedOrigins: [],
      ready: async () => true,
      mcp: { ...parts, pipeline },
      auth: { required: true },
    });
    return {
      on,
      edge,
      pagesRead: () => {
        const read = pages;
        pages = 0;
        return read;
      },
      get: (path, headers = {}) =>
        fetch(new URL(path, edge.url), { headers: { authorization: "Bearer ann", "accept-encoding": "identity", ...headers } }),
      [Symbol.asyncDispose]: async () => {
        await edge.close();
        await on.background.close();
      },
    };
  }

  async function jobResult({ on }: Served): Promise<string> {
    await on.work();
    const ann = people.get("ann") as Principal;
    const job = await on.ended(ann, (await on.pipeline.startJob(ann, { spec: SPEC })).job_id);
    expect(job).toMatchObject({ state: "done", progress: { rows: ROWS } });
    return job.result_id ?? "";
  }

  async function rowsOf({ on }: Served, id: string): Promise<readonly (readonly Cell[])[]> {
    const rows: (readonly Cell[])[] = [];
    for (let cursor: string | null = null, isFirst = true; isFirst || cursor !== null; isFirst = false) {
      const { data } = await on.pipeline.page(people.get("ann") as Principal, { result_id: id, isExport: true, cursor });
      rows.push(...data.rows);
      cursor = data.next_cursor;
    }
    return rows;
  }

  test("CSV, JSON and Parquet hold what the pages hold, whole, in parts and compressed", { timeout: 120_000 }, async () => {
    await using server = await served();
    const id = await jobResult(server);
    const rows = await rowsOf(server, id);
    expect(rows).toHaveLength(ROWS);

    const csv = await server.get(`/results/${id}.csv`);
    expect(Object.fromEntries(csv.headers)).toMatchObject({
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${id}.csv"`,
      "cache-control": "private, max-age=3600",
      "accept-ranges": "bytes",
      etag: `"${id}.csv"`,
    });
    const text = await csv.text();
    expect(text).toBe(safeCsv(["time", "issue_key", "status", "n"], rows));

    const json = (await (await server.get(`/results/${id}.json`)).json()) as { data: { rows: unknown; truncated: boolean }; meta: object };
    expect(json).toMatchObject({ success: true, data: { truncated: false, next_cursor: null, total: ROWS }, meta: { result_id: id } });
    expect(json.data.rows).toEqual(rows);

    const file = await (await server.get(`/results/${id}.parquet`)).arrayBuffer();
    const metadata = parquetMetadata(file);
    expect(metadata.key_value_metadata?.[0]?.key).toBe("metricgate");
    expect(JSON.parse(metadata.key_value_metadata?.[0]?.value ?? "")).toMatchObject({ result_id: id });
    const read = await parquetReadObjects({ file });
    expect(read).toHaveLength(ROWS);
    expect(read.map((row) => [(row["time"] as Date).toISOString().slice(0, 10), row["issue_key"], row["status"], row["n"]])).toEqual(rows);

    for (const format of ["csv", "json", "parquet"]) {
      const whole = Buffer.from(await (await server.get(`/results/${id}.${format}`)).arrayBuffer());
      for (const [range, part] of [
        ["bytes=0-99", whole.subarray(0, 100)],
        [`bytes=${whole.length - 77}-`, whole.subarray(-77)],
        ["bytes=-5", whole.subarray(-5)],
        [`bytes=400000-400999`, whole.subarray(400_000, 401_000)],
      ] as const) {
        if (part.length === 0) continue;
        const answer = await server.get(`/results/${id}.${format}`, { range });
        expect(answer.status).toBe(206);
        expect(answer.headers.get("content-range")).toMatch(new RegExp(`^bytes \\d+-\\d+/${whole.length}$`));
        expect(Buffer.from(await answer.arrayBuffer()).equals(part), `${format} ${range}`).toBe(true);
      }
      const beyond = await server.get(`/results/${id}.${format}`, { range: `bytes=${whole.length}-` });
      expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${whole.length}`]);
      const changed = await server.get(`/results/${id}.${format}`, { range: "bytes=0-9", "if-range": '"other"' });
      expect([changed.status, (await changed.arrayBuffer()).byteLength]).toEqual([200, whole.length]);
    }

    const known = await server.get(`/results/${id}.csv`, { "if-none-match": `"${id}.csv"` });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    const { port } = new URL(server.edge.url);
    const raw = await rawGet(Number(port), `/results/${id}.csv`, "gzip");
    expect(raw.head).toMatch(/content-encoding: gzip/i);
    expect(raw.body.length).toBeLessThan(text.length / 3);
    expect(gunzipSync(raw.body).toString()).toBe(text);
  });

  test("a part costs the file once, and after that no more than its own pages", { timeout: 60_000 }, async () => {
    await using server = await served();
    const id = await jobResult(server);
    const rows = await rowsOf(server, id);
    const csv = Buffer.from(safeCsv(["time", "issue_key", "status", "n"], rows));
    server.pagesRead();
    const part = async (format: string, range: string): Promise<{ pages: number; body: Buffer }> => {
      const answer = await server.get(`/results/${id}.${format}`, { range });
      expect(answer.status).toBe(206);
      const body = Buffer.from(await answer.arrayBuffer());
      return { pages: server.pagesRead(), body };
    };
    // 25,000 rows are three pages, the first of which says who may have them.
    expect(await part("csv", "bytes=500000-500099")).toEqual({ pages: 3, body: csv.subarray(500_000, 500_100) });
    expect(await part("csv", "bytes=0-9")).toEqual({ pages: 1, body: csv.subarray(0, 10) });
    expect(await part("csv", "bytes=-9")).toEqual({ pages: 2, body: csv.subarray(-9) });
    expect(await part("csv", "bytes=300000-")).toEqual({ pages: 3, body: csv.subarray(300_000) });
    const json = Buffer.from(await (await server.get(`/results/${id}.json`)).arrayBuffer());
    expect(server.pagesRead()).toBe(3);
    expect(await part("json", `bytes=${json.length - 800}-`)).toEqual({ pages: 2, body: json.subarray(-800) });
    const ignored = await server.get(`/results/${id}.parquet`, { range: "bytes=9-1" });
    expect([ignored.status, (await ignored.arrayBuffer()).byteLength > 0, server.pagesRead()]).toEqual([200, true, 3]);
  });

  test("nobody has somebody else's, and it is told like one that is not there", async () => {
    await using server = await served();
    await server.on.work();
    const ann = people.get("ann") as Principal;
    const own = (await server.on.pipeline.run(ann, { ...BY_ISSUE, limit: 5 })).meta.result_id;
    const found = (await server.on.ended(ann, (await server.on.pipeline.startJob(ann, { spec: { ...BY_ISSUE, limit: 5 } })).job_id))
      .result_id;
    for (const id of [own, found]) {
      expect((await server.get(`/results/${id}.csv`)).status).toBe(200);
      for (const authorization of ["Bearer ben", "Bearer eve"])
        for (const headers of [
          { authorization },
          { authorization, "if-none-match": `"${id}.csv"` },
          { authorization, range: "bytes=0-1" },
        ]) {
          const foreign = await server.get(`/results/${id}.csv`, headers);
          const absent = await server.get(`/results/${ABSENT}.csv`, headers);
          expect([foreign.status, await foreign.text()]).toEqual([404, await absent.text()]);
          expect(foreign.headers.get("etag")).toBe(null);
        }
      expect((await server.get(`/results/${id}.csv`, { authorization: "" })).status).toBe(401);
      expect((await server.get(`/results/${id}.csv`, { authorization: "" })).headers.get("www-authenticate")).toMatch(/^Bearer/);
      expect((await server.get(`/results/${id}.csv`, { authorization: "Bearer sam" })).status).toBe(403);
      expect((await server.get(`/results/${id}.csv?access_token=ann`)).status).toBe(400);
    }
    for (const path of [`/results/${own}.exe`, "/results/res_1.csv", `/results/..%2f${own}.csv`, `/results/${own}`, "/results/"])
      expect((await server.get(path)).status, path).toBe(404);
    expect((await server.get(`/results/${own}.csv`, { origin: "https://evil.example" })).status).toBe(403);
  });

  test("each page is in the trail before it leaves; what cannot be recorded is not sent", { timeout: 60_000 }, async () => {
    await using server = await served({ failAfter: 1 });
    const id = await jobResult(server);
    const count = () =>
      get().asSuperuser(async (client) => {
        const { rows } = await client.query<{ n: number }>(
          "select count(*)::int as n from audit.entry where operation = 'page' and result_id = $1 and outcome = 'ok' and transport = 'http'",
          [id],
        );
        return rows[0]?.n;
      });
    // The first page is told, the second is not: the answer breaks off, and does not look whole.
    const broken = await server.get(`/results/${id}.csv`);
    expect(broken.status).toBe(200);
    await expect(broken.text()).rejects.toThrow();
    expect(await count()).toBe(1);
    const refused = await server.get(`/results/${id}.csv`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ success: false, error: { code: "AUDIT_UNAVAILABLE" } });
  });
});

/** As it comes over the wire: fetch would decompress it. */
async function rawGet(port: number, path: string, encoding: string): Promise<{ head: string; body: Buffer }> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const headers = { authorization: "Bearer ann", "accept-encoding": encoding };
    request({ host: "127.0.0.1", port, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const head = Object.entries(response.headers).map(([name, value]) => `${name}: ${String(value)}`);
        resolve({ head: head.join("\n"), body: Buffer.concat(parts) });
      });
    })
      .on("error", reject)
      .end();
  });
}
