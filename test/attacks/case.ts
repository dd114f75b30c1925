import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ErrorCode, ProblemCode } from "../../src/errors.ts";

/** What must hold of the answer to an attack; what is not named is not asked. */
export interface Expectation {
  readonly code?: ErrorCode;
  readonly problem?: ProblemCode;
  /** Refused in whatever way: by the tool, the protocol or the transport. */
  readonly refused?: boolean;
  /** Statements that may have been run for it. */
  readonly sql?: 0;
  /** With `sql` 0: looks at the tables of jobs and results that it cost all the same, by its one well-formed handle; default 0. */
  readonly lookUps?: number;
  readonly rows?: number;
  readonly values?: number;
  readonly firstCell?: unknown;
  readonly maxMs?: number;
  readonly maxBytes?: number;
  /** The tracker's text stands inside its block, with nothing hidden. */
  readonly untrusted?: boolean;
  readonly csv?: boolean;
  readonly without?: readonly string[];
  /** The case whose answer this one must not differ from. */
  readonly sameAs?: string;
}

/** One message of a client: a tool call, the reading of a resource, or a completion. */
export interface Attack {
  readonly id: string;
  readonly class: string;
  readonly tool?: string;
  readonly input?: unknown;
  /** Arguments as the very bytes to send, where JSON.stringify would not write them so. */
  readonly body?: unknown;
  readonly resource?: string;
  readonly complete?: { readonly prompt: string; readonly argument: string };
  /** A spec whose result is then read as CSV, or by get_result. */
  readonly csvOf?: unknown;
  readonly pageOf?: unknown;
  readonly expect: Expectation;
}

export interface HttpAttack {
  readonly id: string;
  readonly class: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly expect: { readonly status: number | readonly number[]; readonly sql?: 0; readonly header?: Readonly<Record<string, string>> };
}

export interface WireAttack {
  readonly id: string;
  readonly class: string;
  readonly send: readonly unknown[];
  readonly expect: { readonly answer?: string; readonly closedWithinMs?: number };
}

export interface StdioAttack {
  readonly id: string;
  readonly class: string;
  readonly lines: readonly unknown[];
}

/** How a token differs from a good one of tenant A. */
export interface Forgery {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Unsigned; signed with the published key as a secret; signed by a key of the forger's. */
  readonly none?: true;
  readonly hmac?: true;
  readonly foreignKey?: true;
  readonly cut?: "signature" | "end";
  /** The parameter of the address to put it in. */
  readonly query?: string;
}

/** A tool call with a credential; text, a generator, or a forged token. */
export interface AuthAttack {
  readonly id: string;
  readonly class: string;
  readonly authorization?: string | { readonly $jwt: Forgery } | { readonly $gen: string };
  readonly path?: string | { readonly $jwt: Forgery };
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: { readonly status: number };
}

interface CaseFile {
  readonly class: string;
  readonly cases?: readonly Omit<Attack, "class">[];
  readonly http?: readonly Omit<HttpAttack, "class">[];
  readonly wire?: readonly Omit<WireAttack, "class">[];
  readonly stdio?: readonly Omit<StdioAttack, "class">[];
  readonly auth?: readonly Omit<AuthAttack, "class">[];
  readonly payloads?: Readonly<Record<string, string>>;
  readonly positions?: readonly (Omit<Attack, "class"> & { readonly except?: readonly string[] })[];
}

const FOLDER = join(import.meta.dirname, "cases");
const files: readonly CaseFile[] = readdirSync(FOLDER)
  .toSorted()
  .map((name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as CaseFile);

/** Every attack by message, with each payload in each position. */
export const ATTACKS: readonly Attack[] = files.flatMap((file) => [
  ...(file.cases ?? []).map((one) => ({ ...one, class: file.class })),
  ...(file.positions ?? []).flatMap(({ except = [], ...position }) =>
    Object.entries(file.payloads ?? {})
      .filter(([name]) => !except.includes(name))
      .map(([name, text]) => ({ ...withText(position, "$payload", text), id: `${position.id}/${name}`, class: file.class })),
  ),
]);
export const HTTP_ATTACKS: readonly HttpAttack[] = files.flatMap((file) => (file.http ?? []).map((one) => ({ ...one, class: file.class })));
export const WIRE_ATTACKS: readonly WireAttack[] = files.flatMap((file) => (file.wire ?? []).map((one) => ({ ...one, class: file.class })));
export const AUTH_ATTACKS: readonly AuthAttack[] = files.flatMap((file) => (file.auth ?? []).map((one) => ({ ...one, class: file.class })));
export const STDIO_ATTACKS: readonly StdioAttack[] = files.flatMap((file) =>
  (file.stdio ?? []).map((one) => ({ ...one, class: file.class })),
);

/** A case with `place` replaced by `text` in every string. */
export function withText<T>(data: T, place: string, text: string): T {
  return mapStrings(data, (value) => value.replaceAll(place, text)) as T;
}

function mapStrings(data: unknown, map: (value: string) => string): unknown {
  if (typeof data === "string") return map(data);
  if (Array.isArray(data)) return data.map((item) => mapStrings(item, map));
  if (data === null || typeof data !== "object") return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, mapStrings(value, map)]));
}

/** Inputs too large to be written down: `{"$gen": …}` becomes what it describes. */
export function generated(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(generated);
  if (data === null || typeof data !== "object") return data;
  const { $gen: kind, text = "", of, times = 0, kind: brackets } = data as Generator;
  switch (kind) {
    case undefined:
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, generated(value)]));
    case "repeat":
      return text.repeat(times);
    case "array":
      return Array.from({ length: times }, () => generated(of));
    case "key":
      return { [text.repeat(times)]: 1 };
    case "keys":
      return Object.fromEntries(Array.from({ length: times }, (_, at) => [`k${at}`, at]));
    case "nest":
      return brackets === "object" ? '{"a":'.repeat(times) + "1" + "}".repeat(times) : "[".repeat(times) + "]".repeat(times);
  }
}

interface Generator {
  readonly $gen?: "repeat" | "array" | "key" | "keys" | "nest";
  readonly text?: string;
  readonly of?: unknown;
  readonly times?: number;
  readonly kind?: "array" | "object";
}
