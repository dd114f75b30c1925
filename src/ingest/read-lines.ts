import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";

/** A line of a file, counted from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** Most characters of one line; a longer one is no row of any tracker. */
export const MAX_LINE_CHARS = 64 * 1024 * 1024;

/**
 * The text of a file in chunks, unpacked where it ends in `.gz`; broken UTF-8 becomes U+FFFD.
 * Throws the file system's or the unpacker's error.
 */
export async function* readText(path: string): AsyncGenerator<string> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const bytes = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  // pipe() hands on no errors: a missing file would leave the unpacker waiting forever.
  if (bytes !== file) file.on("error", (error) => bytes.destroy(error));
  const decoder = new TextDecoder("utf-8");
  try {
    for await (const chunk of bytes) yield decoder.decode(chunk as Buffer, { stream: true });
  } finally {
    file.destroy();
    bytes.destroy();
  }
  const rest = decoder.decode();
  if (rest !== "") yield rest;
}

/** The lines of a file, without ends, blank ones left out. Splits at \n only: U+2028 is legal inside JSON text. */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let number = 0;
  let pending: string[] = [];
  let pendingChars = 0;
  for await (const chunk of readText(path)) {
    let from = 0;
    for (let end = chunk.indexOf("\n"); end !== -1; end = chunk.indexOf("\n", from)) {
      pending.push(chunk.slice(from, end));
      from = end + 1;
      number += 1;
      const text = pending.join("");
      pending = [];
      pendingChars = 0;
      if (text.trim() !== "") yield { number, text };
    }
    pending.push(chunk.slice(from));
    pendingChars += chunk.length - from;
    if (pendingChars > MAX_LINE_CHARS) throw new Error(`line ${number + 1} is longer than ${MAX_LINE_CHARS} characters`);
  }
  const text = pending.join("");
  if (text.trim() !== "") yield { number: number + 1, text };
}
