import { beforeAll, expect, test, vi } from "vitest";
import { access } from "../../src/access.ts";
import { apiKeyVerifier, type KeyStore } from "../../src/auth/api-key.ts";
import type { KeyOrder } from "../../src/cli/host.ts";
import { readConfig } from "../../src/config.ts";
import { apiKeys } from "../../src/db/api-keys.ts";
import { AppError } from "../../src/errors.ts";
import { must } from "../../src/must.ts";
import { parseKeyRing } from "../../src/secrets/key-ring.ts";
import { SCOPES } from "../../src/tenant.ts";
import { describeOnEachDatabase } from "../support/databases.ts";
import { createTenant } from "../support/tenants.ts";

const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");
const RING = parseKeyRing(`k1:${key(1)}`);
const ORDER: KeyOrder = { tenant: "acme", name: "ci", scopes: SCOPES, allowed: {} };

describeOnEachDatabase("API keys", (get) => {
  const clock = { ms: 0 };
  let finds = 0;
  const unnoted: unknown[] = [];

  const desk = (ring = RING) => access(get().database, () => ring, readConfig({}, "/nowhere"));
  const verifier = (ring = RING, store: Partial<KeyStore> = {}) => {
    const keys = apiKeys(get().database);
    return apiKeyVerifier({
      store: { find: (keyId) => ((finds += 1), keys.find(keyId)), touch: keys.touch, ...store },
      ring: () => ring,
      onUnnoted: (error) => unnoted.push(error),
      nowMs: () => clock.ms,
    });
  };
  const refusal = async (text: string, verify = verifier()): Promise<AppError> => {
    const error: unknown = await verify(text).catch((thrown: unknown) => thrown);
    if (!(error instanceof AppError)) throw new Error("the key was taken");
    if (text.length > 20) expect(JSON.stringify([error.message, error.details])).not.toContain(text.slice(20));
    return error;
  };

  beforeAll(async () => {
    clock.ms = Date.now();
    await createTenant(get().database, { id: 7, slug: "acme", timezone: "Europe/Prague", weekStart: 7 });
    await createTenant(get().database, { id: 8, slug: "other" });
  });

  test("a key opens its tenant, as its user, with its scopes and limits", async () => {
    const { key: text, keyId } = await desk().createKey({
      ...ORDER,
      user: "ada",
      scopes: ["metrics:read", "drill:read"],
      allowed: { metrics: ["wip"], projects: [], instances: ["a", "b"] },
    });
    expect(text).toMatch(new RegExp(`^mgk_${keyId}_[\\w-]{43}$`));
    const principal = await verifier()(text);
    expect({ ...principal, tenant: { ...principal.tenant } }).toEqual({
      user: "ada",
      scopes: ["metrics:read", "drill:read"],
      allowed: { metrics: ["wip"], projects: [], instances: ["a", "b"] },
      tenant: { id: 7, slug: "acme", timezone: "Europe/Prague", weekStart: 7 },
    });
  });

  test("a key of nobody's acts as itself, without limits", async () => {
    const { key: text, keyId } = await desk().createKey(ORDER);
    expect(await verifier()(text)).toMatchObject({ user: `key:${keyId}`, scopes: SCOPES, allowed: {} });
  });

  test("nothing of a key that could open anything is stored", async () => {
    const { key: text } = await desk().createKey(ORDER);
    const secret = text.slice(-43);
    const stored = await get().asSuperuser((client) =>
      client.query<{ row: string }>("select to_json(k)::text as row from directory.api_key k"),
    );
    const all = stored.rows.map(({ row }) => row).join();
    for (const form of [secret, Buffer.from(secret, "base64url").toString("hex"), Buffer.from(secret).toString("hex")])
      expect(all).not.toContain(form);
  });

  test("every other text is refused alike", async () => {
    const { key: text } = await desk().createKey(ORDER);
    const { key: foreign } = await desk().createKey({ ...ORDER, tenant: "other" });
    const told = new Set<string>();
    for (const wrong of [
      `${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`,
      text.slice(0, -1),
      `${text}A`,
      `${text} `,
      text.toUpperCase(),
      text.replace("mgk_", ""),
      `${text.slice(0, 21)}${foreign.slice(21)}`,
      `${foreign.slice(0, 21)}${text.slice(21)}`,
      `mgk_${"0".repeat(16)}_${text.slice(-43)}`,
      "mgk_",
      "mgk_../../etc/passwd_x",
      `mgk_' or 1=1 --_${text.slice(-43)}`,
      "",
    ]) {
      const { code, message, details } = await refusal(wrong);
      told.add(JSON.stringify([code, message, details]));
    }
    expect([...told]).toEqual([expect.stringContaining("UNAUTHENTICATED")]);
    expect((await verifier()(foreign)).tenant.slug).toBe("other");
  });

  test("a revoked key opens nothing 5 seconds later, also where it was used just before", async () => {
    const { key: text, keyId } = await desk().createKey(ORDER);
    const verify = verifier();
    await verify(text);
    await desk().revokeKey(keyId);
    clock.ms += 4_999;
    expect((await refusal(text, verify)).code).toBe("UNAUTHENTICATED");
    expect((await refusal(text)).code).toBe("UNAUTHENTICATED");
    const before = must(
      (await desk().listKeys()).find((one) => one.keyId === keyId),
      "the key",
    );
    expect(before.state).toBe("revoked");
    await expect(desk().revokeKey(keyId)).resolves.toBeUndefined();
    await expect(desk().revokeKey("0000000000000000")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("what was stored is remembered for 3 seconds, and the key proven all the same", async () => {
    const { key: text } = await desk().createKey(ORDER);
    const verify = verifier();
    finds = 0;
    for (let call = 0; call < 5; call += 1) await verify(text);
    expect(finds).toBe(1);
    expect((await refusal(`${text.slice(0, -2)}__`, verify)).code).toBe("UNAUTHENTICATED");
    expect(finds).toBe(1);
    clock.ms += 3_000;
    await verify(text);
    expect(finds).toBe(2);
  });

  test("guessing keys keeps one look-up busy, and a known key waits behind none of them", async () => {
    const { key: text } = await desk().createKey(ORDER);
    const keys = apiKeys(get().database);
    const held = Promise.withResolvers<void>();
    let atOnce = 0;
    let most = 0;
    let isHeld = false;
    const verify = verifier(RING, {
      find: async (keyId) => {
        const isStranger = !text.includes(keyId);
        if (isStranger) most = Math.max(most, (atOnce += 1));
        if (isStranger && isHeld) await held.promise;
        const found = await keys.find(keyId);
        if (isStranger) atOnce -= 1;
        return found;
      },
    });
    await verify(text);
    isHeld = true;
    const guesses = Array.from({ length: 300 }, (_, at) =>
      refusal(`mgk_${at.toString(36).padStart(16, "0")}_${text.slice(-43)}`, verify).then(({ code, details }) => [
        code,
        details.retryAfterSeconds,
      ]),
    );
    clock.ms += 3_000;
    await expect(verify(text)).resolves.toMatchObject({ user: expect.any(String) });
    held.resolve();
    const told = await Promise.all(guesses);
    expect(most).toBe(1);
    expect(told.filter(([code]) => code === "UNAUTHENTICATED")).toHaveLength(100);
    expect(told.filter(([code, seconds]) => code === "BUSY" && seconds === 1)).toHaveLength(200);
    // Whoever comes afterwards is looked up again.
    expect((await refusal(`mgk_${"z".repeat(16)}_${text.slice(-43)}`, verify)).code).toBe("UNAUTHENTICATED");
  });

  test("an expired key is refused from its instant on", async () => {
    const { key: text } = await desk().createKey({ ...ORDER, expiresAt: new Date(clock.ms + 1000) });
    const verify = verifier();
    await verify(text);
    clock.ms += 1000;
    expect((await refusal(text, verify)).code).toBe("UNAUTHENTICATED");
  });

  test("a use is noted once a minute, without waiting for it", async () => {
    const { key: text, keyId } = await desk().createKey(ORDER);
    const touched = vi.fn<KeyStore["touch"]>(() => new Promise(() => undefined));
    const verify = verifier(RING, { touch: touched });
    for (let call = 0; call < 3; call += 1) await verify(text);
    expect(touched.mock.calls).toEqual([[keyId]]);
    clock.ms += 60_000;
    await verify(text);
    expect(touched).toHaveBeenCalledTimes(2);

    const store = apiKeys(get().database);
    await store.touch(keyId);
    const first = must(await store.find(keyId), "the key").key.lastUsedAt;
    expect(Date.parse(first ?? "")).toBeGreaterThan(0);
    await store.touch(keyId);
    expect(must(await store.find(keyId), "the key").key.lastUsedAt).toBe(first);
  });

  test("a use that cannot be noted is told to the operator, not to the caller", async () => {
    const { key: text } = await desk().createKey(ORDER);
    const failure = new Error("no");
    await verifier(RING, { touch: () => Promise.reject(failure) })(text);
    await vi.waitFor(() => expect(unnoted).toContain(failure));
  });

  test("a key outlives the rotation of the ring, as long as its own key is in it", async () => {
    const { key: text, keyId } = await desk().createKey(ORDER);
    const rotated = parseKeyRing(`k2:${key(2)},k1:${key(1)}`);
    expect((await verifier(rotated)(text)).tenant.slug).toBe("acme");
    expect((await desk(rotated).rotateSecrets()).olderKeys).toBeGreaterThan(0);
    const gone = parseKeyRing(`k2:${key(2)}`);
    expect((await refusal(text, verifier(gone))).code).toBe("UNAUTHENTICATED");
    expect((await desk(gone).listKeys()).find((one) => one.keyId === keyId)?.state).toBe("unreadable");
    const imposter = parseKeyRing(`k1:${key(3)}`);
    expect((await refusal(text, verifier(imposter))).code).toBe("UNAUTHENTICATED");
  });

  test("a key cannot be changed by the login that checks it, only revoked", async () => {
    await desk().createKey(ORDER);
    for (const change of ["tenant_id = 8", "scopes = '{}'", "metrics = null", "user_name = 'root'", "expires_at = null", "hash = hash"]) {
      const changed = get().database.session("directory", (client) => client.query(`update directory.api_key set ${change}`));
      await expect(changed, change).rejects.toMatchObject({ cause: { code: "42501" } });
    }
    const removed = get().database.session("directory", (client) => client.query("delete from directory.api_key"));
    await expect(removed).rejects.toMatchObject({ cause: { code: "42501" } });
  });

  test("a key needs a tenant that exists", async () => {
    await expect(desk().createKey({ ...ORDER, tenant: "nobody" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
