import { readText } from "./read-lines.ts";

/** A JSON value cut out of a file, not yet parsed. `envelope`: the page around items, with its list left empty. */
export interface JsonItem {
  readonly kind: "item" | "envelope";
  readonly text: string;
  /** Items of a file count from 1. */
  readonly number: number;
}

/** Lists of a page whose elements are items: `{ "issues": […] }` of a search, `{ "values": […] }` of a board. */
const LIST_KEYS: ReadonlySet<string> = new Set(["issues", "values"]);

/** Most characters of one item; a longer one is no issue of any tracker. */
export const MAX_ITEM_CHARS = 64 * 1024 * 1024;

/**
 * Cuts JSON text into items while it streams: the elements of a top-level array, of a page's list, or top-level objects
 * one after the other (NDJSON, a single issue). Holds one item at a time, not the file.
 */
export class JsonItems {
  readonly #maxItemChars: number;
  #buffer = "";
  #at = 0;
  #start = -1;
  #depth = 0;
  #listDepth = 0;
  #isInString = false;
  #stringStart = 0;
  #lastString = "";
  #isKey = false;
  #envelope: string[] | null = null;
  #count = 0;
  #found: JsonItem[] = [];

  constructor(maxItemChars = MAX_ITEM_CHARS) {
    this.#maxItemChars = maxItemChars;
  }

  /** Adds text; returns the items that it completes. Throws when one outgrows the memory it may take. */
  push(text: string): readonly JsonItem[] {
    this.#buffer += text;
    while (this.#at < this.#buffer.length && (this.#isInString ? this.#endString() : this.#nextMark()));
    const keepFrom = Math.min(this.#start >= 0 ? this.#start : this.#at, this.#buffer.length);
    this.#buffer = this.#buffer.slice(keepFrom);
    this.#at -= keepFrom;
    this.#stringStart -= keepFrom;
    if (this.#start >= 0) this.#start = 0;
    if (this.#buffer.length > this.#maxItemChars) throw new Error(`a JSON value is longer than ${this.#maxItemChars} characters`);
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** True when the text so far ends between values. */
  get isComplete(): boolean {
    return this.#depth === 0;
  }

  /** Moves behind the end of the string; false when the text ends before it. */
  #endString(): boolean {
    const marks = /["\\]/g;
    marks.lastIndex = this.#at;
    const match = marks.exec(this.#buffer);
    if (match === null) {
      this.#at = this.#buffer.length;
      return false;
    }
    if (match[0] === "\\") {
      this.#at = match.index + 2;
      return true;
    }
    this.#isInString = false;
    if (this.#depth === 1 && this.#listDepth === 0) {
      this.#lastString = this.#buffer.slice(this.#stringStart, match.index);
    }
    this.#at = match.index + 1;
    return true;
  }

  #nextMark(): boolean {
    const marks = /["{}[\]:]/g;
    marks.lastIndex = this.#at;
    const match = marks.exec(this.#buffer);
    if (match === null) {
      this.#at = this.#buffer.length;
      return false;
    }
    this.#at = match.index + 1;
    const mark = match[0];
    if (mark === '"') {
      this.#isInString = true;
      this.#stringStart = this.#at;
    } else if (mark === "{" || mark === "[") this.#open(mark, match.index);
    else if (mark !== ":") this.#close(match.index);
    this.#isKey = mark === ":";
    return true;
  }

  #open(mark: "{" | "[", index: number): void {
    const opensList = mark === "[" && (this.#depth === 0 || (this.#depth === 1 && this.#isKey && LIST_KEYS.has(this.#lastString)));
    this.#depth += 1;
    if (this.#listDepth === 0 && opensList) {
      if (this.#depth === 2) (this.#envelope ??= []).push(this.#buffer.slice(this.#start, index + 1));
      this.#listDepth = this.#depth;
      this.#start = -1;
    } else if (this.#start < 0) this.#start = index;
  }

  #close(index: number): void {
    this.#depth -= 1;
    if (this.#listDepth > 0 && this.#depth === this.#listDepth) {
      this.#emit("item", this.#buffer.slice(this.#start, index + 1));
      this.#start = -1;
    } else if (this.#listDepth > 0 && this.#depth === this.#listDepth - 1) {
      this.#listDepth = 0;
      this.#start = this.#depth === 0 ? -1 : index;
    } else if (this.#depth === 0) this.#closeObject(index);
    // Stray closing brackets: start over, so that what follows is still read.
    if (this.#depth < 0) this.#depth = 0;
  }

  #closeObject(index: number): void {
    const text = this.#buffer.slice(this.#start, index + 1);
    this.#start = -1;
    if (this.#envelope === null) this.#emit("item", text);
    else this.#found.push({ kind: "envelope", text: [...this.#envelope, text].join(""), number: 0 });
    this.#envelope = null;
  }

  #emit(kind: "item", text: string): void {
    this.#count += 1;
    this.#found.push({ kind, text, number: this.#count });
  }
}

/** The items of a file, plain or .gz. `onCut` is told when the file ends inside a value. */
export async function* readItems(path: string, onCut: () => void): AsyncGenerator<JsonItem> {
  const items = new JsonItems();
  for await (const chunk of readText(path)) yield* items.push(chunk);
  if (!items.isComplete) onCut();
}
