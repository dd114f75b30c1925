import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { duplexPair } from "node:stream";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { migrateWith } from "../migrate.ts";
import { schemaFingerprint } from "../migration-files.ts";
import { startEngine } from "./engine.ts";
import { createMux } from "./mux.ts";
import { VirtualSocket } from "./virtual-socket.ts";

/** A release carries its snapshot in dist/; a checkout keeps one with its packages. */
const FOLDER = import.meta.url.endsWith(".ts")
  ? new URL("../../../node_modules/.cache/metricgate/", import.meta.url)
  : new URL("../../snapshot/", import.meta.url);

/** The file for this release's schema: a changed migration has another name, so an old snapshot is never used. */
export function snapshotFile(): string {
  return fileURLToPath(new URL(`schema-${schemaFingerprint().slice(0, 16)}.tar.gz`, FOLDER));
}

/** A data directory that is initialised and migrated, as a gzip tarball; undefined where none was built. */
export function readSnapshot(): Uint8Array | undefined {
  return existsSync(snapshotFile()) ? readFileSync(snapshotFile()) : undefined;
}

/**
 * The embedded database is the one database of its directory: what others would be made from are 602 of its 1,200 files, each of
 * which a first start would write.
 */
async function dropTemplates(client: pg.Client): Promise<void> {
  await client.query("UPDATE pg_database SET datistemplate = false");
  for (const name of ["template0", "template1"]) await client.query(`DROP DATABASE ${name}`);
}

/** Makes the snapshot from nothing but the migrations and puts it at `file` in one step. Takes some seconds. */
export async function buildSnapshot(file: string = snapshotFile()): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "metricgate-snapshot-"));
  try {
    const engine = await startEngine({ dataDir: join(folder, "postgres") });
    const mux = createMux(engine);
    const stream = new VirtualSocket(async () => {
      const [near, far] = duplexPair();
      mux.accept(far);
      return near;
    });
    const client = new pg.Client({ stream: () => stream, user: "postgres", database: "postgres", ssl: false });
    await client.connect();
    await migrateWith(client);
    await dropTemplates(client);
    await client.query("VACUUM ANALYZE");
    await client.query("CHECKPOINT");
    await client.end();
    await mux.close();
    const tarball = await engine.dump();
    await engine.close();
    mkdirSync(dirname(file), { recursive: true });
    const partial = `${file}.${process.pid}`;
    writeFileSync(partial, tarball);
    renameSync(partial, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
