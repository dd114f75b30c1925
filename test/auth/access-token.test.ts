import { createHmac } from "node:crypto";
import { exportSPKI, generateKeyPair, importJWK, type CryptoKey } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessTokenVerifier } from "../../src/auth/access-token.ts";
import { issuerKeys } from "../../src/auth/issuer-keys.ts";
import type { TenantRecord } from "../../src/auth/identify.ts";
import type { OAuthSettings } from "../../src/config.ts";
import { AppError } from "../../src/errors.ts";
import { must } from "../../src/must.ts";
import { AUDIENCE, testIssuer, type TestIssuer } from "../support/issuer.ts";

const ACME: TenantRecord = { id: 3, slug: "acme", name: "Acme", timezone: "UTC", weekStart: 1 };
const findTenant = (slug: string) => Promise.resolve(slug === "acme" ? ACME : undefined);

let issuer: TestIssuer;
let stranger: CryptoKey;
beforeAll(async () => {
  issuer = await testIssuer();
  stranger = (await generateKeyPair("ES256", { extractable: true })).privateKey;
});
afterAll(() => issuer[Symbol.asyncDispose]());

function verifier(rules: Partial<OAuthSettings> = {}, of: TestIssuer = issuer) {
  const all = { ...of.rules, ...rules };
  return accessTokenVerifier({ rules: all, keys: issuerKeys({ url: new URL(all.jwksUrl) }), findTenant });
}

/** The refusal of a token: ours, and without a part of the token in it. */
async function refusal(token: string, verify = verifier()): Promise<AppError> {
  const error: unknown = await verify(token).then(
    () => "accepted",
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError)) throw new Error(`not refused: ${String(error)}`);
  const told = JSON.stringify([error.message, error.details]);
  for (const part of token.split(".").filter((one) => one.length > 8)) expect(told).not.toContain(part);
  return error;
}

const now = (): number => Math.floor(Date.now() / 1000);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** Header and claims of a token, changed without signing again. */
const forged = async (
  header: Record<string, unknown>,
  claims: Record<string, unknown> = {},
): Promise<readonly [string, string, string]> => {
  const [ownHeader = "", ownClaims = "", signature = ""] = (await issuer.token()).split(".");
  const read = (text: string): Record<string, unknown> => JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>;
  return [part({ ...read(ownHeader), ...header }), part({ ...read(ownClaims), ...claims }), signature];
};
const hs256 = async (secret: string): Promise<string> => {
  const [header, claims] = await forged({ alg: "HS256" });
  return `${header}.${claims}.${createHmac("sha256", secret).update(`${header}.${claims}`).digest("base64url")}`;
};

test("a good token tells the tenant, the user, the scopes we know, and no limits", async () => {
  const principal = await verifier()(await issuer.token({ claims: { scope: "openid metrics:read drill:read admin metrics:read" } }));
  expect(principal).toMatchObject({ user: "ada", scopes: ["metrics:read", "drill:read"], allowed: {}, tenant: { id: 3, slug: "acme" } });
});

test.each(["RS256", "PS256", "ES256", "EdDSA"])("keys of %s are taken", async (alg) => {
  await using other = await testIssuer(alg);
  expect((await verifier({}, other)(await other.token())).user).toBe("ada");
});

