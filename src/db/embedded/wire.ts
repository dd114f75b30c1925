/** Bytes of the PostgreSQL wire protocol, version 3: what the mux must read and write itself. */

export const STARTUP_VERSION = 196608;
export const SSL_REQUEST = 80877103;
export const GSS_REQUEST = 80877104;
export const CANCEL_REQUEST = 80877102;

/** Message types a client may send after start-up; the engine loops for ever on any other. */
const FRONTEND_TYPES = new Set("QPBEDCSHFXdcf");

export function isFrontendType(type: string): boolean {
  return FRONTEND_TYPES.has(type);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** One message: type, length, body; text parts are zero-terminated. */
export function frame(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(`${part}\0`) : part)));
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

export function query(sql: string): Buffer {
  return frame("Q", sql);
}

export function readyForQuery(): Buffer {
  return frame("Z", Buffer.from("I"));
}

/** An ErrorResponse with the fields that a client reads. */
export function errorResponse(severity: "ERROR" | "FATAL", code: string, message: string): Buffer {
  return frame("E", `S${severity}`, `V${severity}`, `C${code}`, `M${message}`, Buffer.from([0]));
}

/** Cuts complete messages (type byte, length, body) off a growing buffer. */
export function splitFrames(bytes: Buffer): { readonly frames: readonly Buffer[]; readonly rest: Buffer } {
  const frames: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= 5) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) break;
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

export function typeOf(message: Buffer): string {
  return String.fromCharCode(message[0] ?? 0);
}

/** The zero-terminated text at `from`, and where the next field starts. */
export function textAt(message: Buffer, from: number): { readonly text: string; readonly next: number } {
  const end = message.indexOf(0, from);
  return { text: message.toString("utf8", from, end), next: end + 1 };
}

/** Texts of a DataRow's columns; null where a column is null. */
export function rowTexts(message: Buffer): readonly (string | null)[] {
  const columns: (string | null)[] = [];
  let at = 7;
  for (let left = message.readInt16BE(5); left > 0; left -= 1) {
    const length = message.readInt32BE(at);
    at += 4;
    columns.push(length < 0 ? null : message.toString("utf8", at, at + length));
    at += Math.max(length, 0);
  }
  return columns;
}

/** Name and value pairs of a StartupMessage. */
export function startupParameters(message: Buffer): ReadonlyMap<string, string> {
  const fields = message.toString("utf8", 8).split("\0");
  const parameters = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length && fields[i] !== ""; i += 2) parameters.set(fields[i] ?? "", fields[i + 1] ?? "");
  return parameters;
}
