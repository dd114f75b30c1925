/** Writes src/chart/inter-advances.ts, the widths of the bundled typeface's characters, from assets/fonts: `node scripts/font-advances.ts`. */
import { readFileSync, writeFileSync } from "node:fs";

const FONTS = new URL("../assets/fonts/", import.meta.url);
const FILE = new URL("../src/chart/inter-advances.ts", import.meta.url);
/** Latin, Greek, Cyrillic, punctuation, currency, arrows, mathematics, shapes: what labels are mostly made of. */
const RANGES = [
  [0x20, 0x24f],
  [0x370, 0x52f],
  [0x2010, 0x2044],
  [0x20a0, 0x20bf],
  [0x2190, 0x2199],
  [0x2212, 0x2215],
  [0x25a0, 0x25cf],
] as const;

/** Runs of `first code point: advances…`, so that the table stays short. */
function advancesOf(file: string): { unitsPerEm: number; runs: string[] } {
  const bytes = readFileSync(new URL(file, FONTS));
  const tables = tablesOf(bytes);
  const at = (name: string): number => tables.get(name) ?? 0;
  const glyphOf = characterMap(bytes, at("cmap"));
  const metrics = bytes.readUInt16BE(at("hhea") + 34);
  const advanceOf = (glyph: number): number => bytes.readUInt16BE(at("hmtx") + 4 * Math.min(glyph, metrics - 1));
  const runs = RANGES.map(([from, to]) => {
    const glyphs = Array.from({ length: to - from + 1 }, (_, index) => glyphOf(from + index));
    return `[${from}, "${glyphs.map((glyph) => (glyph === 0 ? "" : advanceOf(glyph))).join(",")}"],`;
  });
  return { unitsPerEm: bytes.readUInt16BE(at("head") + 18), runs };
}

/** Where each table of an OpenType file begins. */
function tablesOf(bytes: Buffer): Map<string, number> {
  const count = bytes.readUInt16BE(4);
  return new Map(
    Array.from({ length: count }, (_, index) => [
      bytes.toString("latin1", 12 + 16 * index, 16 + 16 * index),
      bytes.readUInt32BE(20 + 16 * index),
    ]),
  );
}

/** Reads the `cmap` subtable of format 4, which has the basic plane; 0 is a character that the font lacks. */
function characterMap(bytes: Buffer, cmap: number): (codePoint: number) => number {
  const tables = Array.from({ length: bytes.readUInt16BE(cmap + 2) }, (_, index) => cmap + bytes.readUInt32BE(cmap + 8 + 8 * index));
  const table = tables.find((each) => bytes.readUInt16BE(each) === 4);
  if (table === undefined) throw new Error("the font has no character map of format 4");
  const segments = bytes.readUInt16BE(table + 6) / 2;
  const word = (list: number, index: number): number =>
    bytes.readUInt16BE(table + 14 + 2 * (list * segments + index) + (list === 0 ? 0 : 2));
  return (codePoint) => {
    for (let index = 0; index < segments; index += 1) {
      if (word(0, index) < codePoint) continue;
      const [start, delta, range] = [word(1, index), word(2, index), word(3, index)];
      if (start > codePoint) return 0;
      if (range === 0) return (codePoint + delta) & 0xffff;
      const place = table + 16 + 2 * (3 * segments + index) + range + 2 * (codePoint - start);
      const glyph = bytes.readUInt16BE(place);
      return glyph === 0 ? 0 : (glyph + delta) & 0xffff;
    }
    return 0;
  };
}

function face(name: string, file: string): string {
  const { unitsPerEm, runs } = advancesOf(file);
  return `  ${name}: faceOf(${unitsPerEm}, [\n    ${runs.join("\n    ")}\n  ]),`;
}

const text = `// Made by scripts/font-advances.ts from assets/fonts; do not edit.

/** Widths of a typeface's characters, in its own units. */
export interface Face {
  readonly unitsPerEm: number;
  /** By code point; what is missing, the typeface does not have. */
  readonly advances: ReadonlyMap<number, number>;
}

/** The bundled typeface, Inter. */
export const FACES: { readonly regular: Face; readonly semiBold: Face } = {
${face("regular", "Inter-Regular.ttf")}
${face("semiBold", "Inter-SemiBold.ttf")}
};

function faceOf(unitsPerEm: number, runs: readonly (readonly [number, string])[]): Face {
  const advances = new Map<number, number>();
  for (const [first, list] of runs) {
    for (const [index, width] of list.split(",").entries()) if (width !== "") advances.set(first + index, Number(width));
  }
  return { unitsPerEm, advances };
}
`;
writeFileSync(FILE, text);
