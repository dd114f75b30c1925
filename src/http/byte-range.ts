/** Bytes of a file, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * What a Range header asks of a file of so many bytes: one range; `unsatisfiable`; or undefined for what is to be ignored
 * (no header, another unit, several ranges, nonsense), as RFC 9110 section 14.2 has it.
 */
export function byteRange(header: string | null, size: number): ByteRange | "unsatisfiable" | undefined {
  const suffix = /^bytes=-(\d{1,15})$/.exec(header ?? "")?.[1];
  const [, from, to] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (suffix === undefined && from === undefined) return undefined;
  const first = suffix === undefined ? Number(from) : Math.max(0, size - Number(suffix));
  const end = to === undefined || to === "" ? Number.POSITIVE_INFINITY : Number(to);
  if (end < first) return undefined;
  return first >= size ? "unsatisfiable" : { first, last: Math.min(end, size - 1) };
}

/** Those bytes of what comes piece by piece; reads no further than it must. */
export async function* cutToRange(pieces: AsyncIterable<Uint8Array>, { first, last }: ByteRange): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, first - at), Math.max(0, last + 1 - at));
    if (part.length > 0) yield part;
    at += piece.length;
    if (at > last) return;
  }
}

/** Bytes of a part that are held while the whole is written. */
const SPOOL_BYTES = 4 * 2 ** 20;

/** Takes the part that a header asks for out of a file whose size is known only at its end. */
export interface Spool {
  add(piece: Uint8Array): void;
  /** The part; undefined where it was too large to be held, or nothing was added. */
  take(): Uint8Array<ArrayBuffer> | undefined;
}

export function spool(header: string, maxBytes: number = SPOOL_BYTES): Spool {
  const asked = byteRange(header, Number.MAX_SAFE_INTEGER);
  if (typeof asked !== "object") return { add: () => undefined, take: () => undefined };
  return header.startsWith("bytes=-") ? lastBytes(asked.last - asked.first + 1, maxBytes) : bytesWithin(asked, maxBytes);
}

/** Holds what lies in a range that is known beforehand, but for where the file ends. */
function bytesWithin({ first, last }: ByteRange, maxBytes: number): Spool {
  let held: Uint8Array[] | undefined = [];
  let heldBytes = 0;
  let size = 0;
  return {
    add: (piece) => {
      const part = piece.slice(Math.max(0, first - size), Math.max(0, last + 1 - size));
      size += piece.length;
      heldBytes += part.length;
      if (heldBytes > maxBytes) held = undefined;
      held?.push(part);
    },
    take: () => (held === undefined || size === 0 ? undefined : new Uint8Array(Buffer.concat(held))),
  };
}

/** Holds the last so many bytes at any time, since any may be the file's last. */
function lastBytes(count: number, maxBytes: number): Spool {
  if (count > maxBytes) return { add: () => undefined, take: () => undefined };
  let held: Uint8Array = new Uint8Array();
  let size = 0;
  return {
    add: (piece) => {
      size += piece.length;
      held = Buffer.concat([held, piece.slice(-count)]).subarray(-count);
    },
    take: () => (size === 0 ? undefined : new Uint8Array(held)),
  };
}
