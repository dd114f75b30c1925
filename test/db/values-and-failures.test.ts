import { createHmac, pbkdf2Sync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { rewrite } from "../../src/db/embedded/rewrite.ts";
import { unpackTarball } from "../../src/db/embedded/tarball.ts";
import { frame } from "../../src/db/embedded/wire.ts";
import { databaseError, isConnectionLost } from "../../src/db/failures.ts";
import { scramVerifier } from "../../src/db/scram.ts";
import { instantText, int8Value } from "../../src/db/value-parsers.ts";
import { AppError } from "../../src/errors.ts";

const coded = (code: string): Error => Object.assign(new Error("column secret of tenant 8"), { code });

test("instants become ISO text with milliseconds", () => {
  expect(instantText("2026-01-02 03:04:05.678901+00")).toBe("2026-01-02T03:04:05.678Z");
  expect(instantText("2026-01-02 03:04:05+00")).toBe("2026-01-02T03:04:05.000Z");
  expect(instantText("2026-01-02 03:04:05.6+00")).toBe("2026-01-02T03:04:05.600Z");
  for (const odd of ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "12026-01-02 03:04:05+00", "2026-01-02 03:04:05+02"]) {
    expect(instantText(odd)).toBe(odd);
  }
});

test("an int8 is a number where that is exact", () => {
  expect([int8Value("9007199254740991"), int8Value("-3"), int8Value("9007199254740992")]).toEqual([
    9007199254740991,
    -3,
    "9007199254740992",
  ]);
});

test.each([
  ["57014", "TIMEOUT"],
  ["53300", "BUSY"],
  ["55P03", "BUSY"],
  ["57P01", "UNAVAILABLE"],
  ["08006", "UNAVAILABLE"],
  ["ECONNREFUSED", "UNAVAILABLE"],
  ["28P01", "UNAVAILABLE"],
  ["3D000", "UNAVAILABLE"],
  ["42501", "INTERNAL"],
  ["22012", "INTERNAL"],
])("%s becomes %s, and its text stays inside", (code, expected) => {
  const cause = coded(code);
  const error = databaseError(cause);
  expect(error).toMatchObject({ code: expected, cause });
  expect(`${error.message} ${error.details.next}`).not.toMatch(/secret|tenant 8/);
});

test("what has no code is told by its text, and our own end of a statement by who ended it", () => {
  expect(databaseError(new Error("timeout exceeded when trying to connect")).code).toBe("BUSY");
  expect(databaseError(new Error("Connection terminated due to connection timeout")).code).toBe("BUSY");
  expect(databaseError(new Error("Connection terminated unexpectedly")).code).toBe("UNAVAILABLE");
  expect(databaseError("odd").code).toBe("INTERNAL");
  expect(databaseError(coded("57014"), "caller").code).toBe("CANCELLED");
  expect(databaseError(new Error("Connection terminated"), "deadline").code).toBe("TIMEOUT");
  expect(databaseError(coded("55P03"), "deadline").code).toBe("BUSY");
  const own = new AppError("NOT_FOUND", "x");
  expect(databaseError(own, "caller")).toBe(own);
  expect(isConnectionLost(coded("42501"))).toBe(false);
});

test("a verifier is the one of RFC 5803", () => {
  const salt = Buffer.from("0123456789abcdef");
  const [, salted, keys] = scramVerifier("pencil", salt).split("$");
  expect(salted).toBe(`4096:${salt.toString("base64")}`);
  const serverKey = createHmac("sha256", pbkdf2Sync("pencil", salt, 4096, 32, "sha256"))
    .update("Server Key")
    .digest("base64");
  expect(keys?.split(":")[1]).toBe(serverKey);
});

test("names are prefixed, comments do not hide a LISTEN, and nothing else is touched", () => {
  const plain = frame("Q", "select 'listen x', 1 -- unlisten y");
  expect(rewrite(plain, "v1_")).toEqual({ message: plain });
  expect(rewrite(frame("Q", '/* a\nb */ -- c\nLISTEN "A ""b"""; listen Two'), "v1_").listens).toEqual(['A "b"', "two"]);
  expect(rewrite(frame("P", "", "unlisten *", Buffer.alloc(2)), "v1_")).toMatchObject({ unlistens: "*" });
  expect(rewrite(frame("P", "s", "select 1", Buffer.alloc(2)), "v1_").message).toEqual(frame("P", "v1_s", "select 1", Buffer.alloc(2)));
  expect(rewrite(frame("B", "portal", "s", Buffer.alloc(6)), "v1_").message).toEqual(frame("B", "portal", "v1_s", Buffer.alloc(6)));
  expect(rewrite(frame("C", Buffer.from("S"), "s"), "v1_")).toMatchObject({ closes: "v1_s" });
  const portal = frame("D", Buffer.from("P"), "s");
  expect(rewrite(portal, "v1_").message).toBe(portal);
  expect(rewrite(frame("Q", "copy t (a, b) from stdin csv"), "v1_").copiesIn).toBe(true);
  expect(rewrite(frame("Q", "copy t to stdout"), "v1_").copiesIn).toBeUndefined();
});

function tarEntry(name: string, type: string, body = "", prefix = ""): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(body.length.toString(8).padStart(11, "0"), 124);
  header.write(type, 156);
  header.write(prefix, 345);
  return Buffer.concat([header, Buffer.from(body), Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

test("an archive unpacks to its files, and never outside its folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "metricgate-tar-"));
  const pack = (...entries: Buffer[]): Buffer => gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
  unpackTarball(pack(tarEntry("/base", "5"), tarEntry("one", "0", "text", "base"), tarEntry("empty", "0")), folder);
  expect(readFileSync(join(folder, "base/one"), "utf8")).toBe("text");
  expect(readFileSync(join(folder, "empty"), "utf8")).toBe("");
  expect(() => unpackTarball(pack(tarEntry("../out", "0", "x")), folder)).toThrow(/archive/);
  expect(() => unpackTarball(pack(tarEntry("link", "2")), folder)).toThrow(/archive/);
  rmSync(folder, { recursive: true });
});
