import { randomBytes } from "node:crypto";
import type { Principal } from "../tenant.ts";

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
  readonly user: string;
  readonly value: T;
  readonly bytes: number;
  readonly expiresAtMs: number;
}

/**
 * Keeps results in this process, the oldest leaving first when `maxBytes` is reached, a tenant's own first so that one tenant
 * cannot push out another's beyond its share. They end with the process.
 */
export function memoryResultStore<T>({ maxBytes, maxTenantBytes, nowMs = Date.now }: { maxBytes: number; maxTenantBytes: number; nowMs?: () => number }): ResultStore<T> {
  const entries = new Map<string, Entry<T>>();
  const held = (tenantId?: number): number => {
    let bytes = 0;
    for (const entry of entries.values()) if (tenantId === undefined || entry.tenantId === tenantId) bytes += entry.bytes;
    return bytes;
  };
  const dropOldest = (keep: (entry: Entry<T>) => boolean): boolean => {
    for (const [id, entry] of entries) if (!keep(entry)) return entries.delete(id);
    return false;
  };
  return {
    put({ tenant, user }, value, bytes) {
      const now = nowMs();
      for (const [id, entry] of entries) if (entry.expiresAtMs <= now) entries.delete(id);
      while (held(tenant.id) + bytes > maxTenantBytes && dropOldest((entry) => entry.tenantId !== tenant.id));
      while (held() + bytes > maxBytes && dropOldest(() => false));
      const id = `res_${randomBytes(16).toString("base64url")}`;
      entries.set(id, { tenantId: tenant.id, user, value, bytes, expiresAtMs: now + RESULT_LIFETIME_MS });
      return id;
    },
    get({ tenant, user }, id) {
      const entry = entries.get(id);
      const isOwn = entry !== undefined && entry.tenantId === tenant.id && entry.user === user && entry.expiresAtMs > nowMs();
      return isOwn ? entry.value : undefined;
    },
  };
}
