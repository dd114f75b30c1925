/** Writes migrations/schema.snapshot.sql from a fresh embedded database: run after every new migration. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded } from "../src/db/embedded/embedded.ts";
import { dumpSchema } from "../src/db/schema-dump.ts";

const dataDir = mkdtempSync(join(tmpdir(), "metricgate-schema-"));
const database = await openEmbedded({ dataDir, observe: () => undefined });
const text = await database.asSuperuser(dumpSchema);
await database.close();
rmSync(dataDir, { recursive: true, force: true });
writeFileSync(new URL("../migrations/schema.snapshot.sql", import.meta.url), text);
