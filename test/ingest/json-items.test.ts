import fc from "fast-check";
import { expect, test } from "vitest";
import { JsonItems } from "../../src/ingest/json-items.ts";
import type { JsonItem } from "../../src/ingest/json-items.ts";

function itemsOf(text: string, chunkChars = text.length || 1): { items: unknown[]; envelopes: unknown[]; isComplete: boolean } {
  const reader = new JsonItems();
  const found: JsonItem[] = [];
  for (let at = 0; at < text.length; at += chunkChars) found.push(...reader.push(text.slice(at, at + chunkChars)));
  const parsed = (kind: "item" | "envelope") => found.filter((one) => one.kind === kind).map((one): unknown => JSON.parse(one.text));
  return { items: parsed("item"), envelopes: parsed("envelope"), isComplete: reader.isComplete };
}

test("finds items in an array, in lines, in pages, and a single one", () => {
  expect(itemsOf('[{"a":[1,{"b":"}"}]}, {"c":"[\\"]"}]').items).toEqual([{ a: [1, { b: "}" }] }, { c: '["]' }]);
  expect(itemsOf('{"a":1}\n{"issues":5,"b":"issues"}\n').items).toEqual([{ a: 1 }, { issues: 5, b: "issues" }]);
  expect(itemsOf('{"key":"A-1","fields":{"issues":[1,{"x":2}],"values":[{}]}}').items).toEqual([
    { key: "A-1", fields: { issues: [1, { x: 2 }], values: [{}] } },
  ]);
  const page = itemsOf('{"total":2,"issues":[{"key":"A-1"},{"key":"A-2"}],"names":{"customfield_1":"Story Points"}}{"issues" : []}');
  expect(page.items).toEqual([{ key: "A-1" }, { key: "A-2" }]);
  expect(page.envelopes).toEqual([{ total: 2, issues: [], names: { customfield_1: "Story Points" } }, { issues: [] }]);
});

test("a file that ends inside a value is known to be cut", () => {
  expect(itemsOf('[{"a":1},{"b":')).toEqual({ items: [{ a: 1 }], envelopes: [], isComplete: false });
  expect(itemsOf("[]").isComplete).toBe(true);
});

test("an item that never ends is given up", () => {
  const reader = new JsonItems(100);
  reader.push('[{"a":"');
  expect(() => reader.push("x".repeat(101))).toThrow("a JSON value is longer than 100 characters");
});

test("stray brackets do not stop what follows", () => {
  expect(itemsOf(']}{"a":1}').items).toEqual([{ a: 1 }]);
});

test("any JSON cut into any chunks gives the same items", () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), { maxLength: 6 });
  fc.assert(
    fc.property(objects, fc.integer({ min: 1, max: 20 }), fc.constantFrom("array", "lines", "page"), (values, chunkChars, form) => {
      const safe = values.map((value) => ({ "": 0, inner: value }));
      const text =
        form === "array"
          ? JSON.stringify(safe, null, 1)
          : form === "page"
            ? JSON.stringify({ startAt: 0, issues: safe, more: { issues: [1] } })
            : safe.map((value) => JSON.stringify(value)).join("\n");
      expect(itemsOf(text, chunkChars).items).toEqual(JSON.parse(JSON.stringify(safe)));
    }),
    { numRuns: 300 },
  );
});
