import pg from "pg";

type Parser = (text: string) => unknown;

/** '2026-01-02 03:04:05.678901+00' → '2026-01-02T03:04:05.678Z'. Sessions run in UTC; infinities and BC stay as they are. */
export function instantText(text: string): string {
  if (text.length < 22 || text[10] !== " " || !text.endsWith("+00")) return text;
  const fraction = text[19] === "." ? text.slice(20, -3) : "";
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, "0").slice(0, 3)}Z`;
}

/** A number where that is exact; the digits as text where it would not be. */
export function int8Value(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}

const asText: Parser = (text) => text;

/** By type oid: what differs from pg's own reading. */
const PARSERS = new Map<number, Parser>([
  [20, int8Value], // int8
  [1700, Number], // numeric
  [1082, asText], // date
  [1114, asText], // timestamp
  [1184, instantText], // timestamptz
]);

/** Reads values as the port promises; for the `types` option of a pool or a query. */
export const VALUE_TYPES = {
  getTypeParser(oid: number, format?: "text" | "binary"): Parser {
    const own = format === "binary" ? undefined : PARSERS.get(oid);
    return own ?? (pg.types.getTypeParser(oid, format as "text") as Parser);
  },
} as unknown as { readonly getTypeParser: typeof pg.types.getTypeParser };
