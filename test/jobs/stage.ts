import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type Background, openBackground } from "../../src/background.ts";
import { memoryResultStore } from "../../src/cache/result-store.ts";
import type { Database } from "../../src/db/database.ts";
import { AppError } from "../../src/errors.ts";
import type { Job } from "../../src/jobs/job.ts";
import { writtenBehind } from "../../src/kept-results.ts";
import type { TaskParts } from "../../src/jobs/tasks.ts";
import { importInto } from "../../src/ingest/import.ts";
import { must } from "../../src/must.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { createPipeline, type Pipeline } from "../../src/pipeline.ts";
import type { StoredResult } from "../../src/result/page.ts";
import type { Principal, Tenant } from "../../src/tenant.ts";
import { issue } from "../ingest/records.ts";
import { sourceOf } from "../ingest/support.ts";
import { shippedCatalog } from "../support/answers.ts";
import { describeOnEachDatabase, describeOnNative, type TestDatabase } from "../support/databases.ts";
import { nativeTestUrl, urlOfDatabase } from "../support/native-database.ts";
import { redisTestUrl } from "../support/redis.ts";
import { createTenant } from "../support/tenants.ts";

export const CREATED = { measures: [{ name: "issues_created", as: "n" }] };
export const BY_ISSUE = { ...CREATED, dimensions: ["issue_key"], limit: 100_000 };

/** The product's part that works in the background, over a test's database. */
export interface Stage extends AsyncDisposable {
  readonly pipeline: Pipeline;
  readonly background: Background;
  readonly observed: Observation[];
  /** Begins to run jobs. */
  work(): Promise<void>;
  /** The job once it has ended. */
  ended(principal: Principal, jobId: string): Promise<Job>;
}

export interface StageOptions {
  readonly redisUrl?: string;
  /** Shared with processes of their own. */
  readonly databaseUrl?: string;
  /** In front of the pipeline that the worker asks. */
  readonly tasks?: Readonly<Record<string, string>>;
  readonly tenantTasks?: TaskParts["tenantTasks"];
  readonly keepWarm?: () => void;
  readonly answer?: (answer: Pipeline["answerJob"]) => Pipeline["answerJob"];
}

/** `name` keeps what several stages share on one Redis apart from others. */
export async function stage(
  database: Database,
  name: string,
  { redisUrl, databaseUrl, tasks = {}, tenantTasks = {}, keepWarm = () => undefined, answer = (own) => own }: StageOptions = {},
): Promise<Stage> {
  const observed: Observation[] = [];
  const observe = (one: Observation): void => void observed.push(one);
  const config = { databaseUrl: databaseUrl ?? `postgres://test/${name}`, dataDir: "/", ...(redisUrl === undefined ? {} : { redisUrl }) };
  const background = openBackground({ config, database: async () => database, observe, tasks, tenantTasks, keepWarm });
  const pipeline = createPipeline({
    catalog: await shippedCatalog(),
    database: async () => database,
    results: writtenBehind(memoryResultStore<StoredResult>({ maxBytes: 2 ** 28, maxTenantBytes: 2 ** 28 }), background.answers),
    observe,
    now: () => new Date("2024-11-20T12:00:00Z"),
    jobs: background.desk,
  });
  return {
    pipeline,
    background,
    observed,
    work: () => background.work(answer(pipeline.answerJob)),
    ended: async (principal, jobId) => {
      for (;;) {
        const job = await pipeline.job(principal, { job_id: jobId, wait_seconds: 5 });
        if (job.finished_at !== null) return job;
      }
    },
    [Symbol.asyncDispose]: () => background.close(),
  };
}

/** A tenant with issues. */
export async function tenantWith({ database }: TestDatabase, id: number, issues: number): Promise<Tenant> {
  const tenant = await createTenant(database, { id });
  const records = Array.from({ length: issues }, (_, at) =>
    issue(`T${id}-${at + 1}`, { createdAt: new Date(Date.UTC(2024, 0, 1 + (at % 300), 12)).toISOString() }),
  );
  await importInto(database, tenant, { instanceId: "inst1", source: sourceOf(records) });
  return tenant;
}

type Open = (options?: Omit<StageOptions, "redisUrl">) => Promise<Stage>;

/** Runs one suite over every home of the queue: the embedded database, the native one, and Redis beside it. */
export function describeOnEachQueue(name: string, suite: (get: () => TestDatabase, open: Open) => void): void {
  describeOnEachDatabase(name, (get) => suite(get, (options) => stage(get().database, name, options)));
  const redisUrl = redisTestUrl();
  if (redisUrl === undefined) return;
  describeOnNative(`${name}, Redis`, (get) => {
    const own = randomBytes(6).toString("hex");
    suite(get, (options) => stage(get().database, own, { ...options, redisUrl }));
  });
}

export async function failure(call: Promise<unknown>): Promise<AppError> {
  const thrown: unknown = await call.then(
    () => new Error("it was answered"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw thrown;
  return thrown;
}

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

/** Where processes of their own find a test's database. */
export async function urlOf({ asSuperuser }: TestDatabase): Promise<string> {
  const { rows } = await asSuperuser((client) => client.query<{ name: string }>("select current_database() as name"));
  return urlOfDatabase(must(nativeTestUrl(), "TEST_DATABASE_URL"), must(rows[0], "a database").name);
}

/** `metricgate worker`, once it runs jobs. */
export async function workerProcess(environment: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, "worker"], { env: { ...process.env, ...environment }, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  for await (const chunk of must(child.stderr, "stderr")) {
    said += String(chunk);
    if (said.includes("runs background jobs")) return child;
  }
  throw new Error(said);
}
