import { z } from "zod";
import { AppError } from "../errors.ts";
import type { Problem } from "../errors.ts";
import { problem } from "../spec/problems.ts";
import { isRecord } from "./json-schema.ts";

/** Reads a tool's arguments: null means absent; every problem is told at once. Throws SPEC_INVALID. */
export function parseInput<S extends z.ZodObject>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(withoutNulls(input ?? {}));
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape);
  throw new AppError("SPEC_INVALID", "The arguments cannot be used.", {
    problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, known)),
    next: "Correct the arguments and call again.",
  });
}

/** Clients that must send every key send null for what they do not mean. */
export function withoutNulls(value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

function problemsOf(issue: z.core.$ZodIssue, known: readonly string[]): readonly Problem[] {
  const path = pathText(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) =>
      problem("SPEC_INVALID", { path: key, message: "there is no such argument", allowed: known, wrote: key }),
    );
  }
  if (issue.code === "invalid_value") {
    return [problem("BAD_VALUE", { path, message: "this is not one of the allowed values", allowed: issue.values.map(String) })];
  }
  // Said of its type by the library: "Invalid input: expected string, received undefined".
  const isMissing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
  return [
    problem("BAD_VALUE", {
      path,
      message: isMissing ? `this argument is required; its type is ${issue.expected}` : lowerFirst(issue.message),
    }),
  ];
}

/** A path as a model would write it: `names[2]`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.map((key, at) => (typeof key === "number" ? `[${key}]` : `${at === 0 ? "" : "."}${String(key)}`)).join("");
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** Text with an upper length that is checked but not published: some clients refuse schemas with length bounds. */
export function boundedText(maxCharacters: number): z.ZodString {
  return z.string().refine((text) => text.length <= maxCharacters, `this must be at most ${maxCharacters} characters`);
}
