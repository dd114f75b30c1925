/** One term of a text, as the index and the query both see it. */
export interface Term {
  readonly text: string;
  /** A plain word, which a language's dictionary may stem or drop; identifiers, numbers and codes stay as they are. */
  readonly isWord: boolean;
}

/** A longer text is read up to here, in characters: the tail of a pasted log says little. */
export const MAX_TEXT_CHARACTERS = 16_000;
/** Longer names are cut, so that no term is larger than an index takes. */
const MAX_TERM_CHARACTERS = 48;
/** Digits beyond this are a timestamp, a checksum or an address: each occurs once. */
const MAX_DIGITS = 8;
const MAX_HEX_DIGITS = 10;
/** Segments up to which a dotted or hyphened name is also a term as a whole: a version, a file, an issue key. */
const MAX_WHOLE_SEGMENTS = 4;

/** Scripts that write without spaces: cut into pairs of characters. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const UNSPACED_RUN = new RegExp(`${UNSPACED.source}+`, "gu");
/** Words with what joins them into a name: dots, hyphens, slashes, colons. */
const NAME = /[\p{L}\p{N}\p{M}_$]+(?:[.\-/\\:#@]+[\p{L}\p{N}\p{M}_$]+)*/gu;
const SEGMENT = /[^.\-/\\:#@]+/g;
const PART = /\p{Lu}+(?=\p{Lu}\p{Ll})|\p{Lu}?[\p{Ll}\p{M}]+|\p{Lu}+|[\p{Lo}\p{Lm}\p{Lt}\p{M}]+|\p{N}+/gu;
const LETTERS = /^[\p{L}\p{M}]+$/u;
const DIGITS = /^\p{N}+$/u;
const HEX = /^(0x)?[0-9a-f]*\d[0-9a-f]*$/;
const ASCII = /^\p{ASCII}*$/u;
const SMALL_WORD = /^[a-z]{1,40}$/;
const LATIN_ACCENTS = /[\u0300-\u036f]/g;

/**
 * The terms of a text in order. Names of code come as a whole and in parts: `getUserName`, `get_user_name` and `user name`
 * meet in `user` and `name`, the first two also in `getusername`; versions, files and issue keys stay findable as written.
 */
export function termsOf(text: string): Term[] {
  const terms: Term[] = [];
  const cut = text.slice(0, MAX_TEXT_CHARACTERS);
  const plain = ASCII.test(cut) ? cut : cut.normalize("NFKD").replace(LATIN_ACCENTS, "").normalize("NFC");
  for (const [name] of plain.matchAll(NAME)) {
    // Most of a text: plain words in small letters.
    if (SMALL_WORD.test(name)) terms.push({ text: name, isWord: true });
    else addName(name, terms);
  }
  return terms;
}

function addName(name: string, terms: Term[]): void {
  const segments = name.match(SEGMENT) ?? [];
  for (const segment of segments) addSegment(segment, terms);
  if (segments.length > 1 && segments.length <= MAX_WHOLE_SEGMENTS && /[.\d]/.test(name) && !/[/\\:@#]/.test(name))
    add({ text: name.toLowerCase(), isWord: false }, terms);
}

function addSegment(segment: string, terms: Term[]): void {
  if (UNSPACED.test(segment)) return addUnspaced(segment, terms);
  const lower = segment.toLowerCase();
  if (isNoise(lower)) return;
  const isWord = LETTERS.test(segment);
  const parts = (segment.match(PART) ?? []).map((part) => part.toLowerCase());
  if (parts.length < 2) return add({ text: parts[0] ?? lower, isWord }, terms);
  for (const part of parts) if (part.length > 1) add({ text: part, isWord: LETTERS.test(part) }, terms);
  add({ text: lower.replaceAll(/[_$]/g, ""), isWord: false }, terms);
}

function addUnspaced(segment: string, terms: Term[]): void {
  let rest = segment;
  for (const [run] of segment.matchAll(UNSPACED_RUN)) {
    const characters = Array.from(run);
    if (characters.length === 1) add({ text: run, isWord: false }, terms);
    for (let at = 1; at < characters.length; at += 1) add({ text: `${characters[at - 1]}${characters[at]}`, isWord: false }, terms);
    rest = rest.replace(run, " ");
  }
  for (const [word] of rest.matchAll(/[\p{L}\p{N}]+/gu)) add({ text: word.toLowerCase(), isWord: LETTERS.test(word) }, terms);
}

function add(term: Term, terms: Term[]): void {
  const { text } = term;
  if (text === "" || isNoise(text)) return;
  terms.push(text.length > MAX_TERM_CHARACTERS ? { ...term, text: text.slice(0, MAX_TERM_CHARACTERS) } : term);
}

function isNoise(text: string): boolean {
  return (text.length > MAX_DIGITS && DIGITS.test(text)) || (text.length > MAX_HEX_DIGITS && HEX.test(text));
}
