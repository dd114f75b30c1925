import { distance } from "fastest-levenshtein";
import type { Ask } from "./ask.ts";

/** Words of a question that are looked up. */
const MAX_WORDS = 12;
const MIN_LETTERS = 4;
/** From this length on two letters may be wrong. */
const LONG_LETTERS = 8;
/** By how many letters a term may be shorter than the word, whose end it lacks as a stem, and longer. */
const MISSING_LETTERS = 4;
const ADDED_LETTERS = 2;

/** Words of a question that may be misspelt: none of it was found. */
export function doubtfulWords({ probes }: Ask): string[] {
  const words = probes
    // What is quoted is meant as it is written.
    .filter(({ phrases }) => phrases.length === 0)
    .flatMap(({ terms }) => terms.map(({ term }) => term))
    .filter((term) => term.length >= MIN_LETTERS && /^\p{L}+$/u.test(term));
  return [...new Set(words)].slice(0, MAX_WORDS);
}

/** Which known terms misspelt words may be: by their first letters and their lengths. */
export function soughtTerms(words: readonly string[]): {
  readonly initials: readonly string[];
  readonly minLetters: number;
  readonly maxLetters: number;
} {
  const lengths = words.map((word) => word.length);
  return {
    initials: [...new Set(words.map((word) => Array.from(word)[0] ?? ""))],
    minLetters: Math.max(MIN_LETTERS, Math.min(...lengths) - MISSING_LETTERS),
    maxLetters: Math.max(...lengths) + ADDED_LETTERS,
  };
}

/**
 * For each misspelt word the known term that is nearest, the more frequent one first where several are; words that are near none
 * are left out. Known terms are stems, so that the end of a word may be missing from them.
 */
export function correctionsOf(words: readonly string[], vocabulary: readonly string[]): ReadonlyMap<string, string> {
  const byInitial = Map.groupBy(
    vocabulary.filter((term) => term.length >= MIN_LETTERS),
    (term) => term[0],
  );
  const found = new Map<string, string>();
  for (const word of words) {
    let best = { term: "", wrong: (word.length >= LONG_LETTERS ? 2 : 1) + 1 };
    for (const term of byInitial.get(word[0]) ?? []) {
      if (term.length > word.length + ADDED_LETTERS || term.length < word.length - MISSING_LETTERS) continue;
      const wrong = wrongLetters(word, term);
      if (wrong < best.wrong) best = { term, wrong };
    }
    // Nothing wrong: a known word, which what was asked besides left without an issue.
    if (best.term !== "" && best.wrong > 0) found.set(word, best.term);
  }
  return found;
}

/** Letters by which a word, with or without its end, is another than a stem. */
function wrongLetters(word: string, term: string): number {
  const whole = distance(word, term);
  if (term.length >= word.length) return whole;
  return Math.min(whole, distance(word.slice(0, term.length), term), distance(word.slice(0, term.length + 1), term));
}

/** The question with its misspelt words replaced by known terms, which are stems already. */
export function corrected(ask: Ask, corrections: ReadonlyMap<string, string>): Ask {
  const probes = ask.probes.map((probe) => ({
    ...probe,
    phrases: [],
    terms: probe.terms.map((one) => {
      const known = corrections.get(one.term);
      return { ...one, isQuoted: false, ...(known === undefined ? {} : { term: known, isWord: false }) };
    }),
  }));
  return { ...ask, probes };
}
