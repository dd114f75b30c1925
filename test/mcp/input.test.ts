import { expect, test } from "vitest";
import { z } from "zod";
import { AppError } from "../../src/errors.ts";
import { parseInput } from "../../src/mcp/input.ts";

const SCHEMA = z.strictObject({
  result_id: z.string(),
  row: z.int().min(0),
  theme: z.enum(["light", "dark"]).default("light"),
});

function problemsOf(input: unknown) {
  try {
    parseInput(SCHEMA, input);
  } catch (error) {
    if (error instanceof AppError)
      return error.details.problems?.map(({ code, path, message, allowed }) => ({ code, path, message, allowed }));
    throw error;
  }
  return [];
}

test("null is absent, and a default stands for it", () => {
  expect(parseInput(SCHEMA, { result_id: "res_a", row: 0, theme: null })).toEqual({ result_id: "res_a", row: 0, theme: "light" });
});

test("what is missing is asked for, all at once", () => {
  expect(problemsOf(null)).toEqual([
    { code: "BAD_VALUE", path: "result_id", message: "this argument is required; its type is string", allowed: undefined },
    { code: "BAD_VALUE", path: "row", message: "this argument is required; its type is number", allowed: undefined },
  ]);
});

test("what is wrong is named, with what is allowed", () => {
  expect(problemsOf({ result_id: 7, row: -1, theme: "blue", colour: "red" })).toEqual([
    { code: "BAD_VALUE", path: "result_id", message: "invalid input: expected string, received number", allowed: undefined },
    { code: "BAD_VALUE", path: "row", message: expect.stringContaining(">=0"), allowed: undefined },
    { code: "BAD_VALUE", path: "theme", message: "this is not one of the allowed values", allowed: ["light", "dark"] },
    { code: "SPEC_INVALID", path: "colour", message: "there is no such argument", allowed: ["result_id", "row", "theme"] },
  ]);
});
