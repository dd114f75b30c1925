import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { type HttpEdge, serveOverHttp } from "../../src/http/server.ts";
import type { Principal } from "../../src/tenant.ts";
import { testParts } from "../support/mcp-parts.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";
import { CREATED, describeOnEachQueue, type Stage, tenantWith } from "./stage.ts";

/*
 * The page on which operators look at the line, from a real server over every home of the line. Whatever a tenant's own jobs are
 * about carries a mark, which no page, list or detail may show.
 */
const MARK = "bsecret";
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const QUEUE = "metricgate-jobs";
const OPERATOR = testPrincipal(testTenant({ id: 9 }), "operator", { scopes: ["jobs:operate"] });
const SPEC = { ...CREATED, dimensions: ["issue_key"], filters: [{ field: "label", op: "=", values: [MARK] }] };

interface Served extends AsyncDisposable {
  readonly edge: HttpEdge;
  readonly get: (path: string, init?: RequestInit) => Promise<Response>;
}

/** A server whose one caller is the operator, or whoever no key says. */
async function served(on: Stage, publicUrl?: string): Promise<Served> {
  const parts = await testParts({
    identify: (request): Principal => {
      const shown = request?.headers.get("authorization");
      if (shown === "Bearer operate") return OPERATOR;
      if (shown === null || shown === "Bearer read") return testPrincipal(testTenant({ id: 9 }), "reader");
      throw new AppError("UNAUTHENTICATED", "Who are you?");
    },
  });
  const edge = await serveOverHttp({
    host: "127.0.0.1",
    port: 0,
    allowedOrigins: [],
    ready: async () => true,
    mcp: parts,
    queuePage: (path, base) => on.background.page(path, base),
    ...(publicUrl === undefined ? {} : { publicUrl }),
  });
  return {
    edge,
    get: (path, init = {}) =>
      fetch(new URL(`/operator/queues${path}`, edge.url), { headers: { authorization: "Bearer operate" }, ...init }),
    [Symbol.asyncDispose]: () => edge.close(),
  };
}

async function read(answer: Response): Promise<string> {
  const text = await answer.text();
  expect(answer.status, text.slice(0, 400)).toBe(200);
  expect(text).not.toContain(MARK);
  return text;
}

