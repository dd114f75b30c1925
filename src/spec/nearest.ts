import { distance } from "fastest-levenshtein";

/**
 * The candidate a writer most likely meant: by edit distance without regard to case, or sharing a word.
 * Undefined when nothing is near.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase().slice(0, 100);
  let best: string | undefined;
  let bestScore = Infinity;
  for (const candidate of candidates) {
    const score = dissimilarity(wanted, candidate.toLowerCase());
    if (score < bestScore) [best, bestScore] = [candidate, score];
  }
  return bestScore <= 0.5 ? best : undefined;
}

/** 0 equal … 1 nothing in common; a contained word counts as near, since models shorten and lengthen names. */
function dissimilarity(wanted: string, candidate: string): number {
  if (wanted === candidate) return 0;
  const edits = distance(wanted, candidate) / Math.max(wanted.length, candidate.length, 1);
  const contained = wanted.length >= 3 && candidate.length >= 3 && (candidate.includes(wanted) || wanted.includes(candidate));
  const words = new Set(wanted.split(/[_\s-]+/));
  const shared = candidate.split(/[_\s-]+/).filter((word) => word.length > 2 && words.has(word)).length;
  const overlap = shared === 0 ? 1 : 1 - shared / Math.max(words.size, candidate.split(/[_\s-]+/).length);
  return Math.min(edits, contained ? 0.3 : 1, overlap);
}
