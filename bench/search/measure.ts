/** Recall at ranks and the mean reciprocal rank of a list of ranks; 0 is not found. */
export interface Quality {
  readonly n: number;
  readonly r1: number;
  readonly r5: number;
  readonly r10: number;
  readonly mrr: number;
}

export function qualityOf(ranks: readonly number[]): Quality {
  const within = (most: number): number => ranks.filter((rank) => rank > 0 && rank <= most).length / ranks.length;
  const mrr = ranks.reduce((sum, rank) => sum + (rank > 0 ? 1 / rank : 0), 0) / ranks.length;
  return { n: ranks.length, r1: within(1), r5: within(5), r10: within(10), mrr };
}

/** The place of the first target among keys, from 1; 0 where there is none. */
export function rankOf(keys: readonly string[], targets: ReadonlySet<string>): number {
  return keys.findIndex((key) => targets.has(key)) + 1;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Some of a list, in random order. */
export function sample<T>(list: readonly T[], count: number, random: () => number): T[] {
  const left = [...list];
  const taken: T[] = [];
  while (taken.length < count && left.length > 0) taken.push(...left.splice(Math.floor(random() * left.length), 1));
  return taken;
}
