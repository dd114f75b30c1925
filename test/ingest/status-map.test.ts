import { expect, test } from "vitest";
import { parseMapping } from "../../src/ingest/mapping.ts";
import { settleStatuses } from "../../src/ingest/status-map.ts";
import type { MappedStatus, StatusEvidence } from "../../src/ingest/status-map.ts";

function settle(evidence: Partial<StatusEvidence> & Pick<StatusEvidence, "names">) {
  const { statuses, disagreements } = settleStatuses({ listed: new Map(), votes: [], stored: new Map(), mapping: null, ...evidence });
  return { by: Object.fromEntries(statuses.map((one) => [one.ref, [one.category, one.origin, one.isBlocked]])), disagreements };
}

function stored(ref: string, rest: Partial<MappedStatus>): [string, MappedStatus] {
  return [ref, { ref, name: ref, category: null, isBlocked: false, origin: "unmapped", ...rest }];
}

test("operator before tracker's list before its issues before its name before well-known before nothing", () => {
  const names = new Map([
    ["1", "Open"],
    ["2", "QA"],
    ["3", "QA2"],
    ["4", "qa2"],
    ["5", "PATCH AVAILABLE"],
    ["6", "Inbox"],
  ]);
  const { by } = settle({
    names,
    listed: new Map([
      ["1", "done"],
      ["2", "new"],
    ]),
    votes: [
      { ref: "2", category: "done", issues: 9, newest: 1 },
      { ref: "3", category: "in_progress", issues: 1, newest: 1 },
    ],
    mapping: parseMapping("statuses: { open: new }"),
  });
  expect(by).toEqual({
    1: ["new", "operator", false],
    2: ["new", "tracker", false],
    3: ["in_progress", "tracker", false],
    4: ["in_progress", "tracker", false],
    5: ["in_progress", "well_known", false],
    6: [null, "unmapped", false],
  });
});

test("issues that disagree: the majority, among equals the newest, and it is reported", () => {
  const votes = [
    { ref: "1", category: "new", issues: 5, newest: 100 },
    { ref: "1", category: "done", issues: 25, newest: 1 },
    { ref: "2", category: "new", issues: 2, newest: 3 },
    { ref: "2", category: "in_progress", issues: 2, newest: 4 },
  ] as const;
  const { by, disagreements } = settle({
    names: new Map([
      ["1", "a"],
      ["2", "b"],
    ]),
    votes,
  });
  expect(by).toMatchObject({ 1: ["done", "tracker", false], 2: ["in_progress", "tracker", false] });
  expect(disagreements.map(({ ref, chosen }) => [ref, chosen])).toEqual([
    ["1", "done"],
    ["2", "in_progress"],
  ]);
});

test("a name on whose category its ids disagree is no evidence", () => {
  const { by } = settle({
    names: new Map([
      ["1", "Review"],
      ["2", "Review"],
      ["Review", "Review"],
    ]),
    listed: new Map([
      ["1", "new"],
      ["2", "done"],
    ]),
  });
  expect(by["Review"]).toEqual([null, "unmapped", false]);
});

test("what was stored holds until somebody says otherwise", () => {
  const before = new Map([
    stored("op", { category: "done", isBlocked: true, origin: "operator" }),
    stored("tr", { category: "in_progress", origin: "tracker" }),
    stored("held", { isBlocked: true }),
  ]);
  const names = new Map([
    ["op", "op"],
    ["tr", "tr"],
    ["held", "held"],
  ]);
  expect(settle({ names, stored: before }).by).toEqual({
    op: ["done", "operator", true],
    tr: ["in_progress", "tracker", false],
    held: [null, "unmapped", true],
  });
  expect(settle({ names, stored: before, mapping: parseMapping("statuses: { tr: { blocked: true } }") }).by).toEqual({
    op: [null, "unmapped", false],
    tr: ["in_progress", "tracker", true],
    held: [null, "unmapped", false],
  });
});
