/** Builds the embedded database's snapshot: `node scripts/build-snapshot.ts [folder]`. Does nothing where it is there. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { buildSnapshot, snapshotFile } from "../src/db/embedded/snapshot.ts";

const folder = process.argv[2];
const file = folder === undefined ? snapshotFile() : join(folder, basename(snapshotFile()));
if (!existsSync(file)) await buildSnapshot(file);
