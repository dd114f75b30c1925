import { termsOf } from "./tokenise.ts";

/** Length of a passage, in characters. */
const PASSAGE_CHARACTERS = 240;
/** A word and its forms share at least this many first letters. */
const MIN_STEM = 4;

interface Found {
  readonly at: number;
  readonly word: string;
}

/**
 * The passage of a text that has most of the wanted words, on one line; its beginning where it has none. Words count in all
 * their forms that begin alike.
 */
export function passageOf(text: string, wanted: ReadonlySet<string>): string {
  const found: Found[] = [];
  for (const match of text.matchAll(/[\p{L}\p{N}\p{M}_]+/gu)) {
    const word = wantedIn(match[0], wanted);
    if (word !== undefined) found.push({ at: match.index, word });
  }
  const start = Math.max(0, bestStart(found) - PASSAGE_CHARACTERS / 6);
  return cut(text, start);
}

/** The words of a question as `passageOf` wants them. */
export function wantedWords(texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => termsOf(text).map((term) => stemLike(term.text))));
}

/** What is wanted of a word; a name of code counts by its parts too. */
function wantedIn(word: string, wanted: ReadonlySet<string>): string | undefined {
  const whole = stemLike(word.toLowerCase());
  if (wanted.has(whole) || !/\p{Ll}\p{Lu}|_|[^\p{ASCII}]/u.test(word)) return wanted.has(whole) ? whole : undefined;
  return termsOf(word)
    .map((term) => stemLike(term.text))
    .find((stem) => wanted.has(stem));
}

/** Where the window with most distinct wanted words begins. */
function bestStart(found: readonly Found[]): number {
  let best = { start: 0, words: 0 };
  let from = 0;
  const inside = new Map<string, number>();
  for (const { at, word } of found) {
    inside.set(word, (inside.get(word) ?? 0) + 1);
    for (let first = found[from]; first !== undefined && at - first.at > PASSAGE_CHARACTERS * 0.75; first = found[from]) {
      const left = (inside.get(first.word) ?? 1) - 1;
      if (left === 0) inside.delete(first.word);
      else inside.set(first.word, left);
      from += 1;
    }
    if (inside.size > best.words) best = { start: found[from]?.at ?? 0, words: inside.size };
  }
  return best.start;
}

function cut(text: string, from: number): string {
  const start = from === 0 ? 0 : Math.max(0, text.lastIndexOf(" ", from) + 1, text.lastIndexOf("\n", from) + 1);
  const end = Math.min(text.length, start + PASSAGE_CHARACTERS);
  const passage = text.slice(start, end).toWellFormed().replaceAll(/\s+/g, " ").trim();
  return `${start > 0 ? "…" : ""}${passage}${end < text.length ? "…" : ""}`;
}

/** Enough of a word to know its forms by; a heuristic for showing, never for finding. */
function stemLike(word: string): string {
  return word.length <= MIN_STEM ? word : word.slice(0, Math.max(MIN_STEM, word.length - 3));
}
