import { LRUCache } from "lru-cache";

/** A kept answer. */
export interface CachedAnswer {
  /** JSON of the answer, exactly as it was put. */
  readonly text: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/**
 * Answers by a key that names everything that decides them, so that nothing is ever invalidated: new data has other keys.
 * An adapter that cannot answer says "not there"; it never throws and never keeps a caller waiting for long.
 */
export interface AnswerCache {
  get(tenantId: number, key: string): Promise<CachedAnswer | undefined>;
  put(tenantId: number, key: string, answer: CachedAnswer): Promise<void>;
  close(): Promise<void>;
}

export interface MemoryCacheOptions {
  /** Bytes in all, and of one tenant, which makes room at its own cost first. */
  readonly maxBytes: number;
  readonly maxTenantBytes: number;
  readonly maxEntryBytes: number;
  readonly nowMs?: () => number;
}

/** Bytes that a key and its bookkeeping take besides the text. */
const ENTRY_BYTES = 500;

/** Keeps answers in this process, the least recently used leaving first. */
export function memoryAnswerCache({ maxBytes, maxTenantBytes, maxEntryBytes, nowMs = Date.now }: MemoryCacheOptions): AnswerCache {
  const shares = new Map<number, LRUCache<string, number>>();
  const entries = new LRUCache<string, { readonly tenantId: number; readonly answer: CachedAnswer }>({
    maxSize: maxBytes,
    sizeCalculation: ({ answer }) => bytesOf(answer),
    dispose: ({ tenantId }, key) => {
      const share = shares.get(tenantId);
      share?.delete(key);
      if (share?.size === 0) shares.delete(tenantId);
    },
  });
  /** The order in which one tenant's answers were used, held to its part of the room. */
  const shareOf = (tenantId: number): LRUCache<string, number> => {
    const share =
      shares.get(tenantId) ??
      new LRUCache<string, number>({
        maxSize: maxTenantBytes,
        sizeCalculation: (bytes) => bytes,
        dispose: (_bytes, key, reason) => {
          if (reason === "evict") entries.delete(key);
        },
      });
    shares.set(tenantId, share);
    return share;
  };
  return {
    get: async (tenantId, key) => {
      const entry = entries.get(key);
      if (entry === undefined || entry.tenantId !== tenantId) return undefined;
      if (entry.answer.expiresAtMs <= nowMs()) {
        entries.delete(key);
        return undefined;
      }
      shares.get(tenantId)?.get(key);
      return entry.answer;
    },
    put: async (tenantId, key, answer) => {
      const bytes = bytesOf(answer);
      if (bytes > maxEntryBytes) return;
      entries.delete(key);
      shareOf(tenantId).set(key, bytes);
      entries.set(key, { tenantId, answer });
    },
    close: async () => entries.clear(),
  };
}

/** Text is kept as one or two bytes a character; two is the bound. */
function bytesOf({ text }: CachedAnswer): number {
  return ENTRY_BYTES + 2 * text.length;
}

/** A near cache in front of one that several processes share. */
export function layeredAnswerCache(near: AnswerCache, far: AnswerCache): AnswerCache {
  return {
    get: async (tenantId, key) => {
      const known = await near.get(tenantId, key);
      if (known !== undefined) return known;
      const fetched = await far.get(tenantId, key);
      if (fetched !== undefined) await near.put(tenantId, key, fetched);
      return fetched;
    },
    put: async (tenantId, key, answer) => {
      await near.put(tenantId, key, answer);
      await far.put(tenantId, key, answer);
    },
    close: async () => {
      await Promise.allSettled([near.close(), far.close()]);
    },
  };
}
