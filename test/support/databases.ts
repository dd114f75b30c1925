import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientBase } from "pg";
import { afterAll, beforeAll, describe } from "vitest";
import type { Database } from "../../src/db/database.ts";
import { openEmbedded } from "../../src/db/embedded/embedded.ts";
import { buildSnapshot, readSnapshot } from "../../src/db/embedded/snapshot.ts";
import { openNative } from "../../src/db/native.ts";
import { must } from "../../src/must.ts";
import type { Observation } from "../../src/observe/observation.ts";
import { asSuperuser, createScratch, nativeTestUrl } from "./native-database.ts";

/** A fresh migrated database for one suite. */
export interface TestDatabase {
  readonly database: Database;
  /** Of an embedded one: a process of its own joins it there. */
  readonly dataDir?: string;
  /** Lends a superuser's connection: for looking behind the walls, never for what a test proves. */
  readonly asSuperuser: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
  readonly observations: readonly Observation[];
  readonly close: () => Promise<void>;
}

/** A native scratch database, dropped on close. */
export async function openNativeForTest(url: string): Promise<TestDatabase> {
  const scratch = await createScratch(url);
  const observations: Observation[] = [];
  const database = openNative({ url: scratch.url, observe: (one) => observations.push(one) });
  return {
    database,
    observations,
    asSuperuser: (work) => asSuperuser(scratch.url, work),
    close: async () => {
      await database.close();
      await scratch.drop();
    },
  };
}

/** An embedded database in a directory of its own, from the shared snapshot; both go on close. */
export async function openEmbeddedForTest(): Promise<TestDatabase> {
  if (readSnapshot() === undefined) await buildSnapshot();
  const dataDir = mkdtempSync(join(tmpdir(), "metricgate-"));
  const observations: Observation[] = [];
  const database = await openEmbedded({ dataDir, observe: (one) => observations.push(one) });
  return {
    database,
    dataDir,
    observations,
    asSuperuser: database.asSuperuser,
    close: async () => {
      await database.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

type Suite = (get: () => TestDatabase) => void;

/** Runs one suite on a native database: with TEST_DATABASE_URL set; without it only where CI is not 'true'. */
export function describeOnNative(name: string, suite: Suite): void {
  const url = nativeTestUrl();
  describe.skipIf(url === undefined)(`${name} (native)`, () =>
    withDatabase(() => openNativeForTest(must(url, "TEST_DATABASE_URL")), suite),
  );
}

/** Runs one suite on an embedded database. */
export function describeOnEmbedded(name: string, suite: Suite): void {
  describe(`${name} (embedded)`, () => withDatabase(openEmbeddedForTest, suite));
}

function withDatabase(open: () => Promise<TestDatabase>, suite: Suite): void {
  let opened: TestDatabase | undefined;
  beforeAll(async () => {
    opened = await open();
  }, 60_000);
  afterAll(() => opened?.close(), 30_000);
  suite(() => must(opened, "the suite's database"));
}

/** Runs one suite on each kind of database, each fresh and migrated. */
export function describeOnEachDatabase(name: string, suite: Suite): void {
  describeOnEmbedded(name, suite);
  describeOnNative(name, suite);
}
