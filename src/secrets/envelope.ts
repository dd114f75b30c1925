import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import { must } from "../must.ts";
import type { KeyRing } from "./key-ring.ts";

/** The one place where a sealed value may be opened again: a value moved to another row, column or tenant stays shut. */
export interface Place {
  readonly tenantId: number;
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
}

const VERSION = "v2";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const SHAPE = /^v2\.(?<kid>[a-z0-9-]{1,32})\.(?<iv>[\w-]{16})\.(?<ciphertext>[\w-]*)\.(?<tag>[\w-]{22})$/;

/** Encrypts under the primary key, for one place: `v2.<kid>.<iv>.<ciphertext>.<tag>`, AES-256-GCM, parts in base64url. */
export function seal(ring: KeyRing, place: Place, secret: string): string {
  const iv = randomBytes(IV_BYTES);
  const key = must(ring.derived(ring.primary, "envelope"), "the primary key");
  const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES }).setAAD(authenticated(place));
  const ciphertext = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
  return [VERSION, ring.primary, ...[iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString("base64url"))].join(".");
}

/** Decrypts under whichever key the envelope names. Throws AppError UNAVAILABLE for a key not in the ring, INTERNAL for a changed or moved envelope. */
export function open(ring: KeyRing, place: Place, envelope: string): string {
  const { kid = "", iv = "", ciphertext = "", tag = "" } = SHAPE.exec(envelope)?.groups ?? {};
  if (kid === "") throw damaged();
  const key = ring.derived(kid, "envelope");
  if (key === undefined) {
    throw new AppError("UNAVAILABLE", `A stored secret needs the key ${kid}, which is not in the key ring.`, {
      next: `Add ${kid} to METRICGATE_SECRET_KEYS after the primary key, then run \`metricgate secrets rotate\`.`,
    });
  }
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "base64url"), { authTagLength: TAG_BYTES })
    .setAAD(authenticated(place))
    .setAuthTag(Buffer.from(tag, "base64url"));
  try {
    return Buffer.concat([decipher.update(Buffer.from(ciphertext, "base64url")), decipher.final()]).toString("utf8");
  } catch {
    throw damaged();
  }
}

/** The id of the key that an envelope was sealed with; undefined for what is none. */
export function kidOf(envelope: string): string | undefined {
  return SHAPE.exec(envelope)?.groups?.["kid"];
}

/** Only the last part is free text, so no two places read alike. */
function authenticated({ tenantId, table, column, rowId }: Place): Buffer {
  return Buffer.from([tenantId, table, column, rowId].join("|"), "utf8");
}

function damaged(): AppError {
  return new AppError("INTERNAL", "A stored secret cannot be opened: it was changed, or moved here from another row.", {
    next: "Store it anew with `metricgate instance credential set`.",
  });
}
