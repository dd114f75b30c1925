import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEmbedded } from "../../../src/db/embedded/embedded.ts";
import { startEngine } from "../../../src/db/embedded/engine.ts";
import { tryToLead } from "../../../src/db/embedded/leadership.ts";
import { openLink } from "../../../src/db/embedded/link.ts";
import { openDataDirectory } from "../../../src/db/embedded/data-directory.ts";
import { buildSnapshot, readSnapshot, snapshotFile } from "../../../src/db/embedded/snapshot.ts";
import { must } from "../../../src/must.ts";
import type { Observation } from "../../../src/observe/observation.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "metricgate-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

test("a snapshot is built from the migrations, and opens migrated", async () => {
  const file = join(dataDir, "snapshot", "s.tar.gz");
  await buildSnapshot(file);
  expect(statSync(file).size).toBeGreaterThan(1_000_000);
  expect(snapshotFile()).toMatch(/schema-[0-9a-f]{16}\.tar\.gz$/);
  if (readSnapshot() === undefined) await buildSnapshot();
  const seen: Observation[] = [];
  const database = await openEmbedded({ dataDir: join(dataDir, "d"), observe: (one) => seen.push(one) });
  expect(seen).toMatchObject([{ kind: "database_opened", mode: "embedded", role: "leader" }]);
  await database.close();
  await expect(database.session("directory", async () => 1)).rejects.toThrow();
}, 60_000);

test("an older schema is migrated on opening, a newer one refused", async () => {
  const open = () => openEmbedded({ dataDir, observe: () => undefined });
  const first = await open();
  await first.asSuperuser((client) => client.query("insert into ops.migration values (99, 'later', 'x', false)"));
  await first.close();
  await (await open()).close(); // at the recorded schema: nothing to look at
  writeFileSync(join(dataDir, "schema"), "another\n");
  await expect(open()).rejects.toMatchObject({ code: "UNAVAILABLE", message: /this release knows/ });
  expect(tryToLead(dataDir)?.resign()).toBeUndefined();
  writeFileSync(join(dataDir, "schema"), "another\n");
}, 60_000);

test("files that are no database are an error, and the lock comes back", async () => {
  mkdirSync(join(dataDir, "postgres"));
  writeFileSync(join(dataDir, "postgres", "PG_VERSION"), "9\n");
  writeFileSync(join(dataDir, "schema"), "x\n");
  await expect(openEmbedded({ dataDir, observe: () => undefined })).rejects.toMatchObject({ code: /INTERNAL|UNAVAILABLE/ });
  const leadership = tryToLead(dataDir);
  expect(leadership).toBeDefined();
  leadership?.resign();
}, 60_000);

test("a leader that holds the lock and does not answer makes the others UNAVAILABLE in time", async () => {
  const leadership = must(tryToLead(dataDir), "the lock");
  const link = openLink({ directory: openDataDirectory(dataDir), onEngineLost: () => undefined, joinWithinMs: 200 });
  await expect(link.dial()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(link.role()).toBe("follower");
  await link.close();
  leadership.resign();
});

test("an engine runs one request at a time and is done when closed", async () => {
  const engine = await startEngine({ dataDir: join(dataDir, "postgres"), snapshot: must(readSnapshot(), "a snapshot") });
  const dumping = engine.dump();
  await Promise.resolve();
  await expect(engine.dump()).rejects.toThrow(/one request at a time/);
  expect((await dumping).length).toBeGreaterThan(1_000_000);
  await engine.close();
  await expect(engine.dump()).rejects.toThrow(/closed/);
  await engine.close();
  expect(existsSync(join(dataDir, "postgres", "PG_VERSION"))).toBe(true);
}, 60_000);
