import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";

const VERSION = 0x80;
const IV_AT = 9;
const CIPHERTEXT_AT = 25;
const BLOCK_BYTES = 16;
const HMAC_BYTES = 32;
const MAX_SKEW_SECONDS = 60;

interface Keys {
  readonly signing: Buffer;
  readonly encryption: Buffer;
}

/** When a token was made or is read, and what its writer would otherwise choose at random. */
export interface FernetWriting {
  readonly now?: Date;
  readonly iv?: Buffer;
}

export interface FernetReading {
  readonly now?: Date;
  /** Older tokens are refused; without it age does not matter. */
  readonly ttlSeconds?: number;
}

/** Writes a token of the Fernet specification, version 0x80. Throws AppError SPEC_INVALID for a key that is none. */
export function writeFernet(key: string, text: string, { now = new Date(), iv = randomBytes(BLOCK_BYTES) }: FernetWriting = {}): string {
  const { signing, encryption } = keysOf(key);
  const head = Buffer.alloc(IV_AT);
  head.writeUInt8(VERSION, 0);
  head.writeBigUInt64BE(BigInt(Math.floor(now.getTime() / 1000)), 1);
  const cipher = createCipheriv("aes-128-cbc", encryption, iv);
  const signed = Buffer.concat([head, iv, cipher.update(text, "utf8"), cipher.final()]);
  const mac = createHmac("sha256", signing).update(signed).digest();
  return padded(Buffer.concat([signed, mac]));
}

/**
 * Reads a Fernet token: first its MAC, then its content. Throws AppError SPEC_INVALID, the same for every token that
 * cannot be read, and repeats nothing of it.
 */
export function readFernet(key: string, token: string, { now = new Date(), ttlSeconds }: FernetReading = {}): string {
  const { signing, encryption } = keysOf(key);
  const { signed, mac } = partsOf(token);
  if (!timingSafeEqual(createHmac("sha256", signing).update(signed).digest(), mac)) throw unreadable();
  const ageSeconds = now.getTime() / 1000 - Number(signed.readBigUInt64BE(1));
  if (ageSeconds < -MAX_SKEW_SECONDS || ageSeconds > (ttlSeconds ?? Number.POSITIVE_INFINITY)) throw unreadable();
  const decipher = createDecipheriv("aes-128-cbc", encryption, signed.subarray(IV_AT, CIPHERTEXT_AT));
  try {
    return Buffer.concat([decipher.update(signed.subarray(CIPHERTEXT_AT)), decipher.final()]).toString("utf8");
  } catch {
    throw unreadable();
  }
}

function partsOf(token: string): { readonly signed: Buffer; readonly mac: Buffer } {
  const bytes = fromPadded(token) ?? Buffer.alloc(0);
  const ciphertextBytes = bytes.length - CIPHERTEXT_AT - HMAC_BYTES;
  const isWhole = ciphertextBytes >= BLOCK_BYTES && ciphertextBytes % BLOCK_BYTES === 0;
  if (!isWhole || bytes[0] !== VERSION) throw unreadable();
  return { signed: bytes.subarray(0, -HMAC_BYTES), mac: bytes.subarray(-HMAC_BYTES) };
}

function keysOf(key: string): Keys {
  const bytes = fromPadded(key);
  if (bytes?.length !== 2 * BLOCK_BYTES) {
    throw new AppError("SPEC_INVALID", "The Fernet key is not the base64url of 32 bytes.", {
      next: "Give the key that the token was made with in METRICGATE_FERNET_KEY.",
    });
  }
  return { signing: bytes.subarray(0, BLOCK_BYTES), encryption: bytes.subarray(BLOCK_BYTES) };
}

/** base64url with its padding, as the specification has it. */
function padded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Node reads base64 of any kind and passes over what is none; here the text must be exactly what its bytes are written as. */
function fromPadded(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return padded(bytes) === text ? bytes : undefined;
}

function unreadable(): AppError {
  return new AppError("SPEC_INVALID", "The Fernet token cannot be read: it is damaged, too old, or made with another key.", {
    next: "Check METRICGATE_FERNET_KEY and the token on standard input.",
  });
}
