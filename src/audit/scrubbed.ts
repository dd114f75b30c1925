import { scrub } from "../observe/scrub.ts";

/** The same value with every text in it scrubbed: addresses, credentials, e-mails and long random strings taken out. */
export function scrubbed(value: unknown): unknown {
  // Cut to a length, a text may end in half a character, which jsonb refuses.
  if (typeof value === "string") return scrub(value).toWellFormed();
  if (Array.isArray(value)) return value.map(scrubbed);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, scrubbed(part)]));
  }
  return value;
}