describeOnEachQueue("the page of the line", (get, open) => {
  test("shows what waits, what failed and what comes by the clock, by ids alone", { timeout: 60_000 }, async () => {
    const tasks = { clean_up: "17 3 * * *" };
    const answer = () => () => Promise.reject(new AppError("UNAVAILABLE", `${MARK} is away`));
    await using on = await open({ tasks, answer });
    await using server = await served(on);
    const ann = testPrincipal(await tenantWith(get(), 1, 3), `${MARK} ann`);
    const ids: string[] = [];
    for (const _ of [1, 2]) ids.push((await on.pipeline.startJob(ann, { spec: SPEC })).job_id);
    const list = `/api/queues?activeQueue=${QUEUE}&status=latest&page=1&jobsPerPage=20`;
    const waiting = await read(await server.get(list));
    const jobs = ids.map((id) => expect.objectContaining({ data: { tenantId: 1, jobId: id } }));
    expect(JSON.parse(waiting)).toMatchObject({
      queues: [{ name: QUEUE, readOnlyMode: true, allowRetries: false, jobs: expect.arrayContaining(jobs) }],
    });

    await on.work();
    // Between two tries: a failure and its stack are on the entry by then.
    await expect.poll(async () => read(await server.get(list)), { timeout: 20_000, interval: 100 }).toContain("to be tried again");
    const one = `/api/queues/${QUEUE}/1-${ids[0]}`;
    for (const path of [one, `${one}/logs`, `${one}/flow`, `/api/queues/${QUEUE}/metrics`, `/queue/${QUEUE}`])
      await server.get(path).then(async (response) => expect(await response.text(), path).not.toContain(MARK));
    expect(await read(await server.get("/api/job-schedulers"))).toContain('"pattern":"17 3 * * *"');
    // What the store of the line is and where, is nobody's business here.
    expect((await server.get("/api/redis/stats")).status).toBe(403);
  });

  test("loads nothing from elsewhere, and says so to the browser", async () => {
    await using on = await open();
    await using server = await served(on, "https://metrics.example.com/tools/mcp");
    for (const path of ["", "/"]) {
      const page = await server.get(path);
      const html = await read(page);
      expect(html).toContain('<base href="/tools/operator/queues/" />');
      expect(html).not.toMatch(/(?:href|src)="(?:https?:)?\/\//);
      expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'self'; /);
      expect(page.headers.get("content-security-policy")).not.toMatch(/https?:|script-src|connect-src|font-src/);
      expect(page.headers.get("cache-control")).toBe("no-store");
      const scripts = [...html.matchAll(/src="(static\/[^"]+\.js)"/g)].map(([, name]) => name);
      expect(scripts.length).toBeGreaterThan(1);
      for (const name of scripts) expect((await read(await server.get(`/${name}`))).length).toBeGreaterThan(1_000);
    }
    for (const path of ["/static/../package.json", "/static/..%2f..%2fpackage.json", "/static/absent.js", "/absent"])
      expect((await server.get(path)).status, path).toBe(404);
  });

  test("nobody comes without a key of that scope, and who does changes nothing", async () => {
    await using on = await open();
    await using server = await served(on);
    const ann = testPrincipal(await tenantWith(get(), 2, 1), "ann");
    const { job_id } = await on.pipeline.startJob(ann, { spec: CREATED });
    const as = (authorization?: string): RequestInit => ({
      headers: authorization === undefined ? {} : { authorization },
    });
    for (const path of ["", "/", "/api/queues", "/static/favicon.ico", "/absent"]) {
      // Also where /mcp would take the caller for the operator of this machine.
      const nobody = await server.get(path, as());
      expect([nobody.status, nobody.headers.get("www-authenticate")]).toEqual([401, expect.stringMatching(/^Basic realm="/)]);
      const other = await server.get(path, as("Bearer other"));
      expect([other.status, other.headers.get("www-authenticate")]).toEqual([401, 'Bearer error="invalid_token", scope="metrics:read"']);
      const reader = await server.get(path, as("Bearer read"));
      expect([reader.status, reader.headers.get("www-authenticate")]).toEqual([
        403,
        'Bearer error="insufficient_scope", scope="metrics:read jobs:write search:read drill:read jobs:operate"',
      ]);
      expect((await server.get(`${path}?api_key=operate`)).status).toBe(400);
    }
    expect((await server.get("", as(`Basic ${btoa("anyone:operate")}`))).status).toBe(200);
    for (const pair of ["operate", "operate:", "anyone:read\nBearer operate", "anyone:other"])
      expect((await server.get("", as(`Basic ${btoa(pair)}`))).status, pair).toBe(401);
    const before = await on.background.waiting();
    const writes = [
      ["PUT", `/api/queues/${QUEUE}/obliterate`],
      ["PUT", `/api/queues/pause`],
      ["POST", `/api/queues/${QUEUE}/add`],
      ["PATCH", `/api/queues/${QUEUE}/2-${job_id}/update-data`],
      ["PUT", `/api/queues/${QUEUE}/2-${job_id}/clean`],
      ["DELETE", ""],
    ] as const;
    for (const [method, path] of writes)
      expect((await server.get(path, { method, headers: { authorization: "Bearer operate" } })).status, path).toBe(405);
    expect(await on.background.waiting()).toBe(before);
  });

  // Without a browser there is nothing to look at; with CI=true that is a failure.
  test.skipIf(!existsSync(CHROMIUM) && process.env["CI"] !== "true")(
    "is drawn by a browser that was asked for the key",
    { timeout: 60_000 },
    async () => {
      await using on = await open();
      await using server = await served(on);
      const ann = testPrincipal(await tenantWith(get(), 3, 1), "ann");
      const { job_id } = await on.pipeline.startJob(ann, { spec: CREATED });
      const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
      try {
        const context = await browser.newContext({ httpCredentials: { username: "anyone", password: "operate" } });
        const page = await context.newPage();
        const [elsewhere, kept]: [string[], string[]] = [[], []];
        const { origin } = new URL(server.edge.url);
        page.on("request", (request) => void (request.url().startsWith(origin) || elsewhere.push(request.url())));
        page.on("console", (message) => void (/Content Security|Refused/.test(message.text()) && kept.push(message.text())));
        await page.goto(`${origin}/operator/queues/queue/${QUEUE}`);
        await page.getByText(job_id).first().waitFor({ timeout: 20_000 });
        expect({ elsewhere, kept }).toEqual({ elsewhere: [], kept: [] });
      } finally {
        await browser.close();
      }
    },
  );
});
