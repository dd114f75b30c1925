import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { must } from "../../src/must.ts";
import { kidOf, open, seal, type Place } from "../../src/secrets/envelope.ts";
import { keyFile } from "../../src/secrets/key-file.ts";
import { parseKeyRing } from "../../src/secrets/key-ring.ts";
import { keyedHash, randomName, randomSecret, sameHash } from "../../src/secrets/keyed-hash.ts";

const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");
const OLD = parseKeyRing(`old:${key(1)}`);
const BOTH = parseKeyRing(`new:${key(2)}, old:${key(1)}`);
const NEW = parseKeyRing(`new:${key(2)}`);
const PLACE: Place = { tenantId: 7, table: "instance_credential", column: "envelope", rowId: "jira" };
const SECRET = "canary-5f1d2c";

/** The error of `work`, which must be one of ours and hold no secret. */
function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain(SECRET);
    return error;
  }
  throw new Error("nothing was refused");
}

test("what is sealed is opened again, by any key of the ring, and is sealed with the primary", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (secret) => {
      expect(open(BOTH, PLACE, seal(OLD, PLACE, secret))).toBe(secret);
    }),
  );
  const sealed = seal(BOTH, PLACE, SECRET);
  expect(sealed).toMatch(/^v2\.new\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/);
  expect(sealed).not.toContain(SECRET);
  expect(kidOf(sealed)).toBe("new");
  expect(kidOf("gAAAA")).toBeUndefined();
  expect(seal(BOTH, PLACE, SECRET)).not.toBe(sealed);
});

test.each([
  ["another tenant's row", { tenantId: 8 }],
  ["another table", { table: "other" }],
  ["another column", { column: "other" }],
  ["another row", { rowId: "jira2" }],
  ["a row whose name runs into its table's", { table: "instance_credential|envelope", column: "jira", rowId: "" }],
])("an envelope moved to %s stays shut", (_what, moved) => {
  const error = refusal(() => open(BOTH, { ...PLACE, ...moved }, seal(BOTH, PLACE, SECRET)));
  expect(error).toMatchObject({ code: "INTERNAL", message: expect.stringContaining("changed, or moved") });
});

test("no changed letter of an envelope is accepted", () => {
  const sealed = seal(OLD, PLACE, SECRET);
  const decoded = (text: string): string =>
    text
      .split(".")
      .map((part, at) => (at < 2 ? part : Buffer.from(part, "base64url").toString("hex")))
      .join(".");
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
    // The last letter of a part may hold bits that no byte is made of.
    if (decoded(changed) === decoded(sealed)) continue;
    expect(refusal(() => open(OLD, PLACE, changed)).code, changed).toMatch(/^(INTERNAL|UNAVAILABLE)$/);
  }
  for (const other of ["", "v2", "v2.old...", sealed.replace("v2", "v1"), `${sealed}.`, sealed.slice(0, -22)])
    expect(refusal(() => open(OLD, PLACE, other)).code, other).toBe("INTERNAL");
});

test("a key that is not in the ring is named, with what to do", () => {
  expect(refusal(() => open(NEW, PLACE, seal(OLD, PLACE, SECRET)))).toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("the key old"),
    details: { next: expect.stringContaining("METRICGATE_SECRET_KEYS") },
  });
  const other = parseKeyRing(`old:${key(9)}`);
  expect(refusal(() => open(other, PLACE, seal(OLD, PLACE, SECRET))).code).toBe("INTERNAL");
});

test("uses of a key do not share one", () => {
  const [envelope, hash] = (["envelope", "api-key-hash"] as const).map((purpose) =>
    must(OLD.derived("old", purpose), purpose).export().toString("hex"),
  );
  expect(new Set([envelope, hash, Buffer.alloc(32, 1).toString("hex")]).size).toBe(3);
});

test.each(["", "k", "k:", `k:${key(1).slice(4)}`, `K:${key(1)}`, `:${key(1)}`, `a:${key(1)},`, `a:${key(1)},a:${key(2)}`, `a:${SECRET}`])(
  "a ring written as %j is refused without being repeated",
  (text) => {
    const error = refusal(() => parseKeyRing(text));
    expect(error).toMatchObject({ code: "SPEC_INVALID", details: { next: expect.stringContaining("kid:key") } });
    expect(error.message).not.toContain(key(1));
  },
);

test("the embedded database's ring is made once, for its owner only", () => {
  const folder = mkdtempSync(join(tmpdir(), "metricgate-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "data");
  const text = keyFile(dataDir);
  expect(keyFile(dataDir)).toBe(text);
  expect(parseKeyRing(text).kids).toHaveLength(1);
  expect(readdirSync(dataDir)).toEqual(["secret-keys"]);
  expect(statSync(join(dataDir, "secret-keys")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(dataDir, "secret-keys"), "utf8").trim()).toBe(text);
  chmodSync(join(dataDir, "secret-keys"), 0o644);
  expect(refusal(() => keyFile(dataDir))).toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("read by others") });
  mkdirSync(join(folder, "other", "secret-keys"), { recursive: true, mode: 0o700 });
  expect(refusal(() => keyFile(join(folder, "other")))).toMatchObject({ code: "UNAVAILABLE" });
});

test("a keyed hash needs the key, and the whole text", () => {
  const hash = must(keyedHash(BOTH, "old", "text"), "a hash");
  expect(sameHash(hash, must(keyedHash(OLD, "old", "text"), "a hash"))).toBe(true);
  expect(sameHash(hash, must(keyedHash(BOTH, "new", "text"), "a hash"))).toBe(false);
  expect(sameHash(hash, must(keyedHash(BOTH, "old", "texts"), "a hash"))).toBe(false);
  expect(sameHash(hash, hash.subarray(1))).toBe(false);
  expect(keyedHash(NEW, "old", "text")).toBeUndefined();
  expect(randomSecret()).toMatch(/^[\w-]{43}$/);
  expect(randomName()).toMatch(/^[0-9a-f]{16}$/);
});
