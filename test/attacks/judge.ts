import { parse } from "csv-parse/sync";
import { expect } from "vitest";
import { MARK } from "../support/marked-world.ts";
import type { Expectation } from "./case.ts";
import type { Said } from "./speaker.ts";

/** What only our own code, machine or database would say. */
const INTERNALS =
  /node_modules|\bat .*\.ts:\d|TypeError|RangeError|ZodError|syntax error at|relation "|column "|operator does not exist|invalid input syntax|pg_(?:authid|catalog|sleep)|postgres:\/\/|\/src\/|metricgate_(?:api|reader|owner)|warehouse\.[a-z_]/;
const HIDDEN = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u{e0000}-\u{e007f}]/u;
const HOSTILE = /IGNORE ALL|HYPERLINK|drop table|you are free/;

interface Envelope {
  readonly success?: boolean;
  readonly error?: { readonly code?: string; readonly problems?: readonly { readonly code: string }[] };
  readonly data?: { readonly rows?: readonly (readonly unknown[])[]; readonly values?: readonly unknown[] };
}

export const envelopeOf = (said: Said): Envelope => said.message.result?.structuredContent ?? {};
export const textOf = (said: Said): string => (said.message.result?.content ?? []).map(({ text }) => text ?? "").join("\n");

/** Holds an answer against what is expected of it, and against what must never be in any answer. */
export function judge(said: Said, expected: Expectation, sent: string): void {
  const all = JSON.stringify(said.message);
  const unsent = without(all, sent);
  expect(unsent).not.toContain(MARK);
  expect(unsent).not.toMatch(INTERNALS);
  expect(all).not.toContain('"INTERNAL"');
  const { error, data } = envelopeOf(said);
  const isRefused = said.status >= 400 || said.message.error !== undefined || said.message.result?.isError === true;
  const isErrorWanted = expected.code !== undefined || expected.refused === true;
  if (expected.maxMs === undefined) expect(isRefused, textOf(said).slice(0, 300)).toBe(isErrorWanted);
  else if (isErrorWanted) expect(isRefused).toBe(true);
  if (expected.code !== undefined) expect(error?.code, textOf(said)).toBe(expected.code);
  if (expected.problem !== undefined) expect(error?.problems?.map(({ code }) => code)).toContain(expected.problem);
  if (expected.rows !== undefined) expect(data?.rows).toHaveLength(expected.rows);
  if (expected.values !== undefined) expect(data?.values).toHaveLength(expected.values);
  if (expected.firstCell !== undefined) expect(data?.rows?.[0]?.[0]).toBe(expected.firstCell);
  if (expected.maxMs !== undefined) expect(said.ms).toBeLessThan(expected.maxMs);
  expect(said.bytes).toBeLessThan(expected.maxBytes ?? 60_000);
  for (const text of expected.without ?? []) expect(all).not.toContain(text);
  if (expected.untrusted === true) expectBlock(textOf(said));
  if (expected.csv === true) expectCsv(said);
}

/** An answer without the caller's own words: they may be told back. */
function without(all: string, sent: string): string {
  const words = [...sent.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word ?? "").filter((word) => word.length > 1);
  return [...new Set(words)]
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, word) => text.replaceAll(escapedAgain(word), "").replaceAll(word, ""), all);
}

/** Inside a text that is itself inside JSON. */
const escapedAgain = (word: string): string => JSON.stringify(word).slice(1, -1);

function expectBlock(text: string): void {
  const marker = /^<<<([\w-]{8})$/m.exec(text)?.[1] ?? "";
  expect(marker).not.toBe("");
  const lines = text.split("\n");
  const [begin, end] = [lines.indexOf(`<<<${marker}`), lines.lastIndexOf(`${marker}>>>`)];
  let seen = 0;
  for (const [at, line] of lines.entries()) {
    expect(line).not.toMatch(HIDDEN);
    if (!HOSTILE.test(line) || line.startsWith("spec: ")) continue;
    seen += 1;
    expect(at > begin && at < end, line).toBe(true);
  }
  expect(seen).toBeGreaterThan(0);
}

function expectCsv(said: Said): void {
  const { contents } = said.message.result as unknown as { contents: readonly { readonly text: string }[] };
  const rows = parse(contents[0]?.text ?? "") as string[][];
  expect(rows.length).toBeGreaterThan(5);
  for (const cell of rows.flat()) if (!/^-?[\d.]+$/.test(cell)) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
}
