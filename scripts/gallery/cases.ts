import type { ChartRequest, ChartType } from "../../src/spec/chart.ts";

/** One picture of the gallery: a question to a demo tenant, and how its answer is drawn. */
export interface GalleryCase {
  readonly type: ChartType;
  readonly tenant: "demo" | "acme";
  /** When this chart says more than another. */
  readonly use: string;
  readonly spec: object;
  readonly wish?: Partial<Omit<ChartRequest, "result_id" | "type" | "theme" | "format">>;
}

const YEAR = { grain: "month", range: "last_12_months" } as const;
const HALF_YEAR_OF_WEEKS = { grain: "week", range: "last_6_months" } as const;
const CLOSED = [{ field: "sprint_state", op: "=", values: ["closed"] }] as const;

/** Every chart type once, from real answers of the shipped catalog. */
export const CASES: readonly GalleryCase[] = [
  { type: "bar", tenant: "demo", use: "A count over few buckets of time.", spec: { measures: [{ name: "issues_closed" }], time: YEAR } },
  {
    type: "grouped_bar",
    tenant: "demo",
    use: "A few series side by side.",
    spec: { measures: [{ name: "issues_created" }, { name: "issues_closed" }], time: { grain: "month", range: "last_6_months" } },
    wish: { title: "Work that came in and work that was done" },
  },
  {
    type: "stacked_bar",
    tenant: "demo",
    use: "Parts of a count that adds up, and the whole.",
    spec: { measures: [{ name: "issues_created" }], dimensions: ["issue_type"], time: YEAR },
  },
  {
    type: "normalized_bar",
    tenant: "demo",
    use: "How a mix shifts, whatever its size.",
    spec: { measures: [{ name: "issues_created" }], dimensions: ["issue_type"], time: YEAR },
    wish: { title: "Share of bugs among what was created" },
  },
  {
    type: "horizontal_bar",
    tenant: "demo",
    use: "Groups by size, with names that have room.",
    spec: { measures: [{ name: "lead_time" }], dimensions: ["assignee"], time: { range: "last_12_months" } },
  },
  {
    type: "line",
    tenant: "acme",
    use: "One number over time.",
    spec: { measures: [{ name: "lead_time", agg: "p85" }], time: HALF_YEAR_OF_WEEKS },
  },
  {
    type: "multi_line",
    tenant: "demo",
    use: "Up to six groups, or several measures of one unit, over time.",
    spec: { measures: [{ name: "spillover_ratio" }], dimensions: ["project_name"], time: YEAR },
  },
  { type: "area", tenant: "demo", use: "An amount over time.", spec: { measures: [{ name: "wip" }], time: HALF_YEAR_OF_WEEKS } },
  {
    type: "stacked_area",
    tenant: "demo",
    use: "Parts of an amount over a long time.",
    spec: { measures: [{ name: "backlog_open" }], dimensions: ["project_name"], time: HALF_YEAR_OF_WEEKS },
  },
  {
    type: "scatter",
    tenant: "demo",
    use: "Whether two measures go together; a point a sprint.",
    spec: {
      measures: [{ name: "scope_churn_ratio" }, { name: "spillover_ratio" }],
      dimensions: ["project_name", "sprint_name"],
      filters: CLOSED,
    },
    wish: { color: "project_name", title: "Sprints that change more spill more" },
  },
  {
    type: "bubble",
    tenant: "demo",
    use: "Three measures of each group.",
    spec: {
      measures: [{ name: "cycle_time" }, { name: "reopen_rate" }, { name: "issues_closed" }],
      dimensions: ["assignee"],
      time: { range: "last_12_months" },
      filters: [{ field: "assignee", op: "is_not_null" }],
    },
  },
  {
    type: "heatmap",
    tenant: "demo",
    use: "Many groups over time, or two groups against each other.",
    spec: { measures: [{ name: "bug_count" }], dimensions: ["component"], time: YEAR, limit: 500 },
  },
  {
    type: "histogram",
    tenant: "demo",
    use: "How often which values come; a row an issue.",
    spec: { measures: [{ name: "cycle_time", agg: "avg" }], dimensions: ["issue_key"], time: { range: "last_12_months" }, limit: 1000 },
    wish: { title: "Cycle time of issues" },
  },
  {
    type: "box_plot",
    tenant: "demo",
    use: "How values of each group are spread; a row an issue.",
    spec: {
      measures: [{ name: "lead_time", agg: "avg" }],
      dimensions: ["project_name", "issue_key"],
      time: { range: "last_12_months" },
      limit: 1000,
    },
    wish: { x: "project_name", title: "Lead time of issues by project" },
  },
  {
    type: "pie",
    tenant: "demo",
    use: "Few parts of a whole, where only the whole matters.",
    spec: { measures: [{ name: "issues_closed" }], dimensions: ["project_name"], time: { range: "last_12_months" } },
  },
  {
    type: "donut",
    tenant: "demo",
    use: "As pie, with the whole in words.",
    spec: { measures: [{ name: "issues_created" }], dimensions: ["issue_type"], time: { range: "last_12_months" } },
  },
  {
    type: "lollipop",
    tenant: "demo",
    use: "Many groups of like size, with less ink than bars.",
    spec: { measures: [{ name: "status_changes" }], dimensions: ["to_status"], time: { range: "last_90_days" } },
  },
  {
    type: "dumbbell",
    tenant: "demo",
    use: "How far apart two numbers of each group are.",
    spec: {
      measures: [{ name: "committed_issues" }, { name: "completed_issues" }],
      dimensions: ["project_name"],
      time: { range: "last_12_months" },
    },
    wish: { title: "Committed and completed issues" },
  },
  {
    type: "slope",
    tenant: "demo",
    use: "Who rose and who fell between two periods.",
    spec: { measures: [{ name: "lead_time" }], dimensions: ["project_name"], time: { range: "last_6_months", compare: "previous_period" } },
  },
  {
    type: "pareto",
    tenant: "demo",
    use: "The few that make most of the whole.",
    spec: {
      measures: [{ name: "time_in_status" }],
      dimensions: ["status"],
      time: { range: "last_6_months" },
      filters: [{ field: "status_category", op: "!=", values: ["done"] }],
    },
    wish: { title: "Where issues spend their time" },
  },
  {
    type: "waterfall",
    tenant: "demo",
    use: "How a total came about.",
    spec: { measures: [{ name: "net_flow" }], time: { grain: "month", range: "last_6_months" } },
    wish: { title: "What came in, less what was done" },
  },
  {
    type: "funnel",
    tenant: "demo",
    use: "What is left from stage to stage.",
    spec: {
      measures: [{ name: "planned_points" }, { name: "committed_points" }, { name: "completed_points" }],
      time: { range: "last_12_months" },
    },
    wish: { title: "From plan to done" },
  },
  {
    type: "control",
    tenant: "demo",
    use: "Whether a process is steady, and when it was not.",
    spec: { measures: [{ name: "bug_count" }], time: { grain: "week", range: "last_12_months" } },
  },
  {
    type: "cumulative_flow",
    tenant: "demo",
    use: "How much work stands where, over time.",
    spec: { measures: [{ name: "backlog_open" }, { name: "issues_closed" }], dimensions: ["status_category"], time: HALF_YEAR_OF_WEEKS },
    wish: { title: "Cumulative flow" },
  },
  {
    type: "burndown",
    tenant: "demo",
    use: "What is left of a scope, day by day.",
    spec: {
      measures: [{ name: "backlog_open" }],
      time: { grain: "day", from: "2026-05-18", to: "2026-06-13" },
      filters: [
        { field: "project_key", op: "=", values: ["PAY"] },
        { field: "created_at", op: "<", values: ["2026-05-18"] },
      ],
    },
    wish: { title: "What Payments had open on 18 May" },
  },
  {
    type: "burnup",
    tenant: "demo",
    use: "Scope and what of it is done, as running totals.",
    spec: { measures: [{ name: "issues_created" }, { name: "issues_closed" }], time: HALF_YEAR_OF_WEEKS },
  },
  {
    type: "calendar_heatmap",
    tenant: "demo",
    use: "Rhythm, weekends and holidays.",
    spec: { measures: [{ name: "issues_closed" }], time: { grain: "day", range: "last_6_months" }, limit: 400 },
  },
  {
    type: "small_multiples",
    tenant: "demo",
    use: "Many groups over time, each on its own.",
    spec: { measures: [{ name: "issues_closed" }], dimensions: ["component"], time: YEAR, limit: 500 },
  },
  {
    type: "bullet",
    tenant: "demo",
    use: "A number against its target.",
    spec: {
      measures: [{ name: "completed_points" }, { name: "planned_points" }],
      dimensions: ["project_name"],
      time: { range: "last_6_months" },
    },
    wish: { title: "Completed points against plan" },
  },
  {
    type: "kpi",
    tenant: "demo",
    use: "The newest number, its change and its trend.",
    spec: { measures: [{ name: "issues_closed" }, { name: "lead_time" }, { name: "spillover_ratio" }], time: YEAR },
    wish: { title: "The month in numbers" },
  },
  {
    type: "table",
    tenant: "demo",
    use: "The numbers themselves.",
    spec: {
      measures: [{ name: "completed_issues" }, { name: "spillover_ratio" }, { name: "lead_time" }],
      dimensions: ["project_name"],
      time: { grain: "quarter", range: "last_12_months" },
    },
  },
];
