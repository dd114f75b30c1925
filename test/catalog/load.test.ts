import { expect, test } from "vitest";
import { loadCatalog } from "../../src/catalog/load.ts";
import { CatalogInvalid } from "../../src/catalog/problems.ts";
import { copyCatalog, problemsOf } from "./catalog-copy.ts";

const LEAD = "metrics/lead-time.yaml";
const SCORE = "metrics/sprint-problematic-score.yaml";
const NET = "metrics/net-flow.yaml";
const MEMBERS = "datasources/sprint-members.yaml";
const STATES = "datasources/issue-states.yaml";

/** One change to the shipped catalog, and the finding it must bring: in which file, saying what. */
const REFUSED: readonly [what: string, file: string, before: string | RegExp, after: string, message: string][] = [
  ["an unknown column", LEAD, "where: resolved_at", "where: solved_at", 'where: unknown column "solved_at"; there are assignee'],
  ["an unknown column of time", LEAD, "time: resolved_at", "time: solved_at", 'time: "solved_at" is not a timestamp column of issues'],
  ["a time that is no timestamp", LEAD, "time: resolved_at", "time: status", 'time: "status" is not a timestamp column of issues'],
  ["events without a time", LEAD, "time: resolved_at\n", "", "time: a canonical time is needed"],
  ["a snapshot with a time", "metrics/wip.yaml", "datasource: issue_states", "datasource: issue_states\ntime: created_at", "time: snapshot rows have no canonical time"],
  ["an unknown datasource", LEAD, "datasource: issues", "datasource: tickets", 'datasource: there is no "tickets"; there are blocked_intervals'],
  ["an unknown unit column", "metrics/velocity.yaml", "per: [sprint_no]", "per: [sprint]", 'per: there is no column "sprint"'],
  ["missing tests", LEAD, /tests:[\s\S]*$/, "", "tests: Invalid input"],
  ["an empty list of tests", LEAD, /tests:[\s\S]*$/, "tests: []\n", "tests: Too small"],
  ["an unversioned change", LEAD, "86400.0", "86401.0", "the definition changed but its version 1.0.0 did not; raise the version"],
  ["an unrecorded version", LEAD, "version: 1.0.0", "version: 1.1.0", "version 1.1.0 is not recorded; run `metricgate catalog check --record`"],
  ["a default that is not allowed", LEAD, "default_aggregate: p50", "default_aggregate: sum", 'default_aggregate: "sum" is not one of its aggregates'],
  ["pooling what is no ratio", LEAD, "avg, min, max]", "pooled]", "aggregates: pooled is for metrics of type ratio"],
  ["last of what is no snapshot", LEAD, "avg, min, max]", "last]", "aggregates: last is for metrics of type snapshot"],
  ["an unknown aggregate", LEAD, "avg, min, max]", "p42]", "aggregates.5: Invalid option"],
  ["an unknown key", LEAD, "gap:", "gaps: 1\ngap:", 'the definition: Unrecognized key: "gaps"'],
  ["an unknown type", LEAD, "type: percentile", "type: magic", "type: Invalid"],
  ["a subquery", LEAD, /^value: .*$/m, "value: (select 1)", "value: SubLink is not allowed"],
  ["two statements", LEAD, /^value: .*$/m, 'value: "1; select 2"', "value: comments and semicolons are not allowed"],
  ["an aggregate over rows", LEAD, /^value: .*$/m, "value: count(*)", 'value: count is an aggregate; aggregates are for metrics with "per"'],
  ["rows where units are folded", "metrics/velocity.yaml", /^value: >-[\s\S]*?end$/m, "value: story_points", "value: story_points stands outside an aggregate"],
  ["a numerator that is no expression", "metrics/bug-ratio.yaml", /^numerator: .*$/m, "numerator: pg_sleep(1)", "numerator: function pg_sleep is not allowed"],
  ["a denominator that is no expression", "metrics/bug-ratio.yaml", /^denominator: .*$/m, "denominator: pg_sleep(1)", "denominator: function pg_sleep is not allowed"],
  ["weights that do not add up", SCORE, "weight: 0.25", "weight: 0.5", "components: the weights add up to 1.25, not 1"],
  ["an unknown component", SCORE, "metric: accuracy_abs }", "metric: accuracy }", 'components.accuracy: there is no metric "accuracy"'],
  ["a component that is no dependency", SCORE, "dependencies: [spillover_ratio, ", "dependencies: [", 'dependencies: "spillover_ratio" is missing'],
  ["a component that is no ratio per unit", SCORE, "metric: accuracy_abs }", "metric: bug_ratio }", 'components.accuracy: "bug_ratio" is not a ratio per unit of sprint_members'],
  ["half a component", SCORE, /^ {4}denominator: .*\n/m, "", "components.reopens: give either a metric or a numerator and a denominator"],
  ["a component twice over", SCORE, "metric: accuracy_abs }", 'metric: accuracy_abs, numerator: "count(*)" }', "components.accuracy: give either a metric or a numerator and a denominator"],
  ["a bad baseline", SCORE, "sprint_state = 'closed'", "sum(story_points) > 1", "baseline_where: sum is an aggregate"],
  ["a bad component", SCORE, "sum(blocked_hours)", "pg_sleep(blocked_hours)", "components.blocked.numerator: function pg_sleep is not allowed"],
  ["an unknown dependency", NET, "issues_closed]", "issues_shut]", 'dependencies: "issues_shut" is not a metric that can be computed on its own (a cycle?)'],
  ["a cycle", NET, "issues_closed]", "net_flow]", 'dependencies: "net_flow" is not a metric that can be computed on its own (a cycle?)'],
  ["an unused dependency", NET, "issues_closed]", "issues_closed, bug_count]", 'dependencies: "bug_count" is not used in value'],
  ["a derived value beyond its dependencies", NET, "value: issues_created", "value: bug_count", 'value: unknown column "bug_count"'],
  ["a dimension without a column", "dimensions/label.yaml", "name: label", "name: sticker", "no datasource has a column of this name"],
  ["a dimension of another type", "dimensions/status.yaml", "type: text", "type: number", "is number, but a datasource's column of this name is text"],
  ["a list that is not declared one", "dimensions/label.yaml", "multi_valued: true", "multi_valued: false", "is text, but a datasource's column of this name is text_list"],
  ["a dimension defined twice", "dimensions/label.yaml", "name: label", "name: component", "dimension component is already defined in dimensions/component.yaml"],
  ["a datasource defined twice", STATES, "name: issue_states", "name: issues", "datasource issues is already defined in datasources/issue-states.yaml"],
  ["a metric defined twice", NET, "name: net_flow", "name: wip", "metric wip major version 1 is already defined in metrics/net-flow.yaml"],
  ["an alias that is another metric", NET, "unit:", "aliases: [wip]\nunit:", 'aliases: "wip" already stands for metric wip'],
  ["an alias of two metrics", NET, "unit:", "aliases: [throughput]\nunit:", 'aliases: "throughput" already stands for metric issues_closed'],
  ["an alias of another version's name", NET, /version: 1.0.0([\s\S]*?)unit:/, "version: 2.0.0\ntitle: Net flow\ndescription: x\nformula: x\naliases: [wip]\nunit:", 'aliases: "wip" already stands for metric wip'],
  ["a replacement that does not exist", LEAD, "tests:", "deprecation: { since: 1.0.0, replaced_by: flow_time, remove_after: 2030-01-31 }\ntests:", 'deprecation.replaced_by: there is no metric "flow_time"'],
  ["a deprecation without its end", LEAD, "tests:", "deprecation: { since: 1.0.0, replaced_by: null }\ntests:", "deprecation.remove_after: Invalid input"],
  ["a bad version", LEAD, "version: 1.0.0", "version: one", "version: versions are semver, as 1.0.0"],
  ["a bad name", LEAD, "name: lead_time", "name: Lead Time", "name: names are lower_snake_case"],
  ["what is not YAML", LEAD, "name: lead_time", "name: [lead_time", "not YAML: "],
  ["a list for a definition", LEAD, /[\s\S]*/, "- 1\n", "the definition: Invalid input"],
  ["a bad root", "catalog.yaml", /^version: .*$/m, "version: 1", "version: Invalid input"],
  ["columns of an unknown datasource", MEMBERS, "columns_of: issues", "columns_of: tickets", 'columns_of: there is no datasource "tickets"'],
  ["columns of columns", STATES, "columns_of: issues", "columns_of: sprint_members", "columns_of: only one level is allowed"],
  ["a join to what is not there yet", MEMBERS, "{ table: sprint, to: sprint_member", "{ table: sprint, to: board", 'joins.sprint: joins to "board", which is not joined before it'],
  ["a column of no relation", MEMBERS, "sprint.sprint_id", "board.sprint_id", 'columns.sprint_id: relation "board" is not part of this datasource; there are sprint_member, sprint, issue, project'],
  ["a reserved name", MEMBERS, "board_id:", "spine_id:", "columns.spine_id: this name is reserved"],
  ["a span for events", MEMBERS, "rows: event", "rows: event\nspan: { start: sprint_start_at, end: sprint_end_at }", "rows: event takes no span"],
  ["spans without a span", STATES, /^span: .*\n/m, "", "rows: snapshot needs a span"],
  ["a span of text", STATES, "start: started_at", "start: status", 'span: "status" is not a timestamp column'],
  ["an instant of events", MEMBERS, "sprint_no: {", "instant: { spine: instant, type: timestamp }\n  sprint_no: {", "columns.instant: only snapshot rows have it"],
  ["an overlap of snapshots", STATES, "instant: {", "overlap: { spine: overlap_seconds, type: number }\n  instant: {", "columns.overlap: only interval rows have it"],
  ["the newest value of events", MEMBERS, "sprint_no: {", "newest: { latest: { table: issue_event, column: at, on: issue_no }, type: timestamp }\n  sprint_no: {", "columns.newest: only snapshot rows have it"],
  ["a computed column of a computed column", MEMBERS, "is_added and not", "committed and not", 'columns.added: unknown column "committed"'],
  ["a datasource's bad condition", "datasources/status-changes.yaml", "where: field = 'status'", "where: field like 'status'", "where: LIKE is not allowed"],
  ["a note's bad condition", STATES, "where: not has_history", "where: no_history", 'notes.no_history: unknown column "no_history"'],
];

