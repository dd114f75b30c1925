import { type Scope, SCOPES } from "../tenant.ts";

/** The scopes among texts that are ours, each once, in our order; what else a token or key grants is not our concern. */
export function scopesAmong(texts: readonly string[]): readonly Scope[] {
  return SCOPES.filter((scope) => texts.includes(scope));
}

/** A `scope` claim (RFC 8693): names separated by spaces. Anything but a text grants nothing. */
export function scopesOfClaim(claim: unknown): readonly Scope[] {
  return typeof claim === "string" ? scopesAmong(claim.split(" ")) : [];
}
