import fc from "fast-check";
import { expect, test } from "vitest";
import { byteRange, cutToRange, spool } from "../../src/http/byte-range.ts";

test.each([
  ["bytes=0-4", { first: 0, last: 4 }],
  ["bytes=5-", { first: 5, last: 9 }],
  ["bytes=-3", { first: 7, last: 9 }],
  ["bytes=-30", { first: 0, last: 9 }],
  ["bytes=9-99", { first: 9, last: 9 }],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=5-4", undefined],
  ["bytes=-", undefined],
  ["bytes=0-1,3-4", undefined],
  ["lines=0-1", undefined],
  ["bytes=a-b", undefined],
  [null, undefined],
] as const)("%s of ten bytes", (header, range) => {
  expect(byteRange(header, 10)).toEqual(range);
});

test("nothing of an empty file can be had", () => expect(byteRange("bytes=0-", 0)).toBe("unsatisfiable"));

test("a part is the same bytes whatever the pieces are, and no piece after it is asked for", async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 9 }), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(80), fc.nat(80), async (parts, a, b) => {
      const whole = Buffer.concat(parts);
      fc.pre(whole.length > 0);
      const range = { first: a % whole.length, last: Math.min((a % whole.length) + b, whole.length - 1) };
      let asked = 0;
      async function* source(): AsyncGenerator<Uint8Array> {
        for (const part of parts) {
          asked += part.length;
          yield part;
        }
      }
      const got: Uint8Array[] = [];
      for await (const part of cutToRange(source(), range)) got.push(part);
      expect(Buffer.concat(got)).toEqual(whole.subarray(range.first, range.last + 1));
      expect(asked - 9).toBeLessThanOrEqual(range.last + 1);
    }),
  );
});

test("a part is taken out of a file while it is written, or is too large for that", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 9 }), { minLength: 1, maxLength: 9 });
  const bound = fc.nat(90);
  const header = fc.oneof(
    fc.tuple(bound, bound).map(([a, b]) => `bytes=${a}-${a + b}`),
    bound.map((a) => `bytes=${a}-`),
    bound.map((n) => `bytes=-${n}`),
  );
  const MAX = 30;
  fc.assert(
    fc.property(pieces, header, (parts, asked) => {
      const whole = Buffer.concat(parts);
      const taken = spool(asked, MAX);
      for (const part of parts) taken.add(part);
      const range = byteRange(asked, whole.length);
      if (typeof range !== "object") return;
      const got = taken.take();
      const isSmall = range.last - range.first < MAX && !(asked.startsWith("bytes=-") && Number(asked.slice(7)) > MAX);
      expect(got === undefined ? undefined : Buffer.from(got)).toEqual(isSmall ? whole.subarray(range.first, range.last + 1) : undefined);
    }),
    { numRuns: 1_000 },
  );
});
