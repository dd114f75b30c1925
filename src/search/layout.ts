/*
 * How the index is laid out and what decides an impact: what the code that writes postings, the statement that reads them
 * and the migration that holds them (0010) agree on.
 */

/** Changes whenever a text would be cut or weighed otherwise; an index of another version is built anew. */
export const TOKENISER_VERSION = 1;

/** Issue numbers of one row of postings: 2 to the power of this. */
export const BLOCK_BITS = 12;
/** Bits of a posting that hold the impact; the place in its block stands above them. */
export const IMPACT_BITS = 16;
export const MAX_IMPACT = 2 ** IMPACT_BITS - 1;

/** BM25's k1. */
const SATURATION = 1.2;
/**
 * BM25F with fixed pivots for the lengths: with a corpus's averages in their place one new issue would change the weights of all
 * others. On the gitbugs sets the two differ by less than .01 in every figure (docs/search.md).
 */
const FIELDS = {
  title: { weight: 4, length: 9, normalised: 0.5 },
  body: { weight: 1, length: 100, normalised: 0.75 },
} as const;

/** A field of an issue: how often a term occurs there, and how many terms it has. */
export interface Occurrence {
  readonly times: number;
  readonly of: number;
}

/** A term's impact on its issue's score before rarity: 1 to MAX_IMPACT. */
export function impactOf(title: Occurrence, body: Occurrence): number {
  const frequency = weighed(title, FIELDS.title) + weighed(body, FIELDS.body);
  return Math.max(1, Math.round((frequency / (frequency + SATURATION)) * MAX_IMPACT));
}

function weighed(
  { times, of }: Occurrence,
  { weight, length, normalised }: { weight: number; length: number; normalised: number },
): number {
  return times === 0 ? 0 : (times * weight) / (1 - normalised + (normalised * of) / length);
}
