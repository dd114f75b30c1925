import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { access } from "../../src/access.ts";
import { readConfig } from "../../src/config.ts";
import { openNative } from "../../src/db/native.ts";
import { must } from "../../src/must.ts";
import { parseKeyRing } from "../../src/secrets/key-ring.ts";
import { SCOPES } from "../../src/tenant.ts";
import { importIntoTenant } from "../oracle/support.ts";
import { largestWorld } from "../oracle/world.ts";
import { connect, GENERATIONS, type Generation, type Target, type TestClient } from "../support/mcp-clients.ts";
import { asSuperuser, createScratch, nativeTestUrl, type ScratchDatabase } from "../support/native-database.ts";
import { type HttpProcess, startHttp } from "../support/server-process.ts";
import { createTenant } from "../support/tenants.ts";
import { CREATED } from "./stage.ts";

/*
 * What real clients of each generation hear of a job, over HTTP and over stdio: every move of their own, nothing of another
 * tenant's. A lock makes the job wait for as long as it takes to listen.
 */
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const RING = `k1:${Buffer.alloc(32, 7).toString("base64")}`;
const MATRIX = GENERATIONS.flatMap((generation) => (["http", "stdio"] as const).map((transport) => ({ generation, transport })));
const url = nativeTestUrl();

interface State {
  readonly data: { readonly job_id: string; readonly state: string; readonly result_id: string | null };
}
const stateOf = (result: { readonly structuredContent?: unknown }): State["data"] => (result.structuredContent as State).data;

/** Listens to updates of one resource as its generation does; what was heard so far. */
async function listen({ raw, generation }: TestClient, uri: string): Promise<() => readonly string[]> {
  const heard: string[] = [];
  const hear = async ({ method, params }: { method: string; params?: unknown }): Promise<void> =>
    void heard.push(`${method} ${(params as { uri?: string } | undefined)?.uri ?? ""}`);
  raw.fallbackNotificationHandler = hear;
  if (!(raw instanceof ClientV1) && generation === "v2-2026") await raw.listen({ resourceSubscriptions: [uri] });
  else await raw.subscribeResource({ uri });
  return () => heard;
}

