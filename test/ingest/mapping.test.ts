import { expect, test } from "vitest";
import { parseMapping } from "../../src/ingest/mapping.ts";

test("YAML and JSON say the same", () => {
  const yaml = `
statuses:
  In QA: in_progress
  "10020": { category: indeterminate }
  Waiting: { blocked: true }
bug_types: [Bug, 缺陷]
escape_labels: [hotfix]
story_points_field: customfield_10024`;
  const json = JSON.stringify({
    statuses: { "In QA": "in_progress", "10020": { category: "in_progress" }, Waiting: { blocked: true } },
    bug_types: ["Bug", "缺陷"],
    escape_labels: ["hotfix"],
    story_points_field: "customfield_10024",
  });
  expect(parseMapping(yaml)).toEqual(parseMapping(json));
  expect(parseMapping(yaml)).toEqual({
    statuses: new Map([
      ["10020", { category: "in_progress", isBlocked: false }],
      ["in qa", { category: "in_progress", isBlocked: false }],
      ["waiting", { category: null, isBlocked: true }],
    ]),
    bugTypes: ["Bug", "缺陷"],
    escapeLabels: ["hotfix"],
    storyPointsField: "customfield_10024",
    baseUrl: null,
  });
});

test("an empty mapping says nothing", () => {
  expect(parseMapping("")).toEqual({ statuses: new Map(), bugTypes: null, escapeLabels: null, storyPointsField: null, baseUrl: null });
});

test.each([
  ["statuses: { Open: opened }", "statuses.Open: a status is a category (new, in_progress, done) or { category, blocked }"],
  ["statuses: { Open: { categry: new } }", 'statuses.Open: Unrecognized key: "categry"'],
  ["bug_types: []", "bug_types: "],
  ["bugs: [Bug]", 'the mapping: Unrecognized key: "bugs"'],
  ["[1]", "the mapping: "],
  ["a: [", "the mapping is neither JSON nor YAML"],
])("%s is refused clearly", (text, message) => {
  expect(() => parseMapping(text)).toThrow(message);
});
