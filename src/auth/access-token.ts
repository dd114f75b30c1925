import { errors, jwtVerify, type JWTHeaderParameters, type JWTPayload, type JWTVerifyGetKey } from "jose";
import type { OAuthSettings } from "../config.ts";
import { AppError } from "../errors.ts";
import type { Principal } from "../tenant.ts";
import { allowListOfClaims } from "./allow-list.ts";
import { type FindTenant, toPrincipal } from "./identify.ts";
import { scopesOfClaim } from "./scopes.ts";

/** Asymmetric ones only: nothing that a public key could be passed off as the secret of. */
const ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"];
const CLOCK_TOLERANCE_SECONDS = 30;
const MAX_TOKEN_AGE = "24h";
const MAX_TOKEN_CHARACTERS = 8192;
const SLUG = /^[a-z0-9][a-z0-9_-]{0,62}$/;
/** Who a token is about, as we keep it with results and audit: short, and one line. */
const USER = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,200}$/u;

export interface AccessTokenOptions {
  readonly rules: OAuthSettings;
  readonly keys: JWTVerifyGetKey;
  readonly findTenant: FindTenant;
}

/**
 * Proves OAuth access tokens as the resource that they were issued for (RFC 9068): signature, type, issuer, audience,
 * times, then who and which tenant. Throws UNAUTHENTICATED, which does not tell which tenants there are, and UNAVAILABLE
 * while the issuer's keys or the tenants cannot be had.
 */
export function accessTokenVerifier({ rules, keys, findTenant }: AccessTokenOptions): (token: string) => Promise<Principal> {
  return async (token) => {
    const { payload, protectedHeader } = await proven(token, rules, keys);
    if (!isOfType(protectedHeader, rules.tokenType) || !isOnlyForUs(payload, rules)) throw refused();
    const allowed = allowListOfClaims(payload);
    const { sub: user = "" } = payload;
    const slug = Object.hasOwn(payload, rules.tenantClaim) ? payload[rules.tenantClaim] : undefined;
    if (allowed === undefined || !USER.test(user)) throw refused();
    const record = typeof slug === "string" && SLUG.test(slug) ? await findTenant(slug) : undefined;
    if (record === undefined) throw noTenant(rules.tenantClaim);
    return toPrincipal(record, { user, scopes: scopesOfClaim(payload["scope"]), allowed });
  };
}

async function proven(
  token: string,
  { issuer, audience }: OAuthSettings,
  keys: JWTVerifyGetKey,
): Promise<{ readonly payload: JWTPayload; readonly protectedHeader: JWTHeaderParameters }> {
  if (token.length > MAX_TOKEN_CHARACTERS) throw refused();
  try {
    return await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      requiredClaims: ["exp", "sub", "iat"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: MAX_TOKEN_AGE,
    });
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof errors.JWTExpired) throw refused("The access token has expired.");
    if (error instanceof errors.JOSEError || error instanceof TypeError) throw refused();
    throw error;
  }
}

/** `at+jwt` keeps other tokens of the same issuer out; some issuers name all of theirs `JWT`, which a setting allows. */
function isOfType({ typ = "" }: JWTHeaderParameters, tokenType: OAuthSettings["tokenType"]): boolean {
  const type = typ.toLowerCase().replace(/^application\//, "");
  return type === "at+jwt" || (tokenType === "jwt" && type === "jwt");
}

/** A token that another resource takes too could be passed on to us by it; the issuer itself may be named besides us. */
function isOnlyForUs({ aud }: JWTPayload, { audience, issuer }: OAuthSettings): boolean {
  const isIssuers = (text: string): boolean => URL.canParse(text) && new URL(text).origin === new URL(issuer).origin;
  return [aud ?? []].flat().every((one) => one === audience || isIssuers(one));
}

function refused(message = "The access token is not valid for this server."): AppError {
  return new AppError("UNAUTHENTICATED", message, { next: "Log in again to get a fresh access token for this server." });
}

function noTenant(claim: string): AppError {
  return new AppError("UNAUTHENTICATED", "The access token belongs to no tenant of this server.", {
    next: `Ask the operator: the claim ${JSON.stringify(claim)} of the token must be a tenant's short name.`,
  });
}
