/** Builds the embedded database's snapshot: `node scripts/build-snapshot.ts [file]`. Does nothing where it is there. */
import { existsSync } from "node:fs";
import { buildSnapshot, snapshotFile } from "../src/db/embedded/snapshot.ts";

const file = process.argv[2] ?? snapshotFile();
if (!existsSync(file)) await buildSnapshot(file);
