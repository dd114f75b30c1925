import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { neutralSource } from "../../src/ingest/neutral.ts";
import { lines, readAll, temporaryFiles } from "./support.ts";

const ISSUE = { key: "A-1", project_key: "A", type: "Bug", status: "Open", created_at: "2024-01-01T00:00:00Z" };

test("all files, plain and .gz, in the order in which they depend on each other", async () => {
  const folder = temporaryFiles({
    "sprint_issues.ndjson": lines({ sprint_id: 7, issue_key: "A-1", added_at: null }),
    "events.ndjson.gz": gzipSync(
      lines({ issue_key: "A-1", at: "2024-01-02T00:00:00Z", field: "status", from: "Open", to: "Done", from_id: 1 }),
    ),
    "issues.ndjson": lines({ ...ISSUE, id: 5, labels: ["x", "x", ""], status_category: "indeterminate", story_points: "3", summary: null }),
    "sprints.ndjson": lines({ id: 7, name: "S", state: "CLOSED", start_at: "2024-01-01" }),
    "statuses.ndjson": lines({ id: "1", name: "Open", category: "new" }),
    "projects.ndjson": lines({ key: "A", name: "Project A" }),
  });
  const { records, log } = await readAll(neutralSource(folder));
  expect(records.map(({ kind }) => kind)).toEqual(["project", "status", "sprint", "issue", "event", "sprint_issue"]);
  expect(records[3]).toMatchObject({
    place: "issues.ndjson:1",
    trackerId: "5",
    statusCategory: "in_progress",
    labels: ["x"],
    storyPoints: 3,
    summary: null,
  });
  expect(records[2]).toMatchObject({ id: "7", state: "closed", startAt: "2024-01-01T00:00:00.000Z", completeAt: null });
  expect(records[4]).toMatchObject({ fromId: "1", toId: null, author: null });
  expect(log.refused).toEqual([]);
});

test("bad rows are refused with a reason and the rest is read", async () => {
  const folder = temporaryFiles({
    "issues.ndjson": [
      "{not json",
      "[1]",
      JSON.stringify({ ...ISSUE, key: null }),
      JSON.stringify({ ...ISSUE, created_at: null }),
      JSON.stringify({ ...ISSUE, resolved_at: "sometime" }),
      JSON.stringify({ ...ISSUE, key: "nokey", project_key: null }),
      "",
      JSON.stringify({ ...ISSUE, key: "B-2", project_key: undefined }),
    ].join("\n"),
  });
  const { of, log } = await readAll(neutralSource(folder));
  expect(of("issue").map(({ key, projectKey }) => [key, projectKey])).toEqual([["B-2", "B"]]);
  expect(log.refused).toEqual([
    { place: "issues.ndjson:1", reason: "not JSON" },
    { place: "issues.ndjson:2", reason: "not a JSON object" },
    { place: "issues.ndjson:3", reason: "key is missing" },
    { place: "issues.ndjson:4", reason: "created_at is missing" },
    { place: "issues.ndjson:5", reason: "resolved_at is not a date: sometime" },
    { place: "issues.ndjson:6", reason: "project_key is missing and the key names no project" },
  ]);
});

test("broken UTF-8, NUL and lone surrogates do not stop a row", async () => {
  const row = JSON.stringify({ ...ISSUE, summary: "a\0b\ud800" }).replace('"Open"', '"Op?n"');
  const bytes = Buffer.from(row);
  bytes[bytes.indexOf("?")] = 0x9d;
  const { of, warnings } = await readAll(neutralSource(temporaryFiles({ "issues.ndjson": bytes })));
  expect(of("issue")[0]).toMatchObject({ summary: "ab\ufffd", status: "Op\ufffdn" });
  expect(warnings).toEqual(["rows with characters that were not UTF-8 (replaced by U+FFFD)"]);
});

test("a folder without issues, or none at all, is an error", async () => {
  await expect(readAll(neutralSource("/nonexistent"))).rejects.toThrow("no such folder");
  await expect(readAll(neutralSource(temporaryFiles({ "projects.ndjson": "" })))).rejects.toThrow("no issues.ndjson");
});

test("the list of refused rows is bounded, the count is not", async () => {
  const { log } = await readAll(neutralSource(temporaryFiles({ "issues.ndjson": "x\n".repeat(1500) })));
  expect([log.refused.length, log.refusedCount]).toEqual([1000, 1500]);
});
