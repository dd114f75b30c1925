import { z } from "zod";

/** How the rows of a metric become one value. `pooled` is the ratio of sums; `last` a count at an instant. */
const AGGREGATES = ["sum", "last", "pooled", "avg", "min", "max", "p50", "p75", "p85", "p90", "p95"] as const;

const name = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, "names are lower_snake_case");
const semver = z.string().regex(/^\d+\.\d+\.\d+$/, "versions are semver, as 1.0.0");
const text = z.string().min(1);
/** SQL text over the datasource's columns; proven to be a plain expression by `expression.ts`. */
const expression = z.string().min(1).max(2000);

const columnType = z.enum(["text", "text_list", "number", "timestamp", "boolean"]);

const columnSchema = z.union([
  /** A column of one of the datasource's relations. */
  z.strictObject({ from: z.string().regex(/^[a-z_]+\.[a-z_]+$/), type: columnType }),
  /** Computed from other columns of the row. */
  z.strictObject({ expression, type: columnType }),
  /** Given by the time spine: `overlap_seconds` (interval rows) or `instant` (snapshot rows). */
  z.strictObject({ spine: z.enum(["overlap_seconds", "instant"]), type: columnType }),
  /** The newest value of a column of a to-many table before the snapshot's instant. */
  z.strictObject({ latest: z.strictObject({ table: name, column: name, on: name }), type: columnType }),
]);
export type ColumnDefinition = z.infer<typeof columnSchema>;

export const datasourceSchema = z.strictObject({
  name,
  title: text,
  description: text,
  /** The relation whose rows are aggregated; exactly one row of it per row seen by a measure. */
  table: name,
  /** To-one joins by equal columns, so that no row is ever multiplied. */
  joins: z.array(z.strictObject({ table: name, to: name, on: z.array(name).min(1) })).default([]),
  /** How rows meet time: at an instant, by the part of a span inside each bucket, or by the spans that hold at its end. */
  rows: z.enum(["event", "interval", "snapshot"]),
  span: z.strictObject({ start: name, end: name }).optional(),
  /** Takes over the columns of another datasource whose relations are all joined here. */
  columns_of: name.optional(),
  columns: z.record(name, columnSchema),
  /** Rows that belong to the datasource at all. */
  where: expression.optional(),
  /** Text columns that tell an issue's rows apart, shown where a number is opened up into its rows. */
  shown: z.array(name).default([]),
  /** Applied unless the spec filters on the same field. */
  default_filters: z.array(z.strictObject({ field: name, values: z.array(z.string()).min(1) })).default([]),
  /** Counts of rows an answer must own up to; `{count}` in the message is their number. */
  notes: z.array(z.strictObject({ name, where: expression, message: text })).default([]),
});
export type DatasourceDefinition = z.infer<typeof datasourceSchema>;

export const dimensionSchema = z.strictObject({
  name,
  title: text,
  description: text,
  type: z.enum(["text", "number", "timestamp"]),
  /** Several values per issue: groups overlap. */
  multi_valued: z.boolean().default(false),
  /** Fields that can be filtered on but not grouped by. */
  filter_only: z.boolean().default(false),
});
export type DimensionDefinition = z.infer<typeof dimensionSchema>;

const componentSchema = z.strictObject({
  name,
  title: text,
  weight: z.number().positive().max(1),
  /** A ratio metric of the same datasource and `per`, or its own two sums. */
  metric: name.optional(),
  numerator: expression.optional(),
  denominator: expression.optional(),
});

const testSchema = z.strictObject({
  /** What the case shows, in a few words. */
  shows: text,
  spec: z.record(z.string(), z.unknown()),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))).min(1),
});

const common = {
  name,
  version: semver,
  title: text,
  aliases: z.array(name).default([]),
  /** One sentence a manager understands. */
  description: text,
  formula: text,
  unit: z.enum(["issues", "points", "days", "hours", "ratio", "events", "z"]),
  direction: z.enum(["higher_is_better", "lower_is_better", "neither"]),
  owner: text,
  deprecation: z
    .strictObject({ since: semver, replaced_by: name.nullable(), remove_after: z.iso.date() })
    .nullable()
    .default(null),
};

const answerable = {
  ...common,
  additivity: z.enum(["additive", "semi-additive", "non-additive"]),
  /** What an empty bucket holds. */
  gap: z.enum(["zero", "null", "carry"]),
  aggregates: z.array(z.enum(AGGREGATES)).min(1),
  default_aggregate: z.enum(AGGREGATES),
  tests: z.array(testSchema).min(1),
};

const sourced = {
  datasource: name,
  /** Canonical time: a timestamp column; absent for interval and snapshot rows. */
  time: name.optional(),
  /** Rows that count. */
  where: expression.optional(),
  /** Columns of the unit over which `avg` and percentiles run; expressions are then aggregates over its rows. */
  per: z.array(name).min(1).optional(),
};

export const metricSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.enum(["simple", "percentile", "snapshot", "duration"]), ...answerable, ...sourced, value: expression }),
  z.strictObject({ type: z.literal("ratio"), ...answerable, ...sourced, numerator: expression, denominator: expression }),
  /** Arithmetic over other metrics at the grain of the answer. */
  z.strictObject({ type: z.literal("derived"), ...answerable, dependencies: z.array(name).min(1), value: expression }),
  /** Weighted mean of z-scores of components, each computed per unit against the whole baseline. */
  z.strictObject({
    type: z.literal("composite"),
    ...answerable,
    ...sourced,
    per: z.array(name).min(1),
    components: z.array(componentSchema).min(2),
    dependencies: z.array(name).default([]),
    /** Columns whose equal values form one baseline population. */
    baseline: z.array(name).min(1),
    baseline_where: expression,
    clip: z.number().positive(),
    /** Dimensions on which the score is defined: those constant within a unit. */
    dimensions: z.array(name).min(1),
  }),
  /** Named so that a caller learns why it cannot be had. */
  z.strictObject({ type: z.literal("unavailable"), ...common, reason: text }),
]);
export type MetricDefinition = z.infer<typeof metricSchema>;
export type AnswerableDefinition = Exclude<MetricDefinition, { type: "unavailable" }>;

export const catalogSchema = z.strictObject({
  /** The name a spec gives as `datasource`. */
  name,
  version: semver,
  title: text,
  description: text,
});
