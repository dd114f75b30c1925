import { randomBytes } from "node:crypto";
import { extentOf, type Principal } from "../tenant.ts";

/** How long an answer can be paged, drawn and cited. */
export const RESULT_LIFETIME_MS = 24 * 3600 * 1000;

/** Answers kept for paging; each belongs to a tenant and a principal. */
export interface ResultStore<T> {
  /** Keeps a value; returns its unguessable handle. */
  put(owner: Principal, value: T, bytes: number): string;
  /** The value; undefined alike when absent, expired or somebody else's. */
  get(owner: Principal, id: string): T | undefined;
}

interface Entry<T> {
  readonly tenantId: number;
  /** Who may have it, by name and by what they may see. */
  readonly owner: string;
  readonly value: T;
  readonly bytes: number;
  readonly expiresAtMs: number;
}

/**
 * Keeps results in this process, the oldest leaving first when `maxBytes` is reached, a tenant's own first so that one tenant
 * cannot push out another's beyond its share. They end with the process.
 */
export function memoryResultStore<T>({
  maxBytes,
  maxTenantBytes,
  nowMs = Date.now,
}: {
  maxBytes: number;
  maxTenantBytes: number;
  nowMs?: () => number;
}): ResultStore<T> {
  const entries = new Map<string, Entry<T>>();
  const heldOf = new Map<number, number>();
  let heldBytes = 0;
  const account = (tenantId: number, bytes: number): void => {
    heldBytes += bytes;
    const own = (heldOf.get(tenantId) ?? 0) + bytes;
    if (own === 0) heldOf.delete(tenantId);
    else heldOf.set(tenantId, own);
  };
  const drop = (id: string, { tenantId, bytes }: Entry<T>): void => {
    entries.delete(id);
    account(tenantId, -bytes);
  };
  /** Entries stand in the order in which they were put, and so in that in which they expire. */
  const dropWhile = (isDue: (entry: Entry<T>) => boolean, isMatch: (entry: Entry<T>) => boolean = () => true): void => {
    for (const [id, entry] of entries) {
      if (!isMatch(entry)) continue;
      if (!isDue(entry)) return;
      drop(id, entry);
    }
  };
  return {
    put(principal, value, bytes) {
      const { tenant } = principal;
      const now = nowMs();
      dropWhile((entry) => entry.expiresAtMs <= now);
      dropWhile(
        () => (heldOf.get(tenant.id) ?? 0) + bytes > maxTenantBytes,
        (entry) => entry.tenantId === tenant.id,
      );
      dropWhile(() => heldBytes + bytes > maxBytes);
      const id = `res_${randomBytes(16).toString("base64url")}`;
      entries.set(id, { tenantId: tenant.id, owner: ownerOf(principal), value, bytes, expiresAtMs: now + RESULT_LIFETIME_MS });
      account(tenant.id, bytes);
      return id;
    },
    get(principal, id) {
      const entry = entries.get(id);
      const isOwn = entry !== undefined && entry.owner === ownerOf(principal) && entry.expiresAtMs > nowMs();
      return isOwn ? entry.value : undefined;
    },
  };
}

/** One user by two keys with different limits is two owners: what the wider one was told is not the narrower one's. */
function ownerOf(principal: Principal): string {
  return JSON.stringify([principal.user, extentOf(principal)]);
}
