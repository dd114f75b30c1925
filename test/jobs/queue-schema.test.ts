import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface BullMigration {
  readonly version: number;
  readonly name: string;
  readonly minClientVersion: number;
  readonly load: () => string;
}

// Not exported by the package: where its own migrator has them from.
const { MIGRATIONS } = createRequire(import.meta.url)("bullmq/dist/cjs/postgres/migrations/index.js") as {
  readonly MIGRATIONS: readonly BullMigration[];
};
const FOLDER = new URL("../../migrations/", import.meta.url);
const file = readdirSync(FOLDER).find((name) => name.endsWith("-queue.sql")) ?? "";
const ours = readFileSync(new URL(file, FOLDER), "utf8");

test("the queue's schema is that of the installed package, all of it and in order", () => {
  expect(MIGRATIONS.length).toBeGreaterThan(5);
  let at = 0;
  for (const { version, name, minClientVersion, load } of MIGRATIONS) {
    const found = ours.indexOf(load().trim(), at);
    expect(found, name).toBeGreaterThan(at);
    at = found;
    expect(ours).toContain(`(${version}, '${name}', ${minClientVersion})`);
  }
  expect(ours.match(/^insert into migration \(version/gm)).toHaveLength(MIGRATIONS.length);
});
