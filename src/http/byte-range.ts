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
