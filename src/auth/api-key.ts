import { AppError } from "../errors.ts";
import { keyedHash, randomName, randomSecret, sameHash } from "../secrets/keyed-hash.ts";
import type { KeyRing } from "../secrets/key-ring.ts";
import { must } from "../must.ts";
import type { Principal } from "../tenant.ts";
import { allowListOf } from "./allow-list.ts";
import { toPrincipal, type TenantRecord } from "./identify.ts";
import { keepNewest, remembered } from "./remembered.ts";
import { scopesAmong } from "./scopes.ts";
import { strangersInTurn } from "./strangers.ts";

/** How a key begins, so that a leaked one is found by those who search for such. */
export const KEY_PREFIX = "mgk_";
/** `mgk_<key id>_<secret>`: the id is public, the secret 32 random bytes. */
const KEY = /^mgk_(?<keyId>[0-9a-z]{16})_[A-Za-z0-9_-]{43}$/;

/** A stored key, as far as proving it needs. Instants are ISO text. */
export interface StoredKey {
  readonly user: string;
  readonly hash: Buffer;
  readonly hashKid: string;
  readonly scopes: readonly string[];
  readonly metrics: readonly string[] | null;
  readonly projects: readonly string[] | null;
  readonly instances: readonly string[] | null;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

export interface KeyStore {
  readonly find: (keyId: string) => Promise<{ readonly key: StoredKey; readonly tenant: TenantRecord } | undefined>;
  /** Notes that a key was used. */
  readonly touch: (keyId: string) => Promise<void>;
}

export interface MintedKey {
  /** The whole key: shown once, kept nowhere. */
  readonly key: string;
  readonly keyId: string;
  readonly hash: Buffer;
  readonly hashKid: string;
}

/** A fresh key with what is to be stored of it. */
export function mintApiKey(ring: KeyRing): MintedKey {
  const keyId = randomName();
  const key = `${KEY_PREFIX}${keyId}_${randomSecret()}`;
  return { key, keyId, hash: must(keyedHash(ring, ring.primary, key), "the primary key"), hashKid: ring.primary };
}

/** Whether a stored key would open anything now, if presented. */
export function keyState(key: StoredKey, kids: readonly string[], nowMs: number): "active" | "revoked" | "expired" | "unreadable" {
  if (key.revokedAt !== null) return "revoked";
  if (key.expiresAt !== null && Date.parse(key.expiresAt) <= nowMs) return "expired";
  return kids.includes(key.hashKid) ? "active" : "unreadable";
}

export interface ApiKeyOptions {
  readonly store: KeyStore;
  /** Throws where this process has no key ring. */
  readonly ring: () => KeyRing;
  /** Told of a use that could not be noted; the answer does not wait for it. */
  readonly onUnnoted: (error: unknown) => void;
  readonly nowMs?: () => number;
}

/** A stored key is read again after this: a revoked one opens nothing 5 seconds later. */
const REMEMBERED_MS = 3000;
const NOTED_EVERY_MS = 60_000;

/**
 * Proves API keys. What was stored of a key is remembered for 3 s; the key itself is proven anew at every call. Keys that
 * never opened anything are looked up one after the other. Throws UNAUTHENTICATED, the same for every key that does not open,
 * BUSY where too many are unknown, and what `ring` and the store throw.
 */
export function apiKeyVerifier({ store, ring, onUnnoted, nowMs = Date.now }: ApiKeyOptions): (key: string) => Promise<Principal> {
  const lookUpStranger = strangersInTurn(store.find);
  /** Keys that opened something here. */
  const known = new Map<string, true>();
  const stored = remembered((keyId) => (known.has(keyId) ? store.find(keyId) : lookUpStranger(keyId)), REMEMBERED_MS, nowMs);
  const notedAtMs = new Map<string, number>();
  const note = (keyId: string, { lastUsedAt }: StoredKey): void => {
    const last = Math.max(notedAtMs.get(keyId) ?? 0, lastUsedAt === null ? 0 : Date.parse(lastUsedAt));
    if (nowMs() - last < NOTED_EVERY_MS) return;
    keepNewest(notedAtMs, keyId, nowMs());
    store.touch(keyId).catch(onUnnoted);
  };

  return async (text) => {
    const keyId = KEY.exec(text)?.groups?.["keyId"];
    const found = keyId === undefined ? undefined : await stored(keyId);
    if (keyId === undefined || found === undefined) throw refused();
    const { key, tenant } = found;
    const hash = keyedHash(ring(), key.hashKid, text);
    if (hash === undefined || !sameHash(hash, key.hash) || keyState(key, [key.hashKid], nowMs()) !== "active") throw refused();
    keepNewest(known, keyId, true);
    note(keyId, key);
    return toPrincipal(tenant, { user: key.user, scopes: scopesAmong(key.scopes), allowed: allowListOf(key) });
  };
}

function refused(): AppError {
  return new AppError("UNAUTHENTICATED", "This API key does not open anything here.", {
    next: "Check that it is whole, or ask the operator for another: `metricgate key create`.",
  });
}
