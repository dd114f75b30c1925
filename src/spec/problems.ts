import type { Problem, ProblemCode } from "../errors.ts";
import { nearest } from "./nearest.ts";

/** Longest list of allowed names that an error repeats; a model needs a choice, not a dump. */
const MAX_ALLOWED = 60;

interface Finding {
  readonly path: string;
  readonly message: string;
  readonly allowed?: Iterable<string>;
  /** What the caller wrote, when the nearest allowed name should be offered. */
  readonly wrote?: string;
  readonly suggestion?: string | undefined;
}

/** Makes one finding about a spec, with the nearest allowed name where there is one. */
export function problem(code: ProblemCode, { path, message, allowed, wrote, suggestion }: Finding): Problem {
  const names = allowed === undefined ? undefined : [...allowed];
  const near = suggestion ?? (wrote !== undefined && names ? nearest(wrote, names) : undefined);
  return {
    code,
    path,
    message,
    ...(names === undefined ? {} : { allowed: names.slice(0, MAX_ALLOWED) }),
    ...(near === undefined ? {} : { suggestion: near }),
  };
}

/** Text a caller wrote, made safe to repeat in a message: bounded, on one line, quoted. */
export function quoted(text: string): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "�");
  return JSON.stringify(clean.length > 80 ? `${clean.slice(0, 80)}…` : clean);
}
