import { beforeAll, expect, test } from "vitest";
import type { Audit, AuditEntry } from "../../src/audit/audit.ts";
import { hashOfJson } from "../../src/audit/canonical-json.ts";
import { scrubbed } from "../../src/audit/scrubbed.ts";
import { databaseAudit } from "../../src/audit/database-audit.ts";
import { verifyTenant } from "../../src/audit/verify.ts";
import { audited } from "../../src/audited.ts";
import type { Database } from "../../src/db/database.ts";
import { withTenantWrite } from "../../src/db/tenant-session.ts";
import { AppError, type ErrorCode } from "../../src/errors.ts";
import { withinCall } from "../../src/observe/call.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { readAsTenant } from "../../src/execute/tenant-transaction.ts";
import type { Pipeline } from "../../src/pipeline.ts";
import { testPipeline } from "../support/answers.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { testPrincipal, testTenant } from "../support/tenants.ts";
import { entryOf, trailOf } from "./trails.ts";

const tenant = testTenant({ id: 7 });
const principal = testPrincipal(tenant, "ann@example.com");
const SECRET = "canary9f8e7d6c5b4a39281706f5e4d3";
const MAIL = "canary.person@example.com";
const TEXT = "canary summary of an issue";
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const COUNT = { measures: [{ name: "issues_created" }] };
const BY_ASSIGNEE = {
  ...COUNT,
  dimensions: ["assignee"],
  filters: [{ field: "assignee", op: "in", values: [MAIL, SECRET, "ann"] }],
};

async function seed(database: Database): Promise<void> {
  await withTenantWrite(database, tenant.id, async (client) => {
    await client.query("insert into warehouse.tenant_state (tenant_id) values (7)");
    await client.query("insert into warehouse.instance (tenant_id, instance_id, kind) values (7, 'i', 'neutral')");
    await client.query("insert into warehouse.project (tenant_id, instance_id, project_key) values (7, 'i', 'P')");
    await client.query(
      `insert into warehouse.issue (tenant_id, issue_no, instance_id, issue_key, project_key, created_at, summary, description, assignee)
       select 7, n, 'i', 'P-' || n, 'P', '2024-05-01', $1, $1, 'ann' from generate_series(1, 60) n`,
      [TEXT],
    );
  });
}

