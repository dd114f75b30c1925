import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import type { PoolClient } from "pg";
import { must } from "../must.ts";

const CANCEL_REQUEST = 80877102;

/** What pg keeps of a connection and its types do not tell. */
interface Wire {
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly connection: { readonly stream: Duplex };
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean | tls.ConnectionOptions;
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

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Cancels on the server that a client is on, with TLS where the client uses it: the statement ends, not only our wait. */
export function cancelOverWire(client: PoolClient): void {
  const { host, port, ssl } = wireOf(client);
  const request = cancelRequestOf(client);
  const socket = host.startsWith("/") ? net.connect(`${host}/.s.PGSQL.${port}`) : net.connect(port, host);
  if (ssl === false) return sendCancelRequest(socket, request);
  socket.on("error", () => socket.destroy());
  socket.write(SSL_REQUEST);
  socket.once("data", (answer) => {
    if (answer.toString("latin1") !== "S") return void socket.destroy();
    const servername = net.isIP(host) === 0 ? { servername: host } : {};
    const options = typeof ssl === "object" ? ssl : {};
    return sendCancelRequest(tls.connect({ ...servername, ...options, socket }), request);
  });
  return undefined;
}

/** Cuts the connection at once; whatever waits on it rejects. */
export function cutConnection(client: PoolClient): void {
  wireOf(client).connection.stream.destroy();
}
