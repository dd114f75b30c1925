import type { Duplex } from "node:stream";
import { rewrite, type Rewritten } from "./rewrite.ts";
import {
  CANCEL_REQUEST,
  errorResponse,
  frame,
  GSS_REQUEST,
  isFrontendType,
  query,
  splitFrames,
  SSL_REQUEST,
  STARTUP_VERSION,
  startupParameters,
  typeOf,
} from "./wire.ts";

/** What a connection asks of the mux that it belongs to. */
export interface ConnectionHost {
  readonly onStartup: (connection: VirtualConnection) => void;
  /** A batch that ends where the client waits for an answer; COPY data travels with its statement. */
  readonly onBatch: (connection: VirtualConnection, bytes: Buffer) => void;
  readonly onCancel: (pid: number, secret: number) => void;
  readonly onClose: (connection: VirtualConnection) => void;
}

const BATCH_ENDS = new Set("QSH");
const MAX_STARTUP_BYTES = 10_000;
/** CopyInResponse: text, no columns told. */
const COPY_IN_RESPONSE = frame("G", Buffer.from([0, 0, 0]));

/** Back to the superuser and the defaults; RESET SESSION AUTHORIZATION has no effect in this engine. */
export const SESSION_RESET = "RESET ROLE;SET SESSION AUTHORIZATION postgres;RESET ALL";

/** `-c name=value` pairs of the start-up packet's options. */
function optionSettings(options: string): readonly (readonly [string, string])[] {
  return [...options.matchAll(/-c\s*([\w.]+)=((?:\\.|\S)+)/g)].map((found) => [found[1] ?? "", (found[2] ?? "").replaceAll("\\", "")]);
}

/** One client's side of the shared session: cuts its bytes into batches and keeps what is its own. */
export class VirtualConnection {
  readonly pid: number;
  readonly secret: number;
  user = "";
  /** Settings from the start-up packet, then the role's own. */
  settings: readonly (readonly [string, string])[] = [];
  readonly channels = new Set<string>();
  /** Named statements that live in the session. */
  readonly prepared = new Set<string>();
  closed = false;
  /** True between the statement of a COPY and its end. */
  copying = false;
  readonly #socket: Duplex;
  readonly #host: ConnectionHost;
  #started = false;
  #bytes: Buffer = Buffer.alloc(0);
  #batch: Buffer[] = [];

  constructor(socket: Duplex, host: ConnectionHost, pid: number, secret: number) {
    this.#socket = socket;
    this.#host = host;
    this.pid = pid;
    this.secret = secret;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("end", () => this.close());
    socket.on("close", () => this.close());
    socket.on("error", () => this.close());
  }

  /** Puts the session into this connection's shape; run when the session changes hands. */
  get prelude(): Buffer {
    const sets = this.settings.map(([name, value]) => `SET ${name} = '${value.replaceAll("'", "''")}';`).join("");
    return query(`${SESSION_RESET};${sets}SET SESSION AUTHORIZATION "${this.user.replaceAll('"', '""')}"`);
  }

  send(bytes: Buffer): void {
    if (!this.closed) this.#socket.write(bytes);
  }

  /** Tells the client why, and closes. */
  fail(code: string, message: string): void {
    this.send(errorResponse("FATAL", code, message));
    this.close();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#socket.end();
    this.#host.onClose(this);
  }

  #receive(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    while (!this.#started && !this.closed) if (!this.#receiveStartup()) return;
    const { frames, rest } = splitFrames(this.#bytes);
    this.#bytes = rest;
    for (const message of frames) {
      if (this.closed) return;
      this.#receiveMessage(message);
    }
  }

  /** One packet without a type byte; false while it is incomplete. */
  #receiveStartup(): boolean {
    if (this.#bytes.length < 8) return false;
    const length = this.#bytes.readInt32BE(0);
    if (length < 8 || length > MAX_STARTUP_BYTES) {
      this.close();
      return false;
    }
    if (this.#bytes.length < length) return false;
    const packet = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    const kind = packet.readInt32BE(4);
    if (kind === SSL_REQUEST || kind === GSS_REQUEST) {
      this.send(Buffer.from("N"));
      return true;
    }
    if (kind === CANCEL_REQUEST && length === 16) {
      this.#host.onCancel(packet.readInt32BE(8), packet.readInt32BE(12));
      this.close();
      return false;
    }
    if (kind !== STARTUP_VERSION) {
      this.fail("0A000", "unsupported protocol version");
      return false;
    }
    const parameters = startupParameters(packet);
    this.user = parameters.get("user") ?? "";
    this.settings = optionSettings(parameters.get("options") ?? "");
    this.#started = true;
    this.#host.onStartup(this);
    return true;
  }

  #receiveMessage(message: Buffer): void {
    const type = typeOf(message);
    if (type === "X") return this.close();
    if (!isFrontendType(type)) return this.fail("08P01", "invalid frontend message type");
    if (this.copying) return this.#receiveCopy(message, type);
    const rewritten = rewrite(message, `v${this.pid}_`);
    this.#remember(rewritten);
    this.#batch.push(rewritten.message);
    if (rewritten.copiesIn === true) {
      if (type !== "Q") return this.fail("0A000", "COPY FROM STDIN needs the simple query protocol here");
      this.copying = true;
      return this.send(COPY_IN_RESPONSE);
    }
    if (BATCH_ENDS.has(type)) this.#endBatch();
    return undefined;
  }

  /** What the message changes of the connection's own state. */
  #remember({ prepares, closes, listens, unlistens }: Rewritten): void {
    if (prepares !== undefined) this.prepared.add(prepares);
    if (closes !== undefined) this.prepared.delete(closes);
    for (const channel of listens ?? []) this.channels.add(channel);
    if (unlistens === "*") this.channels.clear();
    else if (unlistens !== undefined) this.channels.delete(unlistens);
  }

  /** The engine takes a COPY with all its data at once, so the data waits here for its end. */
  #receiveCopy(message: Buffer, type: string): void {
    if (type === "S" || type === "H") return;
    this.#batch.push(message);
    if (type === "c" || type === "f") this.#endBatch();
  }

  #endBatch(): void {
    const bytes = Buffer.concat(this.#batch);
    this.#batch = [];
    this.#host.onBatch(this, bytes);
  }
}
