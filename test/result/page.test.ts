import { expect, test } from "vitest";
import { safeCsv } from "../../src/result/csv.ts";
import { withNearestValues } from "../../src/result/missing-values.ts";
import { approximateBytes, pageOf, readCursor, type StoredResult } from "../../src/result/page.ts";
import type { Answer } from "../../src/result/shape.ts";

const rows = Array.from({ length: 7 }, (_, index) => [`row ${index}`, index]);
const answer = { columns: [], rows, totals: ["", 21], total: 9, warnings: ["before"], missing: [] } as unknown as Answer;
const stored = { answer, meta: {}, queryTimeMs: 3, cached: false, expiresAtMs: null } as unknown as StoredResult;

test("pages follow each other without gap or overlap, the last without a cursor", () => {
  const seen: unknown[] = [];
  let offset: number | undefined = 0;
  const sizes: number[] = [];
  while (offset !== undefined) {
    const { data } = pageOf("res_x", stored, { offset, limit: 3, cacheSeconds: 0 });
    seen.push(...data.rows);
    sizes.push(data.rows.length);
    expect(data).toMatchObject({ total: 9, truncated: true, totals: ["", 21], query_time_ms: 3, cached: false });
    offset = data.next_cursor === null ? undefined : readCursor(data.next_cursor);
  }
  expect(seen).toEqual(rows);
  expect(sizes).toEqual([3, 3, 1]);
});

test("an answer without totals says nothing of them; a whole answer is not truncated", () => {
  const whole = { ...stored, answer: { ...answer, totals: undefined, total: 7 } };
  const { data, meta } = pageOf("res_x", whole, { offset: 0, limit: 50, cacheSeconds: 17 });
  expect("totals" in data).toBe(false);
  expect(data.truncated).toBe(false);
  expect(meta).toMatchObject({ cache_ttl: 17, result_id: "res_x", result_uri: "metricgate://results/res_x" });
});

test.each([
  "",
  "x",
  "bzoxMg;",
  Buffer.from("o:-1").toString("base64url"),
  Buffer.from("o:1e3").toString("base64url"),
  Buffer.from("o:99999999").toString("base64url"),
  Buffer.from("p:1").toString("base64url"),
  "../../etc",
])("a cursor that we did not write is none: %j", (cursor) => expect(readCursor(cursor)).toBeUndefined());

test("an answer's size grows with its text", () => {
  expect(approximateBytes([["x".repeat(1000), 1]])).toBeGreaterThan(approximateBytes([["x", 1]]) + 1900);
  expect(approximateBytes([])).toBeGreaterThan(0);
});

test("a spreadsheet opens text as text: what could be a formula is guarded, numbers are not", () => {
  const cells = ["=1+1", "+cmd", "-x", "@x", "\t=x", "\r=x", "  =x", "\u200b", "＝x", "-5", "+4.5", "a=b", "", "1;2"];
  const lines = safeCsv(
    ["name", "n"],
    cells.map((cell) => [cell, -1.5]),
  ).split("\r\n");
  expect(lines[0]).toBe("name,n");
  const guarded = lines.slice(1, -1).map((line) => line.startsWith("'") || line.startsWith("\"'"));
  expect(guarded).toEqual([true, true, true, true, true, true, true, false, true, false, false, false, false, false]);
  expect(lines.slice(1, -1).every((line) => line.endsWith(",-1.5") || line.endsWith('=x",-1.5'))).toBe(true);
});

test("cells are quoted where they must be; null is empty", () => {
  expect(
    safeCsv(
      ["a,b", 'c"d'],
      [
        ["x\ny", null],
        [true, "plain"],
      ],
    ),
  ).toBe('"a,b","c""d"\r\n"x\ny",\r\ntrue,plain\r\n');
});

test("a filter value that the data lacks brings the nearest there is, ahead of other warnings", async () => {
  const asked: string[] = [];
  const found = await withNearestValues({ ...answer, missing: [{ field: "issue_type", values: ["bug", "zzz"] }] }, (dimension) => {
    asked.push(dimension);
    return Promise.resolve(["Story", null, "Bug"]);
  });
  expect(asked).toEqual(["issue_type"]);
  expect(found.warnings).toEqual([
    "no issue_type 'bug'; there is 'Bug'.",
    "no issue_type 'zzz'; list_values names those there are.",
    "before",
  ]);
  expect(await withNearestValues(answer, () => Promise.reject(new Error("not asked")))).toBe(answer);
});

test("a value in a warning stays on one line and short", async () => {
  const value = `\u202e\n${"x".repeat(200)}`;
  const [warning] = (await withNearestValues({ ...answer, missing: [{ field: "label", values: [value] }] }, () => Promise.resolve([value])))
    .warnings;
  expect(warning).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(warning?.length).toBeLessThan(200);
});
