import type { Duplex } from "node:stream";
import type { PoolClient } from "pg";
import { must } from "../must.ts";

const CANCEL_REQUEST = 80877102;

/** What pg keeps of a connection and its types do not tell. */
interface Wire {
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly connection: { readonly stream: Duplex };
}

function wireOf(client: PoolClient): Wire {
  return client as unknown as Wire;
}

/** The 16 bytes that ask a server to end what a connection is running. */
export function cancelRequestOf(client: PoolClient): Buffer {
  const { processID, secretKey } = wireOf(client);
  const bytes = Buffer.alloc(16);
  bytes.writeInt32BE(16, 0);
  bytes.writeInt32BE(CANCEL_REQUEST, 4);
  bytes.writeInt32BE(must(processID, "the backend's process id"), 8);
  bytes.writeInt32BE(must(secretKey, "the backend's cancel key"), 12);
  return bytes;
}

/** Sends the request on a fresh connection; the server answers by closing it. Failures are left to the deadline. */
export function sendCancelRequest(stream: Duplex, request: Buffer): void {
  stream.on("error", () => stream.destroy());
  stream.on("end", () => stream.destroy());
  stream.resume();
  stream.end(request);
}

/** Cuts the connection at once; whatever waits on it rejects. */
export function cutConnection(client: PoolClient): void {
  wireOf(client).connection.stream.destroy();
}
