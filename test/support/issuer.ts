import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";
import type { OAuthSettings } from "../../src/config.ts";
import { must } from "../../src/must.ts";

export const AUDIENCE = "https://metrics.example.com/mcp";

/** What to change of a good token; null leaves a claim or header out. */
export interface TokenChanges {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey | Uint8Array;
}

/** An authorization server's part that matters here: keys over HTTP on this machine, and tokens. */
export interface TestIssuer extends AsyncDisposable {
  readonly url: string;
  readonly rules: OAuthSettings;
  /** A good access token of tenant `acme`, changed. */
  token(changes?: TokenChanges): Promise<string>;
  /** Signs with a new key from now on; publishes it, and the old one as long as `keepOld`. */
  rotate(options?: { readonly keepOld?: boolean; readonly alg?: string }): Promise<void>;
  /** How often keys were asked for, and what else was. */
  readonly asked: { keys: number; readonly others: string[] };
  /** What the key endpoint does. */
  behaviour: "well" | "down" | "redirects" | "garbage" | "hangs";
  readonly publicJwk: () => JWK;
}

interface Signing {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function newSigning(kid: string, alg: string): Promise<Signing> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export async function testIssuer(alg = "ES256"): Promise<TestIssuer> {
  let keys = [await newSigning("key-1", alg)];
  const asked = { keys: 0, others: [] as string[] };
  const server = createServer((request, response) => {
    if (request.url !== "/.well-known/jwks.json") {
      asked.others.push(request.url ?? "");
      return void response.writeHead(404).end();
    }
    asked.keys += 1;
    if (issuer.behaviour === "hangs") return;
    if (issuer.behaviour === "down") return void response.writeHead(503).end("down");
    if (issuer.behaviour === "redirects") return void response.writeHead(302, { location: "/elsewhere" }).end();
    if (issuer.behaviour === "garbage") return void response.writeHead(200).end("<html>");
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const current = (): Signing => must(keys.at(-1), "a key");
  const issuer: TestIssuer = {
    url,
    rules: { issuer: url, audience: AUDIENCE, jwksUrl: `${url}/.well-known/jwks.json`, tenantClaim: "tenant", tokenType: "at+jwt" },
    asked,
    behaviour: "well",
    publicJwk: () => current().jwk,
    token: async ({ claims = {}, header = {}, key } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const good = { iss: url, aud: AUDIENCE, sub: "ada", iat: now, exp: now + 300, tenant: "acme", scope: "metrics:read" };
      const { kid, alg: current_alg, privateKey } = current();
      const protectedHeader = without({ alg: current_alg, kid, typ: "at+jwt", ...header });
      return new SignJWT(without({ ...good, ...claims })).setProtectedHeader(protectedHeader as { alg: "ES256" }).sign(key ?? privateKey, {
        crit: Object.fromEntries(((header["crit"] as string[] | undefined) ?? []).map((name) => [name, false])),
      });
    },
    rotate: async ({ keepOld = true, alg: newAlg = alg } = {}) => {
      const next = await newSigning(`key-${Number(current().kid.slice(4)) + 1}`, newAlg);
      keys = keepOld ? [...keys, next] : [next];
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return issuer;
}

function without(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
