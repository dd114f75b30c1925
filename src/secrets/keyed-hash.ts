import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { KeyRing } from "./key-ring.ts";

/** 32 random bytes as text of 43 letters. */
export function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** A random name of 16 letters and digits that needs no quoting anywhere; not secret. */
export function randomName(): string {
  return randomBytes(8).toString("hex");
}

/**
 * HMAC-SHA-256 under a key of the ring: a stolen table of hashes is worth nothing without the ring. Undefined where
 * the ring has no such key. Fast on purpose (docs/adr/0007): what is hashed has 256 random bits.
 */
export function keyedHash(ring: KeyRing, kid: string, text: string): Buffer | undefined {
  const key = ring.derived(kid, "api-key-hash");
  return key === undefined ? undefined : createHmac("sha256", key).update(text, "utf8").digest();
}

/** Compares in a time that does not tell where two hashes differ. */
export function sameHash(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