async function failure(work: Promise<unknown>): Promise<AppError> {
  const thrown: unknown = await work.then(
    (answer) => new Error(`answered ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw thrown;
  return thrown;
}

describeOnEachDatabase("every call is recorded before its answer leaves", (get) => {
  let pipeline: Pipeline;
  const seen: Observation[] = [];
  const newest = async () => (await trailOf(get, tenant.id)).at(-1);

  beforeAll(async () => {
    await seed(get().database);
    pipeline = audited(
      await testPipeline(get().database),
      databaseAudit(() => Promise.resolve(get().database)),
      (one) => seen.push(one),
    );
  });

  test("a run: who, what, by which tool, in which trace, how many rows of which metric versions", async () => {
    const call = { tool: "run_analytics_spec", transport: "http", traceparent: `00-${TRACE}-00f067aa0ba902b7-01` } as const;
    const { data, meta } = await withinCall(call, () => pipeline.run(principal, COUNT));
    expect(data.rows).toEqual([[60]]);
    expect(await newest()).toMatchObject({
      tenant_id: 7,
      principal: "ann@example.com",
      operation: "run",
      tool: "run_analytics_spec",
      transport: "http",
      spec: JSON.parse(JSON.stringify(meta.spec)) as unknown,
      spec_hash: hashOfJson(meta.spec),
      metric_versions: Object.fromEntries(meta.metrics_used.map(({ name, version }) => [name, version])),
      result_id: meta.result_id,
      row_count: 1,
      outcome: "ok",
      trace_id: TRACE,
      problems: [],
    });
  });

  test("a page, the values of a dimension and a dry run; a trace that is none is left out", async () => {
    const { meta } = await pipeline
      .run(principal, { ...COUNT, dimensions: ["issue_key"], limit: 1000 })
      .catch(() => pipeline.run(principal, COUNT));
    await withinCall({ tool: "get_result", transport: "stdio", traceparent: "'; drop table" }, () =>
      pipeline.page(principal, { result_id: meta.result_id, limit: 10 }),
    );
    expect(await newest()).toMatchObject({
      operation: "page",
      tool: "get_result",
      result_id: meta.result_id,
      trace_id: null,
      outcome: "ok",
    });
    const list = await pipeline.values(principal, { dimension: "assignee", search: "an" });
    expect(await newest()).toMatchObject({
      operation: "values",
      tool: null,
      transport: null,
      spec: { dimension: "assignee", search: "an", limit: null },
      row_count: list.values.length,
    });
    await pipeline.run(principal, { ...COUNT, dry_run: true });
    expect(await newest()).toMatchObject({ operation: "run", spec: { dry_run: true }, row_count: 0, result_id: null, outcome: "ok" });
  });

  test("a drill-down: of which number, and no text of an issue", async () => {
    const { meta } = await pipeline.run(principal, COUNT);
    const request = { result_id: meta.result_id, row: 0, measure: "issues_created", limit: 3 };
    const { data } = await pipeline.drill(principal, request);
    expect(JSON.stringify(data.rows)).toContain(TEXT);
    expect(await newest()).toMatchObject({
      operation: "drill",
      spec: { row: 0, measure: "issues_created", limit: 3 },
      spec_hash: hashOfJson(request),
      metric_versions: { issues_created: "1.0.0" },
      result_id: meta.result_id,
      row_count: 3,
      outcome: "ok",
    });
    expect(await failure(pipeline.drill(principal, { ...request, measure: SECRET }))).toMatchObject({ code: "SPEC_INVALID" });
    expect(await newest()).toMatchObject({
      operation: "drill",
      outcome: "SPEC_INVALID",
      problems: ["UNKNOWN_MEASURE"],
      spec: null,
      result_id: null,
    });
  });

  test("a chart: of which result, how it was wished for; one that does not fit leaves its code", async () => {
    const { meta } = await pipeline.run(principal, COUNT);
    const request = { result_id: meta.result_id, type: "kpi", format: "vega_lite" } as const;
    await pipeline.chart(principal, request);
    expect(await newest()).toMatchObject({
      operation: "chart",
      spec: { type: "kpi", format: "vega_lite" },
      spec_hash: hashOfJson(request),
      metric_versions: { issues_created: "1.0.0" },
      result_id: meta.result_id,
      row_count: 1,
      outcome: "ok",
    });
    expect(await failure(pipeline.chart(principal, { result_id: meta.result_id, type: "pie", title: SECRET }))).toMatchObject({
      code: "SPEC_INVALID",
    });
    expect(await newest()).toMatchObject({ operation: "chart", outcome: "SPEC_INVALID", problems: ["CHART_INVALID"], spec: null });
  });

  test("a failing call leaves its code, the hash of what was asked and nothing that the caller wrote", async () => {
    const wrong = { measures: [{ name: SECRET }], filters: [{ field: "summary", op: "??", values: [MAIL] }] };
    expect(await failure(pipeline.run(principal, wrong))).toMatchObject({ code: "SPEC_INVALID" });
    const row = await newest();
    expect(row).toMatchObject({ outcome: "SPEC_INVALID", spec: null, spec_hash: hashOfJson(wrong), row_count: null, result_id: null });
    expect(row?.["problems"]).toContain("UNKNOWN_MEASURE");
    expect(await failure(pipeline.page(principal, { result_id: `res_${SECRET}` }))).toMatchObject({ code: "NOT_FOUND" });
    expect(await newest()).toMatchObject({ operation: "page", outcome: "NOT_FOUND", result_id: null });
    expect(await failure(pipeline.values(principal, { dimension: SECRET }))).toMatchObject({ code: "SPEC_INVALID" });
    expect(await newest()).toMatchObject({ operation: "values", outcome: "SPEC_INVALID", problems: ["UNKNOWN_DIMENSION"], spec: null });
    const deep = Array.from({ length: 20_000 }).reduce<unknown>((inner) => [inner], null);
    expect(await failure(pipeline.run(principal, deep))).toMatchObject({ code: "SPEC_INVALID" });
    expect(await newest()).toMatchObject({ outcome: "SPEC_INVALID", spec_hash: null });
  });

  test("no entry holds an issue's text, an address or a secret", async () => {
    const { data } = await pipeline.run(principal, BY_ASSIGNEE);
    expect(data.rows).toEqual([["ann", 60]]);
    await pipeline.run(principal, {
      ...COUNT,
      filters: [{ field: "summary", op: "contains", values: [`token=${SECRET} ${"x".repeat(20)}`] }],
    });
    await pipeline.values(principal, { dimension: "assignee", search: MAIL });
    const trail = await trailOf(get, tenant.id);
    expect(trail.map((row) => JSON.stringify(row["spec"])).join()).toContain('"[email]","[secret]","ann"');
    for (const canary of [SECRET, MAIL, TEXT, "canary"]) expect(JSON.stringify(trail)).not.toContain(canary);
    expect((await verifyTenant(get().database, tenant.id)).broken).toBeUndefined();
  });

  test("fifty at once make one chain without a gap", async () => {
    const before = (await trailOf(get, tenant.id)).length;
    await Promise.all(Array.from({ length: 50 }, () => pipeline.run(principal, COUNT)));
    const numbers = (await trailOf(get, tenant.id)).map((row) => Number(row["seq"]));
    expect(numbers).toEqual(Array.from({ length: before + 50 }, (_, index) => index + 1));
    expect((await verifyTenant(get().database, tenant.id)).broken).toBeUndefined();
  });

  test("what cannot be recorded is not answered, be it an answer or a refusal", async () => {
    const superuser = (sql: string) => get().asSuperuser((client) => client.query(sql));
    const known = (await pipeline.run(principal, COUNT)).meta.result_id;
    const before = (await trailOf(get, tenant.id)).length;
    await superuser("revoke execute on function audit.append(jsonb) from metricgate_auditor");
    try {
      for (const refused of [
        await failure(pipeline.run(principal, BY_ASSIGNEE)),
        await failure(pipeline.values(principal, { dimension: "assignee" })),
        await failure(pipeline.drill(principal, { result_id: known, row: 0, measure: "issues_created" })),
        await failure(pipeline.run(principal, { measures: [] })),
      ]) {
        expect(refused).toMatchObject({ code: "AUDIT_UNAVAILABLE", audience: "operator" });
        expect(JSON.stringify([refused.message, { ...refused.details, cause: null }])).not.toMatch(/\bann\b|60|denied|append|permission/);
      }
      expect(seen.filter((one) => one.kind === "audit_failed")).toHaveLength(4);
    } finally {
      await superuser("grant execute on function audit.append(jsonb) to metricgate_auditor");
    }
    expect(await trailOf(get, tenant.id)).toHaveLength(before);
    expect((await pipeline.run(principal, COUNT)).data.rows).toEqual([[60]]);
  });

  test("the auditor appends to its tenant's chain and does nothing else; nobody else has anything to do with it", async () => {
    const { database } = get();
    const refusal = (work: Promise<unknown>): Promise<string> =>
      work.then(
        (answer) => `accepted ${JSON.stringify(answer)}`,
        (error: { code: string; cause?: { code?: string } }) => error.cause?.code ?? error.code,
      );
    const append = (prologue: string, text: string) => database.append({ prologue, statement: { text, values: [] }, timeoutMs: 5_000 });
    const statements = [
      "select 1 from audit.entry",
      "select 1 from audit.head",
      "select 1 from audit.anchor",
      "delete from audit.entry",
      "update audit.head set seq = 0",
      "insert into audit.anchor (tenant_id, seq, hash, at) values (7, 1, '', now())",
      "select audit.prune('2026-01-01', 'me')",
      "select audit.ensure_partition(now())",
      `select audit.append('{}')`,
    ];
    for (const statement of statements) {
      expect(await refusal(readAsTenant(database, tenant, { text: statement, values: [] }, { timeoutMs: 5_000 })), statement).toBe("42501");
      for (const login of ["ingest", "directory"] as const) {
        const asLogin = database.session(login, (client) => client.query(statement));
        expect(await refusal(asLogin), `${login}: ${statement}`).toBe("42501");
      }
      if (statement.includes("audit.append")) continue;
      expect(await refusal(append("BEGIN; SET LOCAL app.tenant_id = '7'", statement)), statement).toBe("42501");
    }
    for (const text of ["select 1 from warehouse.issue", "select 1 from directory.tenant", "select 1 from ops.migration"]) {
      expect(await refusal(append("BEGIN; SET LOCAL app.tenant_id = '7'", text)), text).toBe("42501");
    }
    expect(await refusal(append("BEGIN", `select audit.append('{"principal": "p"}')`))).toBe("42501");
    expect(await refusal(append("BEGIN; SET LOCAL ROLE metricgate_audit_reader", "select 1"))).toBe("42501");
    const forged = `select audit.append('{"principal": "p", "operation": "run", "duration_ms": 1, "outcome": "ok", "tenant_id": 8, "seq": 99, "at": "2001-01-01", "hash": "\\\\x00"}')`;
    await append("BEGIN; SET LOCAL app.tenant_id = '7'", forged);
    expect(await trailOf(get, 8)).toEqual([]);
    expect((await verifyTenant(database, 7)).broken).toBeUndefined();
  });
});

test.each<[ErrorCode, ErrorCode]>([
  ["UNAVAILABLE", "UNAVAILABLE"],
  ["BUSY", "BUSY"],
  ["TIMEOUT", "TIMEOUT"],
  ["SPEC_INVALID", "AUDIT_UNAVAILABLE"],
  ["NOT_FOUND", "AUDIT_UNAVAILABLE"],
  ["INTERNAL", "AUDIT_UNAVAILABLE"],
])("a call that failed as %s while the trail is away is told as %s", async (code, told) => {
  const refuse = () => Promise.reject(new AppError(code, "no"));
  const inner = { catalog: undefined, run: refuse, page: refuse, values: refuse } as unknown as Pipeline;
  const audit: Audit = { append: () => Promise.reject(new Error("away: postgres://secret")) };
  const pipeline = audited(inner, audit, () => undefined);
  const error = await failure(pipeline.run(principal, {}));
  expect(error.code).toBe(told);
  expect(error.message).not.toContain("postgres");
});

test("a call over its rate limit leaves no row", async () => {
  const entries: AuditEntry[] = [];
  const refuse = () => Promise.reject(new AppError("RATE_LIMITED", "slow down"));
  const inner = { run: refuse } as unknown as Pipeline;
  const pipeline = audited(inner, { append: (entry) => (entries.push(entry), Promise.resolve()) }, () => undefined);
  expect((await failure(pipeline.run(principal, {}))).code).toBe("RATE_LIMITED");
  expect(entries).toEqual([]);
});

test("a text cut to a length is still one that jsonb takes", () => {
  const cut = scrubbed({ title: [`${"x ".repeat(249)}x😀${"x".repeat(9)}`] });
  expect(JSON.stringify(cut)).not.toContain("\\ud83d");
  expect(scrubbed([1, null, true, "plain"])).toEqual([1, null, true, "plain"]);
});

test("a database that cannot be had is AUDIT_UNAVAILABLE", async () => {
  const audit = databaseAudit(() => Promise.reject(new AppError("UNAVAILABLE", "away")));
  expect(await failure(audit.append(entryOf(1)))).toMatchObject({ code: "AUDIT_UNAVAILABLE", details: { retryAfterSeconds: 2 } });
});
