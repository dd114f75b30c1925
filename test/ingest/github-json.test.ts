import { expect, test } from "vitest";
import { githubJsonSource } from "../../src/ingest/github-json.ts";
import { openSource } from "../../src/ingest/open-source.ts";
import { readAll, temporaryFiles } from "./support.ts";

const URL = "https://api.github.com/repos/acme/box";

function issue(number: number, rest: object = {}): object {
  return {
    id: 1000 + number,
    number,
    title: `Issue ${number}`,
    state: "open",
    html_url: `https://github.com/acme/box/issues/${number}`,
    repository_url: URL,
    user: { login: "ada" },
    labels: [],
    created_at: "2024-01-01T00:00:00Z",
    updated_at: "2024-01-02T00:00:00Z",
    closed_at: null,
    ...rest,
  };
}

async function read(files: Record<string, unknown>) {
  const texts = Object.entries(files).map(([name, content]) => [name, typeof content === "string" ? content : JSON.stringify(content)]);
  return readAll(githubJsonSource(temporaryFiles(Object.fromEntries(texts))));
}

test("issues in neutral words; pull requests are counted, milestones are versions", async () => {
  const { of, log } = await read({
    "issues.json": [
      issue(1, {
        state: "closed",
        state_reason: "not_planned",
        closed_at: "2024-01-05T00:00:00Z",
        labels: [{ name: "kind/bug" }, "help"],
        milestone: { title: "v1" },
        assignee: { login: "bo" },
        body: "text",
      }),
      issue(2, { type: { name: "Feature" }, closed_at: "2023-01-01T00:00:00Z" }),
      issue(3, { pull_request: { url: "x" } }),
      issue(4, { html_url: "https://github.com/acme/box/pull/4" }),
      { title: "v1", number: 1, open_issues: 2 },
    ],
  });
  expect(of("status").map(({ id, category }) => [id, category])).toEqual([
    ["open", "new"],
    ["closed", "done"],
  ]);
  expect(of("issue")).toMatchObject([
    {
      key: "acme/box#1",
      trackerId: "1001",
      projectKey: "acme/box",
      type: "Bug",
      status: "Closed",
      statusId: "closed",
      statusCategory: "done",
      resolution: "not_planned",
      resolvedAt: "2024-01-05T00:00:00.000Z",
      labels: ["kind/bug", "help"],
      fixVersions: ["v1"],
      assignee: "bo",
      reporter: "ada",
      description: "text",
    },
    { key: "acme/box#2", type: "Feature", status: "Open", statusCategory: "new", resolution: null, resolvedAt: null, assignee: null },
  ]);
  expect(log.refused).toEqual([]);
  expect(log.warnings).toEqual([{ message: "pull requests are no issues and were left out", count: 2, place: "issues.json:3" }]);
});

test("a timeline becomes events; the closing it lacks comes from closed_at", async () => {
  const at = (day: number) => `2024-01-0${day}T00:00:00Z`;
  const { of } = await read({
    "a.json": issue(1, {
      state: "closed",
      closed_at: at(7),
      timeline: [
        { event: "reopened", created_at: at(4), actor: { login: "bo" } },
        { event: "closed", created_at: at(3), actor: { login: "ada" } },
        { event: "labeled", created_at: at(5), label: { name: "bug" } },
        { event: "unlabeled", created_at: at(5), label: { name: "bug" } },
        { event: "assigned", created_at: at(5), assignee: { login: "bo" } },
        { event: "unassigned", created_at: at(5), assignee: { login: "bo" } },
        { event: "milestoned", created_at: at(5), milestone: { title: "v1" } },
        { event: "demilestoned", created_at: at(5), milestone: { title: "v1" } },
        { event: "renamed", created_at: at(5), rename: { from: "a", to: "b" } },
        { event: "commented", created_at: at(6), user: { login: "cy" } },
        { event: "subscribed", created_at: at(6) },
      ],
    }),
    "b.json": issue(2, { state: "closed", closed_at: at(7), events: [{ event: "closed", created_at: at(7) }] }),
    "c.json": issue(3, { events: [{ event: "closed", created_at: at(7) }] }),
  });
  expect(of("event").map(({ issueKey, at: when, field, from, to }) => [issueKey.slice(-1), when.slice(8, 10), field, from, to])).toEqual([
    ["1", "03", "status", "Open", "Closed"],
    ["1", "04", "status", "Closed", "Open"],
    ["1", "05", "labels", null, "bug"],
    ["1", "05", "labels", "bug", null],
    ["1", "05", "assignee", null, "bo"],
    ["1", "05", "assignee", "bo", null],
    ["1", "05", "fix_version", null, "v1"],
    ["1", "05", "fix_version", "v1", null],
    ["1", "05", "summary", "a", "b"],
    ["1", "06", "comment", null, null],
    ["1", "07", "status", "Open", "Closed"],
    ["2", "07", "status", "Open", "Closed"],
    ["3", "07", "status", "Open", "Closed"],
  ]);
});

test("the repository's events are read after the issues, whichever file comes first", async () => {
  const { records, log } = await read({
    "events.json": [
      {
        event: "closed",
        created_at: "2024-01-05T00:00:00Z",
        actor: null,
        issue: { number: 1, html_url: "https://github.com/acme/box/issues/1" },
      },
      { event: "closed", created_at: "2024-01-05T00:00:00Z", issue: { html_url: "https://github.com/acme/box/pull/9" } },
      { event: "closed", created_at: "2024-01-05T00:00:00Z", issue_url: `${URL}/issues/1` },
      { event: "closed", created_at: "2024-01-05T00:00:00Z", url: `${URL}/issues/events/77` },
      { event: "closed", created_at: "later", issue_url: `${URL}/issues/1` },
    ],
    "issues.json": [issue(1, { html_url: null, url: null })],
  });
  expect(records.map((record) => ("issueKey" in record ? record.issueKey : record.kind))).toEqual([
    "status",
    "status",
    "issue",
    "acme/box#1",
    "acme/box#1",
  ]);
  expect(log.refused).toEqual([
    { place: "events.json:4", reason: "no URL names the issue's repository" },
    { place: "events.json:5", reason: "created_at is not a date: later" },
  ]);
});

test("bad items are refused and the rest is read", async () => {
  const { of, log } = await read({
    "a.json": `[{"x":1},[1],{bad},${JSON.stringify(issue(1))},${JSON.stringify(issue(2, { created_at: null }))},{"title":"t"`,
    "b.json": issue(5, { html_url: "https://git.corp.example/team/tool/issues/5", repository_url: null }),
  });
  expect(of("issue").map(({ key }) => key)).toEqual(["acme/box#1", "team/tool#5"]);
  expect(log.refused).toEqual([
    { place: "a.json:1", reason: "no issue or event of GitHub" },
    { place: "a.json:2", reason: "not a JSON object" },
    { place: "a.json:3", reason: "not JSON" },
    { place: "a.json:5", reason: "created_at is missing" },
    { place: "a.json", reason: "the file ends inside a value" },
  ]);
});

test("each format has its source", () => {
  expect((["neutral", "jira-json", "jira-csv", "github-json"] as const).map((format) => openSource(format, "x").kind)).toEqual([
    "neutral",
    "jira",
    "jira",
    "github",
  ]);
});
