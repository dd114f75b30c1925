import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { errorText } from "../../src/mcp/answer.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { warningsOf } from "../../src/result/warnings.ts";
import { shippedCatalog } from "../support/mcp-pipeline.ts";

const COUNT = { measures: [{ name: "issues_created" }] };

async function refusal(input: unknown): Promise<string> {
  const parsed = parseSpec(input, { catalog: await shippedCatalog(), defaultTimezone: "UTC", maxRows: 1000 });
  if ("spec" in parsed) throw new Error("the spec was accepted");
  return errorText(new AppError("SPEC_INVALID", "No.", { problems: parsed.problems }));
}

test("an offset that the database has none of is refused before it gets there", async () => {
  const filters = (value: string) => [{ field: "created_at", op: ">", value }];
  expect(await refusal({ ...COUNT, filters: filters("2024-01-01T00:00:00+19:00") })).toContain("filters[0].value");
  expect(await refusal({ ...COUNT, filters: filters("2024-01-01T00:00:00-16:00") })).toContain("filters[0].value");
  await expect(refusal({ ...COUNT, filters: filters("2024-01-01T00:00:00+15:59") })).rejects.toThrow("accepted");
});

test("a text where a list belongs is told once", async () => {
  expect(await refusal({ ...COUNT, dimensions: "project_key" })).toBe("SPEC_INVALID: No.\n- BAD_VALUE: must be a list (dimensions).");
});

test("a name near a metric that cannot be had says why it cannot", async () => {
  expect(await refusal({ measures: [{ name: "deploy_frequency" }] })).toMatch(
    /nearest is deployment_frequency, which cannot be answered: DORA/,
  );
});

test("a period that begins after the newest data is owned up to", async () => {
  const catalog = await shippedCatalog();
  const parsed = parseSpec(COUNT, { catalog, defaultTimezone: "UTC", maxRows: 1000 });
  if (!("spec" in parsed)) throw new Error("refused");
  const warn = (from: string | null): string[] =>
    warningsOf(
      { count: 0, total: 0, dataAsOf: "2024-05-06T10:00:00.000Z", partialBuckets: [] },
      { spec: parsed.spec, catalog, from, notes: [] },
    );
  expect(warn("2024-05-07")).toEqual([expect.stringContaining("begins on 2024-05-07, after the newest data")]);
  expect(warn("2024-05-06")).toEqual([]);
  expect(warn(null)).toEqual([]);
});
