import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AppError, ERROR_MEANINGS, type ErrorCode, PROBLEM_MEANINGS, toAppError } from "../src/errors.ts";
import { must } from "../src/must.ts";

test("what is not ours is wrapped, so that its text reaches nobody", () => {
  const thrown = new Error('relation "warehouse.secret" does not exist');
  const error = toAppError(thrown);
  expect(error).toMatchObject({ name: "AppError", code: "INTERNAL", audience: "operator" });
  expect(`${error.message} ${error.details.next}`).not.toContain("secret");
  expect(error.cause).toBe(thrown);
  expect(toAppError("text").details.cause).toBe("text");
});

test("what is ours passes unchanged", () => {
  const error = new AppError("BUSY", "no room", { retryAfterSeconds: 2 });
  expect(toAppError(error)).toBe(error);
  expect(error.cause).toBeUndefined();
});

test("who can mend an error", () => {
  const forOperator = (Object.keys(ERROR_MEANINGS) as ErrorCode[]).filter((code) => new AppError(code, "x").audience === "operator");
  expect(forOperator.toSorted()).toEqual(["AUDIT_UNAVAILABLE", "INTERNAL", "UNAVAILABLE"]);
});

test("docs/errors.md tells every code", () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/errors.md"), "utf8");
  for (const code of [...Object.keys(ERROR_MEANINGS), ...Object.keys(PROBLEM_MEANINGS)]) expect(page).toContain(`\`${code}\``);
});

test("must gives what is there, also when it is falsy, and names what is not", () => {
  expect([must(0, "x"), must("", "x"), must(false, "x")]).toEqual([0, "", false]);
  for (const nothing of [null, undefined]) expect(() => must(nothing, "a thing")).toThrow("expected a thing");
});
