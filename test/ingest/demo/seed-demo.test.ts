import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import type { Database } from "../../../src/db/database.ts";
import { openEmbedded } from "../../../src/db/embedded/embedded.ts";
import { tenantDirectory } from "../../../src/db/tenant-directory.ts";
import { seedDemo } from "../../../src/ingest/demo/seed-demo.ts";
import type { Observation } from "../../../src/observe/observation.ts";

const dataDir = mkdtempSync(join(tmpdir(), "metricgate-demo-"));
const observed: Observation[] = [];
const options = { dataDir, now: new Date("2024-06-15T12:00:00Z"), observe: (one: Observation) => observed.push(one) };
const open = (): Promise<Database> => openEmbedded({ dataDir, observe: () => undefined });
const loaded = (): number[] => observed.flatMap((one) => (one.kind === "import_finished" ? [one.tenantId] : []));

afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

test("the second demo tenant's data follows the first answer, also after the process ended in between", async () => {
  const first = await open();
  await seedDemo(Promise.resolve(first), options);
  const slugs = (await tenantDirectory(first).list()).map(({ slug }) => slug);
  expect(slugs.toSorted()).toEqual(["acme", "demo"]);
  expect(loaded()).toEqual([1]);
  expect(existsSync(join(dataDir, "demo-pending"))).toBe(true);
  await first.close();

  const second = await open();
  await seedDemo(Promise.resolve(second), options);
  await vi.waitFor(() => expect(existsSync(join(dataDir, "demo-pending"))).toBe(false), 20_000);
  expect(loaded()).toEqual([1, 2]);
  expect(observed.filter(({ kind }) => kind === "unexpected_error")).toEqual([]);

  await seedDemo(Promise.resolve(second), options);
  expect(loaded()).toEqual([1, 2]);
  await second.close();
});
