import { createHmac } from "node:crypto";
import { generateKeyPair } from "jose";
import type { TestIssuer } from "../support/issuer.ts";
import type { Forgery } from "./case.ts";

/** A token of tenant A that differs from a good one as a case says. */
export async function forgedToken(issuer: TestIssuer, forgery: Forgery): Promise<string> {
  const { claims = {}, header = {}, none, hmac, foreignKey, cut } = forgery;
  const key = foreignKey === true ? { key: (await generateKeyPair("ES256")).privateKey } : {};
  const token = await issuer.token({ claims: { tenant: "a", ...claims }, header, ...key });
  const [, payload = "", signature = ""] = token.split(".");
  if (none === true) return `${encoded({ alg: "none", typ: "at+jwt" })}.${payload}.`;
  if (hmac === true) {
    const signed = `${encoded({ alg: "HS256", typ: "at+jwt", kid: issuer.publicJwk().kid })}.${payload}`;
    return `${signed}.${createHmac("sha256", JSON.stringify(issuer.publicJwk())).update(signed).digest("base64url")}`;
  }
  if (cut === "signature") return token.slice(0, -signature.length);
  return cut === "end" ? token.slice(0, -10) : token;
}

function encoded(header: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(header)).toString("base64url");
}
