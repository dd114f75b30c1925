import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { AppError } from "../errors.ts";

/** Keys by their id (kid): the primary one protects what is written now, all of them read what was written before. */
export interface KeyRing {
  readonly primary: string;
  readonly kids: readonly string[];
  /**
   * A key of 32 bytes for one purpose, derived from the ring's key of that id; undefined where the ring has no such key. As an
   * object it is made ready once: a hash under it takes 2 µs instead of 12.
   */
  readonly derived: (kid: string, purpose: Purpose) => KeyObject | undefined;
}

/** What a derived key may be used for: no two uses share one. */
export type Purpose = "envelope" | "api-key-hash";

/** How a ring is written, in the setting and in the file: `kid:base64` of 32 bytes, the primary first. */
const ENTRY = /^(?<kid>[a-z0-9][a-z0-9-]{0,31}):(?<key>[A-Za-z0-9+/_-]{43}=?)$/;
const KEY_BYTES = 32;

/** Reads `kid:base64-32-bytes[,kid2:…]`. Throws AppError SPEC_INVALID, which repeats nothing of the text. */
export function parseKeyRing(text: string): KeyRing {
  const keys = new Map<string, Buffer>();
  for (const [at, entry] of text.split(",").entries()) {
    const { kid = "", key = "" } = ENTRY.exec(entry.trim())?.groups ?? {};
    const bytes = Buffer.from(key, "base64");
    if (bytes.length !== KEY_BYTES) throw malformed(`key ${at + 1} is not kid:base64 of ${KEY_BYTES} bytes`);
    if (keys.has(kid)) throw malformed(`key id ${kid} is there twice`);
    keys.set(kid, bytes);
  }
  const kids = [...keys.keys()];
  const made = new Map<string, KeyObject>();
  return {
    primary: kids[0] ?? "",
    kids,
    derived: (kid, purpose) => {
      const key = keys.get(kid);
      if (key === undefined) return undefined;
      const name = `${purpose}:${kid}`;
      const derived = made.get(name) ?? createSecretKey(Buffer.from(hkdfSync("sha256", key, "", `metricgate ${purpose}`, KEY_BYTES)));
      made.set(name, derived);
      return derived;
    },
  };
}

function malformed(what: string): AppError {
  return new AppError("SPEC_INVALID", `The secret keys cannot be used: ${what}.`, {
    next: "Write METRICGATE_SECRET_KEYS as kid:key[,kid2:key2], each key the base64 of 32 random bytes (`openssl rand -base64 32`).",
  });
}