describe.skipIf(url === undefined)("notices of jobs (native)", { timeout: 60_000 }, () => {
  let scratch: ScratchDatabase;
  let http: HttpProcess;
  const keys: Record<string, string> = {};
  const environment = (): Record<string, string> => ({ METRICGATE_DATABASE_URL: scratch.url, METRICGATE_SECRET_KEYS: RING });

  beforeAll(async () => {
    scratch = await createScratch(must(url, "TEST_DATABASE_URL"));
    const database = openNative({ url: scratch.url, observe: () => undefined });
    const { createKey } = access(database, () => parseKeyRing(RING), readConfig({}, "/nowhere"));
    for (const [at, slug] of ["a", "b"].entries()) {
      await importIntoTenant(database, await createTenant(database, { id: at + 1, slug }), largestWorld(3));
      keys[slug] = (await createKey({ tenant: slug, name: "test", user: "ann", scopes: SCOPES, allowed: {} })).key;
    }
    await database.close();
    http = await startHttp({ ...environment(), METRICGATE_AUTH: "required" });
  }, 60_000);
  afterAll(async () => {
    await http[Symbol.asyncDispose]();
    await scratch.drop();
  }, 30_000);

  const targetOf = (transport: "http" | "stdio", slug: string): Target =>
    transport === "http"
      ? { url: http.url, bearer: must(keys[slug], slug) }
      : { stdio: { ...environment(), METRICGATE_API_KEY: must(keys[slug], slug) }, entry: MAIN, args: ["serve", "--stdio"] };

  /** While `work` runs, statements on issues wait. */
  const whileLocked = <T>(work: () => Promise<T>): Promise<T> =>
    asSuperuser(scratch.url, async (client) => {
      await client.query("begin; lock table warehouse.issue in access exclusive mode");
      try {
        return await work();
      } finally {
        await client.query("rollback");
      }
    });

  test.each(MATRIX)("$generation over $transport hears of its job and of how far it is", async ({ generation, transport }) => {
    await using client = await connect(generation as Generation, targetOf(transport, "a"));
    const { heard, id } = await whileLocked(async () => {
      const started = await client.call("start_job", { spec: CREATED });
      const { job_id: job } = stateOf(started);
      return { id: job, heard: await listen(client, `metricgate://jobs/${job}`) };
    });
    const progress: number[] = [];
    const ended = await client.call("get_job", { job_id: id, wait_seconds: 20 }, { onprogress: (one) => progress.push(one.progress) });
    expect(stateOf(ended)).toMatchObject({ state: "done" });
    // Where there is a download, and there only, it is told.
    const download = transport === "http" ? `${http.origin}/results/${stateOf(ended).result_id}.csv` : undefined;
    expect((ended.structuredContent as { meta: { download_url?: string } }).meta.download_url).toBe(download);
    if (download !== undefined) {
      expect(JSON.stringify(ended.content)).toContain(download);
      const file = await fetch(download, { headers: { authorization: `Bearer ${keys["a"]}` } });
      expect([file.status, (await file.text()).split("\r\n")[0]]).toEqual([200, "n"]);
      expect((await fetch(download, { headers: { authorization: `Bearer ${keys["b"]}` } })).status).toBe(404);
      expect((await fetch(download)).status).toBe(401);
    }
    await expect.poll(heard, { timeout: 5_000 }).toContain(`notifications/resources/updated metricgate://jobs/${id}`);
    expect([...new Set(heard())]).toEqual([`notifications/resources/updated metricgate://jobs/${id}`]);
    expect(progress).toEqual([...new Set(progress)].toSorted((a, b) => a - b));
    const read = await client.raw.readResource({ uri: `metricgate://jobs/${id}` });
    expect(JSON.parse((read.contents[0] as { text: string }).text)).toMatchObject({ success: true, data: { state: "done" } });
  });

  test("the server shows its line to an operator", async () => {
    const page = await fetch(`${http.origin}/operator/queues/api/queues`, { headers: { authorization: `Bearer ${keys["a"]}` } });
    expect([page.status, await page.json()]).toMatchObject([200, { queues: [{ name: "metricgate-jobs", readOnlyMode: true }] }]);
  });

  test.each(GENERATIONS)("%s is told how far a job is while it waits for it", async (generation) => {
    await using client = await connect(generation, targetOf("http", "a"));
    const progress: string[] = [];
    let waiting: Promise<{ readonly structuredContent?: unknown }> | undefined;
    await whileLocked(async () => {
      const { job_id: id } = stateOf(await client.call("start_job", { spec: CREATED }));
      waiting = client.call("get_job", { job_id: id, wait_seconds: 20 }, { onprogress: ({ message }) => progress.push(message ?? "") });
      await expect.poll(() => progress, { timeout: 5_000 }).toContain("execute");
    });
    expect(stateOf(await must(waiting, "a call"))).toMatchObject({ state: "done" });
  });

  test.each(GENERATIONS)("%s of another tenant hears nothing of it, nor is offered its id", async (generation) => {
    await using client = await connect(generation, targetOf("http", "a"));
    await using stranger = await connect(generation, targetOf("http", "b"));
    const { own, foreign, id } = await whileLocked(async () => {
      const { job_id: job } = stateOf(await client.call("start_job", { spec: CREATED }));
      const uri = `metricgate://jobs/${job}`;
      return { id: job, foreign: await listen(stranger, uri), own: await listen(client, uri) };
    });
    expect(stateOf(await client.call("get_job", { job_id: id, wait_seconds: 20 }))).toMatchObject({ state: "done" });
    await expect.poll(own, { timeout: 5_000 }).not.toEqual([]);
    expect(foreign()).toEqual([]);
    await expect(stranger.raw.readResource({ uri: `metricgate://jobs/${id}` })).rejects.toMatchObject({ code: -32602 });
    for (const ref of ["metricgate://jobs/{id}", "metricgate://results/{id}"]) {
      const offered = await stranger.raw.complete({
        ref: { type: "ref/resource", uri: ref },
        argument: { name: "id", value: id.slice(0, 6) },
      });
      expect(offered.completion.values).toEqual([]);
    }
    const { resources } = await stranger.raw.listResources();
    expect(JSON.stringify(resources)).not.toMatch(/job_|res_/);
  });
});