describe("a forged token is refused", () => {
  const FORGED: readonly (readonly [string, () => Promise<string>])[] = [
    ["without a signature, alg none", async () => (await forged({ alg: "none" })).slice(0, 2).join(".").concat(".")],
    ["alg None with its signature left", async () => (await forged({ alg: "None" })).join(".")],
    [
      "HS256 with the public key as text",
      async () => hs256(await exportSPKI((await importJWK({ ...issuer.publicJwk() }, "ES256", { extractable: true })) as CryptoKey)),
    ],
    ["HS256 with the public key as JSON", async () => hs256(JSON.stringify(issuer.publicJwk()))],
    ["HS256 with an empty key", async () => hs256("")],
    ["signed by a stranger", () => issuer.token({ key: stranger })],
    ["with the stranger's key in its header", async () => issuer.token({ key: stranger, header: { jwk: await jwkOf() } })],
    ["with the address of other keys in its header", () => issuer.token({ key: stranger, header: { jku: `${issuer.url}/evil.json` } })],
    ["with the address of a certificate in its header", () => issuer.token({ key: stranger, header: { x5u: `${issuer.url}/evil.pem` } })],
    ["for another audience", () => issuer.token({ claims: { aud: "https://other.example.com/mcp" } })],
    ["for an audience that begins like ours", () => issuer.token({ claims: { aud: `${AUDIENCE}/x` } })],
    ["for us and another", () => issuer.token({ claims: { aud: [AUDIENCE, "https://other.example.com/mcp"] } })],
    ["without an audience", () => issuer.token({ claims: { aud: null } })],
    ["of another issuer", () => issuer.token({ claims: { iss: "https://evil.example.com" } })],
    ["of our issuer with a slash", () => issuer.token({ claims: { iss: `${issuer.url}/` } })],
    ["without an issuer", () => issuer.token({ claims: { iss: null } })],
    ["of type JWT", () => issuer.token({ header: { typ: "JWT" } })],
    ["of type ID token", () => issuer.token({ header: { typ: "id+jwt" } })],
    ["without a type", () => issuer.token({ header: { typ: null } })],
    ["expired", () => issuer.token({ claims: { exp: now() - 31 } })],
    ["without an end", () => issuer.token({ claims: { exp: null } })],
    ["with an end that is text", () => issuer.token({ claims: { exp: "2999-01-01" } })],
    ["not valid yet", () => issuer.token({ claims: { nbf: now() + 60 } })],
    ["issued in the future", () => issuer.token({ claims: { iat: now() + 60 } })],
    ["issued two days ago", () => issuer.token({ claims: { iat: now() - 172_800 } })],
    ["without an instant of issue", () => issuer.token({ claims: { iat: null } })],
    ["with an unknown kid", () => issuer.token({ key: stranger, header: { kid: "key-9" } })],
    ["with a kid that is a path", () => issuer.token({ key: stranger, header: { kid: "../../../../dev/null" } })],
    ["with a kid that is SQL", () => issuer.token({ key: stranger, header: { kid: "x' union select 'k" } })],
    ["with a critical header that nobody knows", () => issuer.token({ header: { crit: ["exp2"], exp2: 1 } })],
    ["without a subject", () => issuer.token({ claims: { sub: null } })],
    ["with an empty subject", () => issuer.token({ claims: { sub: "" } })],
    ["with a subject of two lines", () => issuer.token({ claims: { sub: "ada\nroot" } })],
    ["with a subject too long", () => issuer.token({ claims: { sub: "a".repeat(201) } })],
    ["with limits that are a number", () => issuer.token({ claims: { metrics: 7 } })],
    ["with limits that are an object", async () => await issuer.token({ claims: { projects: { a: 1 } } })],
    ["with limits of objects", () => issuer.token({ claims: { instances: ["a", {}] } })],
    [
      "with a changed claim",
      async () => {
        const [header, claims, signature] = await forged({}, { tenant: "acme", sub: "root" });
        return [header, claims, signature].join(".");
      },
    ],
    ["with its signature cut", async () => (await issuer.token()).slice(0, -4)],
    ["with its signature stripped", async () => `${(await issuer.token()).split(".").slice(0, 2).join(".")}.`],
    ["with its last part gone", async () => (await issuer.token()).split(".").slice(0, 2).join(".")],
    ["oversized", () => issuer.token({ claims: { padding: "x".repeat(8192) } })],
    ["garbage", async () => "garbage"],
    ["empty parts", async () => ".."],
    ["not base64", async () => "!!!.%%%.???"],
    ["an encrypted one", async () => `${part({ alg: "dir", enc: "A256GCM" })}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`],
  ];

  const jwkOf = async (): Promise<unknown> => {
    const { exportJWK } = await import("jose");
    const { d: _secret, ...open } = await exportJWK(stranger);
    return open;
  };

  test.each(FORGED)("%s", async (_what, make) => {
    expect((await refusal(await make())).code).toBe("UNAUTHENTICATED");
  });

  test("and no address in its header is ever visited", () => {
    expect(issuer.asked.others).toEqual([]);
  });
});

test("a good token with addresses in its header is good without them", async () => {
  const token = await issuer.token({ header: { jku: `${issuer.url}/evil.json`, x5u: `${issuer.url}/evil.pem` } });
  expect((await verifier()(token)).user).toBe("ada");
  expect(issuer.asked.others).toEqual([]);
});

test("clocks may differ by half a minute", async () => {
  expect((await verifier()(await issuer.token({ claims: { exp: now() - 20, nbf: now() + 20, iat: now() + 20 } }))).user).toBe("ada");
});

test("the issuer itself may be an audience besides us", async () => {
  expect((await verifier()(await issuer.token({ claims: { aud: [AUDIENCE, `${issuer.url}/userinfo`] } }))).user).toBe("ada");
});

test("tokens named JWT are taken where the setting says so, ID tokens never", async () => {
  const verify = verifier({ tokenType: "jwt" });
  for (const typ of ["JWT", "jwt", "at+jwt", "application/at+jwt"])
    expect((await verify(await issuer.token({ header: { typ } }))).user).toBe("ada");
  for (const typ of [null, "id+jwt", "logout+jwt"])
    expect((await refusal(await issuer.token({ header: { typ } }), verify)).code).toBe("UNAUTHENTICATED");
});

test("which tenants there are is not told: absent, unknown and malformed ones are refused alike", async () => {
  const claims = [null, "nobody", 3, ["acme"], { slug: "acme" }, "", "ACME", "acme ", "../acme", true];
  const told = new Set<string>();
  for (const tenant of claims) {
    const { code, message, details } = await refusal(await issuer.token({ claims: { tenant } }));
    told.add(JSON.stringify([code, message, details]));
  }
  expect([...told]).toEqual([expect.stringContaining("belongs to no tenant of this server")]);
});

