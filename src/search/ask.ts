import type { ProbeTerm, SearchProbe } from "../plan/search.ts";
import { termsOf } from "./tokenise.ts";

/** A probe of a question, and how much its ranking counts. */
export interface WeightedProbe extends SearchProbe {
  readonly weight: number;
}

/** What a caller asks of the index, made ready for it. */
export interface Ask {
  readonly probes: readonly WeightedProbe[];
  /** Issue keys that a short question names. */
  readonly keys: readonly string[];
  /** The titles that hits' titles are compared with. */
  readonly titles: readonly string[];
}

/** An issue as a question. */
export interface Subject {
  readonly title: string;
  readonly body: string;
}

/** A longer question is a text that somebody pasted: what it quotes or names in passing is not what is looked for. */
const SHORT_CHARACTERS = 200;
const MAX_TITLE_CHARACTERS = 300;
const MAX_KEYS = 20;
const MAX_PHRASES = 5;
/** Distinct terms of one probe, first ones first. */
const MAX_TERMS = 400;
/** How much the title alone counts beside title and body together; see docs/search.md. */
const TITLE_WEIGHT = 0.5;

const ISSUE_KEY = /[\p{L}][\p{L}\p{N}_]{0,30}-\d{1,10}(?![\p{L}\p{N}])|[\w.-]{1,60}\/[\w.-]{1,100}#\d{1,10}/gu;
const QUOTED = /"([^"]{2,200})"/g;

/** Several phrasings as one question. */
export function askQueries(queries: readonly string[]): Ask {
  const asks = queries.map(askQuery);
  return {
    probes: asks.flatMap(({ probes }) => probes),
    keys: [...new Set(asks.flatMap(({ keys }) => keys))].slice(0, MAX_KEYS),
    titles: asks.flatMap(({ titles }) => titles),
  };
}

/** An issue's likes: all of its text, and its title alone. */
export function askSubject({ title, body }: Subject): Ask {
  const whole = probeOf(`${title}\n${body}`, 1);
  const probes = body.trim() === "" ? [whole] : [whole, probeOf(title, TITLE_WEIGHT)];
  return { probes: probes.filter(isSaying), keys: [], titles: title === "" ? [] : [title.slice(0, MAX_TITLE_CHARACTERS)] };
}

function askQuery(query: string): Ask {
  const text = query.trim();
  const [firstLine = "", ...rest] = text.split("\n");
  // The first line of a pasted issue is its title.
  if (rest.some((line) => line.trim() !== "")) return askSubject({ title: firstLine, body: rest.join("\n") });
  if (text.length > SHORT_CHARACTERS)
    return { probes: [probeOf(text, 1)].filter(isSaying), keys: [], titles: [firstLine.slice(0, MAX_TITLE_CHARACTERS)] };
  const phrases = [...text.matchAll(QUOTED)].flatMap(([, phrase = ""]) =>
    termsOf(phrase).length > 0 ? [phrase.trim().replaceAll(/\s+/g, " ")] : [],
  );
  const plain = probeOf(text, 1);
  const strict = quoting(plain, phrases.slice(0, MAX_PHRASES));
  // Nothing but a quotation asks for that and nothing else; beside other words it lifts the issues that have it.
  const isQuotation = phrases.length === 1 && /^"[^"]*"$/.test(text);
  const probes = phrases.length === 0 ? [plain] : isQuotation ? [strict] : [plain, strict];
  return { probes: probes.filter(isSaying), keys: keysIn(text), titles: [text] };
}

function keysIn(text: string): string[] {
  return [...text.matchAll(ISSUE_KEY)].flatMap(([key]) => [...new Set([key, key.toUpperCase()])]);
}

function probeOf(text: string, weight: number): WeightedProbe {
  const terms = new Map<string, ProbeTerm>();
  for (const { text: term, isWord } of termsOf(text)) {
    const key = `${isWord ? "w" : "x"}${term}`;
    const known = terms.get(key);
    if (known !== undefined) terms.set(key, { ...known, times: known.times + 1 });
    else if (terms.size < MAX_TERMS) terms.set(key, { term, isWord, isQuoted: false, times: 1 });
  }
  return { terms: [...terms.values()], phrases: [], weight };
}

/** The probe for what holds some phrases. Names of code are no words of theirs: a phrase may begin or end in the middle of one. */
function quoting(probe: WeightedProbe, phrases: readonly string[]): WeightedProbe {
  const words = new Set(
    phrases.flatMap((phrase) => termsOf(phrase).flatMap(({ text, isWord }) => (isWord && text.length > 1 ? [text] : []))),
  );
  return { ...probe, phrases, terms: probe.terms.map((one) => ({ ...one, isQuoted: one.isWord && words.has(one.term) })) };
}

const isSaying = ({ terms }: WeightedProbe): boolean => terms.length > 0;
