import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFernet, writeFernet } from "../../src/secrets/fernet.ts";

/** The vectors that the Fernet specification publishes, as they are. */
interface Vector {
  readonly desc?: string;
  readonly token: string;
  readonly now: string;
  readonly ttl_sec?: number;
  readonly iv?: readonly number[];
  readonly src?: string;
  readonly secret: string;
}
const vectors = (name: string): readonly Vector[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, `fernet-${name}.json`), "utf8")) as Vector[];
const readingOf = ({ now, ttl_sec: ttlSeconds }: Vector) => ({ now: new Date(now), ...(ttlSeconds === undefined ? {} : { ttlSeconds }) });
const REFUSED = { code: "SPEC_INVALID", message: "The Fernet token cannot be read: it is damaged, too old, or made with another key." };

describe("the specification's vectors", () => {
  test("all of them are here", () => {
    expect(["generate", "verify", "invalid"].map((name) => vectors(name).length)).toEqual([1, 1, 8]);
  });

  test.each(vectors("generate"))("generate", (vector) => {
    const { secret, src = "", now, iv = [], token } = vector;
    expect(writeFernet(secret, src, { now: new Date(now), iv: Buffer.from(iv) })).toBe(token);
  });

  test.each(vectors("verify"))("verify", (vector) => {
    expect(readFernet(vector.secret, vector.token, readingOf(vector))).toBe(vector.src);
  });

  test.each(vectors("invalid"))("invalid: $desc", (vector) => {
    expect(() => readFernet(vector.secret, vector.token, readingOf(vector))).toThrow(expect.objectContaining(REFUSED));
  });
});

const KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

test("what is written is read again, and no changed letter of it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(), (text, at) => {
      const token = writeFernet(KEY, text);
      expect(readFernet(KEY, token)).toBe(text);
      const place = at % token.length;
      const changed = `${token.slice(0, place)}${token[place] === "A" ? "B" : "A"}${token.slice(place + 1)}`;
      expect(() => readFernet(KEY, changed)).toThrow(expect.objectContaining(REFUSED));
      expect(() => readFernet(KEY, token.slice(0, place))).toThrow(expect.objectContaining(REFUSED));
    }),
    { numRuns: 200 },
  );
});

test.each([
  ["without padding", (token: string) => token.replace(/=+$/, "")],
  ["in the other base64", (token: string) => `${token.slice(0, -1)}+`],
  ["with a line break", (token: string) => `${token}\n`],
  ["with text behind", (token: string) => `${token}AAAA`],
  ["of another version", (token: string) => `Q${token.slice(1)}`],
  ["made with another key", () => writeFernet(Buffer.alloc(32, 7).toString("base64").replaceAll("+", "-").replaceAll("/", "_"), "x")],
])("a token %s is refused", (_what, spoil) => {
  expect(() => readFernet(KEY, spoil(writeFernet(KEY, "hello")))).toThrow(expect.objectContaining(REFUSED));
});

test.each(["", "short", `${KEY}x`, KEY.slice(0, -1)])("a key that is none is refused without being repeated: %j", (key) => {
  const refusal = expect.objectContaining({ code: "SPEC_INVALID", message: "The Fernet key is not the base64url of 32 bytes." });
  expect(() => readFernet(key, "x")).toThrow(refusal);
  expect(() => writeFernet(key, "x")).toThrow(refusal);
});
