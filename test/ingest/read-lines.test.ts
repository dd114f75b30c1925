import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readLines } from "../../src/ingest/read-lines.ts";
import { temporaryFiles } from "./support.ts";

async function linesOf(path: string) {
  return (await Array.fromAsync(readLines(path))).map(({ number, text }) => [number, text]);
}

test("lines are numbered, blank ones left out, U+2028 kept", async () => {
  const folder = temporaryFiles({ "a.ndjson": "one\r\n\n  \ntwo\u2028still two\nthree" });
  expect(await linesOf(join(folder, "a.ndjson"))).toEqual([
    [1, "one\r"],
    [4, "two\u2028still two"],
    [5, "three"],
  ]);
});

test("broken UTF-8 is replaced, also where a chunk ends inside a character", async () => {
  const long = "ä".repeat(300_000);
  const folder = temporaryFiles({ "a.txt": Buffer.from([0x61, 0x9d, 0x62, 0x0a, 0xc3]), "b.txt": `x${long}\ny` });
  expect(await linesOf(join(folder, "a.txt"))).toEqual([
    [1, "a\ufffdb"],
    [2, "\ufffd"],
  ]);
  expect(await linesOf(join(folder, "b.txt"))).toEqual([
    [1, `x${long}`],
    [2, "y"],
  ]);
});

test("a .gz file is unpacked; a broken or missing one fails", async () => {
  const folder = temporaryFiles({
    "a.gz": gzipSync("one\ntwo\n"),
    "broken.gz": gzipSync("one\n".repeat(9999)).subarray(0, 60),
    "plain.gz": "no",
  });
  expect(await linesOf(join(folder, "a.gz"))).toEqual([
    [1, "one"],
    [2, "two"],
  ]);
  await expect(linesOf(join(folder, "broken.gz"))).rejects.toThrow("unexpected end of file");
  await expect(linesOf(join(folder, "plain.gz"))).rejects.toThrow("incorrect header");
  await expect(linesOf(join(folder, "none.gz"))).rejects.toThrow("ENOENT");
  await expect(linesOf(join(folder, "none"))).rejects.toThrow("ENOENT");
});

test("a line without end is refused before it fills the memory", async () => {
  const folder = temporaryFiles({ "a.gz": gzipSync(Buffer.alloc(65 * 1024 * 1024, "x")) });
  await expect(linesOf(join(folder, "a.gz"))).rejects.toThrow("line 1 is longer than");
});