test.each(REFUSED)("refuses %s, naming the file and the cure", async (...refused) => {
  const [, file, before, after, message] = refused;
  const copy = copyCatalog();
  copy.replace(file, before, after);
  const problems = await problemsOf(copy.directory);
  expect(problems.map((problem) => problem.message).join("\n")).toContain(message);
  const [found] = problems.filter((problem) => problem.message.includes(message));
  const isSecondFile = message.includes("already defined in");
  if (!isSecondFile) expect(found?.file).toBe(file);
});

test.each(["catalog.yaml", "versions.yaml", "CHANGELOG.md"])("refuses a catalog without %s", async (file) => {
  const copy = copyCatalog();
  copy.remove(file);
  expect(await problemsOf(copy.directory)).toEqual([{ file, message: "this file of the catalog is missing or cannot be read" }]);
});

test("refuses a catalog without a folder, telling everything that is wrong at once", async () => {
  const copy = copyCatalog();
  copy.remove("dimensions");
  copy.remove("metrics");
  expect((await problemsOf(copy.directory)).map(({ file }) => file).toSorted()).toEqual(["dimensions", "metrics"]);
  await expect(loadCatalog(copy.directory)).rejects.toThrow(CatalogInvalid);
  await expect(loadCatalog(copy.directory)).rejects.toThrow("The catalog has 2 problem(s):\n  d");
});

test("changes that do not change a meaning need no version: owner, tests, deprecation", async () => {
  const copy = copyCatalog();
  copy.replace(LEAD, "owner: delivery-analytics", "owner: somebody-else");
  copy.replace(LEAD, "shows: per project", "shows: project by project");
  copy.replace(LEAD, "tests:", "deprecation: { since: 1.0.0, replaced_by: cycle_time, remove_after: 2030-01-31 }\ntests:");
  const catalog = await loadCatalog(copy.directory);
  expect(catalog.metrics.get("lead_time")?.definition.deprecation?.replaced_by).toBe("cycle_time");
});

test("a catalog is frozen and its hash follows its contents", async () => {
  const copy = copyCatalog();
  const before = await loadCatalog(copy.directory);
  expect(Object.isFrozen(before)).toBe(true);
  expect((await loadCatalog(copy.directory)).hash).toBe(before.hash);
  copy.replace("datasources/issues.yaml", "description: One row per issue", "description: A row per issue");
  expect((await loadCatalog(copy.directory)).hash).not.toBe(before.hash);
  expect(before.columnsOf("no such expression")).toEqual([]);
});
