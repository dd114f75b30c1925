import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { must } from "../../must.ts";
import { unpackTarball } from "./tarball.ts";

/** Hosts the database in its own thread. Runs bytes one request after the other; knows nothing of connections. */

export interface EngineData {
  readonly dataDir: string;
  /** A gzip tarball of a data directory to start from. */
  readonly snapshot?: Uint8Array;
}

export type EngineRequest =
  | { readonly kind: "run"; readonly id: number; readonly prelude?: Uint8Array; readonly bytes: Uint8Array }
  | { readonly kind: "dump"; readonly id: number }
  | { readonly kind: "stop" };

export type EngineReply =
  | { readonly kind: "ready"; readonly serverVersion: string }
  | { readonly kind: "chunk"; readonly id: number; readonly bytes: Uint8Array }
  /** `refused`: the prelude failed, with what the server said; the bytes were not run. */
  | { readonly kind: "done"; readonly id: number; readonly refused?: Uint8Array }
  | { readonly kind: "stopped" };

const CHUNK_BYTES = 128 * 1024;
const ERROR_RESPONSE = 0x45;
const READY_FOR_QUERY = 0x5a;

const port = must(parentPort, "a parent port");
const { dataDir, snapshot } = workerData as EngineData;

function reply(message: EngineReply): void {
  port.postMessage(message);
}

/** True only where the answer is whole and without an error; an empty answer is none. */
function succeeded(answer: Buffer): boolean {
  let type = 0;
  for (let at = 0; at < answer.length; at += 1 + answer.readInt32BE(at + 1)) {
    type = answer[at] ?? 0;
    if (type === ERROR_RESPONSE) return false;
  }
  return type === READY_FOR_QUERY;
}

/** The whole answer. By the streaming call: after one, the engine's plain call answers with nothing. */
async function answerTo(db: PGlite, bytes: Uint8Array): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await db.execProtocolRawStream(bytes, { onRawData: (data) => parts.push(data.slice()) });
  return Buffer.concat(parts);
}

async function run(db: PGlite, request: EngineRequest & { kind: "run" }): Promise<void> {
  const { id, prelude, bytes } = request;
  if (prelude !== undefined) {
    const answer = await answerTo(db, prelude);
    if (!succeeded(answer)) return reply({ kind: "done", id, refused: answer });
  }
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const send = (): void => {
    if (heldBytes > 0) reply({ kind: "chunk", id, bytes: Buffer.concat(held) });
    held = [];
    heldBytes = 0;
  };
  await db.execProtocolRawStream(bytes, {
    onRawData: (data) => {
      held.push(data.slice()); // the engine uses its buffer again
      heldBytes += data.length;
      if (heldBytes >= CHUNK_BYTES) send();
    },
  });
  send();
  return reply({ kind: "done", id });
}

async function dump(db: PGlite, id: number): Promise<void> {
  const file = await db.dumpDataDir("gzip");
  reply({ kind: "chunk", id, bytes: new Uint8Array(await file.arrayBuffer()) });
  reply({ kind: "done", id });
}

if (snapshot !== undefined) unpackTarball(snapshot, dataDir);
const db = await PGlite.create({ dataDir, extensions: { vector } });
const version = await db.query<{ server_version: string }>("show server_version");

let last: Promise<void> = Promise.resolve();
port.on("message", (request: EngineRequest) => {
  // A rejection ends the thread: the host sees it exit, drops the connections and opens the database anew.
  last = last.then(async () => {
    if (request.kind === "run") return run(db, request);
    if (request.kind === "dump") return dump(db, request.id);
    await db.close();
    reply({ kind: "stopped" });
    return port.close();
  });
});
reply({ kind: "ready", serverVersion: must(version.rows[0], "a version").server_version });
