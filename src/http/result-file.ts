import { type ExportFormat, exportWriter } from "../result/export.ts";
import type { Result } from "../result/result.ts";
import { must } from "../must.ts";
import { type ByteRange, byteRange, cutToRange, spool } from "./byte-range.ts";

/** A result that is written as a file. */
export interface FileSource {
  readonly id: string;
  readonly format: ExportFormat;
  /** Its first page, which the caller may have. */
  readonly first: Result;
  /** Its later pages. Throws AppError. */
  readonly pageAt: (cursor: string) => Promise<Result>;
}

/** Some bytes of a file of so many. */
export interface FilePart {
  readonly range: ByteRange;
  readonly size: number;
  readonly bytes: AsyncGenerator<Uint8Array>;
}

/** Where a page's bytes begin: behind so many bytes and rows. */
interface PageStart {
  readonly at: number;
  readonly rows: number;
  /** Null of the first page. */
  readonly cursor: string | null;
}

/** How a file that was written once is laid out: it never changes, so that a part of it needs its own pages alone. */
interface Layout {
  readonly size: number;
  readonly starts: readonly PageStart[];
}

const BEGINNING: PageStart = { at: 0, rows: 0, cursor: null };

/** Layouts that are remembered; a few hundred bytes each. */
const REMEMBERED = 1_000;

/** Writes results as files and remembers how long they are, and where their pages begin. */
export interface ResultFiles {
  /** The whole file, piece by piece. */
  whole(source: FileSource): AsyncGenerator<Uint8Array>;
  /**
   * The part that a Range header asks for; undefined where it is to be ignored. A file whose size is not known is written for it once, of
   * which a part of up to 4 MB is taken at the same time; a larger one then has its own pages written.
   */
  part(header: string, source: FileSource): Promise<FilePart | { readonly unsatisfiableOf: number } | undefined>;
}

export function resultFiles(): ResultFiles {
  const layouts = new Map<string, Layout>();
  const keyOf = ({ id, format }: FileSource): string => `${id}.${format}`;
  const remember = (source: FileSource) => (layout: Layout) => {
    layouts.set(keyOf(source), layout);
    const [oldest] = layouts.keys();
    if (layouts.size > REMEMBERED && oldest !== undefined) layouts.delete(oldest);
  };
  return {
    whole: (source) => pieces(source, BEGINNING, remember(source)),
    part: async (header, source) => {
      // Nothing is written for what is to be ignored, whatever the size.
      if (byteRange(header, Number.MAX_SAFE_INTEGER) === undefined) return undefined;
      const taken = spool(header);
      const key = keyOf(source);
      if (!layouts.has(key)) for await (const piece of pieces(source, BEGINNING, remember(source))) taken.add(piece);
      const { size, starts } = must(layouts.get(key), "the file's layout");
      const range = byteRange(header, size);
      if (range === undefined) return undefined;
      if (range === "unsatisfiable") return { unsatisfiableOf: size };
      const ready = taken.take();
      return { range, size, bytes: ready === undefined ? written(source, starts, range) : once(ready) };
    },
  };
}

/** A part, of its own pages alone where the format allows that. */
function written(source: FileSource, starts: readonly PageStart[], { first, last }: ByteRange): AsyncGenerator<Uint8Array> {
  const nearest = source.format === "parquet" ? undefined : starts.findLast(({ at }) => at <= first);
  const begin = nearest ?? BEGINNING;
  return cutToRange(pieces(source, begin), { first: first - begin.at, last: last - begin.at });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* pieces(
  { format, first, pageAt }: FileSource,
  begin: PageStart,
  onEnd?: (layout: Layout) => void,
): AsyncGenerator<Uint8Array> {
  const writer = await exportWriter(format, first);
  const starts: PageStart[] = [];
  let { at, rows, cursor } = begin;
  if (rows > 0) writer.skip?.(rows);
  for (let isFirst = true; isFirst || cursor !== null; isFirst = false) {
    const page = cursor === null ? first : await pageAt(cursor);
    starts.push({ at, rows, cursor });
    const piece = writer.page(page);
    yield piece;
    at += piece.length;
    rows += page.data.rows.length;
    cursor = page.data.next_cursor;
  }
  const end = writer.end();
  yield end;
  onEnd?.({ size: at + end.length, starts });
}