test("the tenant's claim has the name of the setting, and no name of every object", async () => {
  const verify = verifier({ tenantClaim: "https://example.com/org" });
  expect((await verify(await issuer.token({ claims: { tenant: null, "https://example.com/org": "acme" } }))).tenant.slug).toBe("acme");
  expect((await refusal(await issuer.token(), verifier({ tenantClaim: "constructor" }))).code).toBe("UNAUTHENTICATED");
});

test("limits are arrays or words; an empty one leaves nothing", async () => {
  const { allowed } = await verifier()(await issuer.token({ claims: { metrics: "lead_time  wip", projects: ["P 1"], instances: [] } }));
  expect(allowed).toEqual({ metrics: ["lead_time", "wip"], projects: ["P 1"], instances: [] });
});

test("a scope that is not a text grants nothing", async () => {
  for (const scope of [["metrics:read"], 1, null]) expect((await verifier()(await issuer.token({ claims: { scope } }))).scopes).toEqual([]);
});

test("a database that is away is not the token's fault", async () => {
  const away = new AppError("UNAVAILABLE", "The database cannot be reached.");
  const verify = accessTokenVerifier({
    rules: issuer.rules,
    keys: issuerKeys({ url: new URL(issuer.rules.jwksUrl) }),
    findTenant: () => Promise.reject(away),
  });
  expect(await refusal(await issuer.token(), verify)).toBe(away);
});

describe("the issuer's keys", () => {
  /** A verifier whose clock the test turns. */
  async function withClock(options: { readonly cooldownMs?: number } = {}) {
    const own = await testIssuer();
    const clock = { ms: Date.now() };
    const keys = issuerKeys({ url: new URL(own.rules.jwksUrl), refreshMs: 600_000, cooldownMs: 0, nowMs: () => clock.ms, ...options });
    return { own, clock, verify: accessTokenVerifier({ rules: own.rules, keys, findTenant }) };
  }

  test("are fetched once for many tokens, and again for a new kid", async () => {
    const { own, verify } = await withClock();
    await using _ = own;
    await Promise.all(Array.from({ length: 20 }, async () => verify(await own.token())));
    expect(own.asked.keys).toBe(1);
    await own.rotate();
    expect((await verify(await own.token())).user).toBe("ada");
    expect(own.asked.keys).toBe(2);
  });

  test("that were taken back stop working at the next refresh", async () => {
    const { own, verify, clock } = await withClock();
    await using _ = own;
    const old = await own.token();
    await verify(old);
    await own.rotate({ keepOld: false });
    expect((await verify(old)).user).toBe("ada");
    clock.ms += 600_001;
    expect((await refusal(old, verify)).code).toBe("UNAUTHENTICATED");
  });

  test("go on while the issuer is away; a key that was never seen is UNAVAILABLE then", async () => {
    const { own, verify, clock } = await withClock();
    await using _ = own;
    await verify(await own.token());
    own.behaviour = "down";
    clock.ms += 600_001;
    expect((await verify(await own.token())).user).toBe("ada");
    const asked = own.asked.keys;
    expect(asked).toBe(2);
    expect((await verify(await own.token())).user).toBe("ada");
    await own.rotate();
    expect(await refusal(await own.token(), verify)).toMatchObject({ code: "UNAVAILABLE", details: { retryAfterSeconds: 10 } });
    expect(own.asked.keys).toBe(asked);
    own.behaviour = "well";
    clock.ms += 10_001;
    expect((await verify(await own.token())).user).toBe("ada");
  });

  test.each(["down", "redirects", "garbage"] as const)(
    "that cannot be had at first (%s) make the answer UNAVAILABLE, later good",
    async (behaviour) => {
      const { own, verify, clock } = await withClock();
      await using _ = own;
      own.behaviour = behaviour;
      expect((await refusal(await own.token(), verify)).code).toBe("UNAVAILABLE");
      expect(own.asked.others).toEqual([]);
      own.behaviour = "well";
      clock.ms += 10_001;
      expect((await verify(await own.token())).user).toBe("ada");
    },
  );

  test("that never come are waited for 3 seconds, once for all", async () => {
    const { own, verify } = await withClock();
    await using _ = own;
    own.behaviour = "hangs";
    const startMs = performance.now();
    const token = await own.token();
    const errors = await Promise.all([refusal(token, verify), refusal(token, verify)]);
    expect(errors.map(({ code }) => code)).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
    expect(performance.now() - startMs).toBeLessThan(6000);
    expect(own.asked.keys).toBe(1);
  });

  test("are not fetched for every made-up kid", async () => {
    const { own, verify } = await withClock({ cooldownMs: 10_000 });
    await using _ = own;
    await verify(await own.token());
    for (let index = 0; index < 20; index += 1) {
      expect((await refusal(await own.token({ header: { kid: `made-up-${index}` }, key: must(stranger, "a key") }), verify)).code).toBe(
        "UNAUTHENTICATED",
      );
    }
    expect(own.asked.keys).toBe(1);
  });
});
