import type {
  AnswerableDefinition,
  DatasourceDefinition,
  DimensionDefinition,
  MetricDefinition,
} from "./definition.ts";

/** A published metric with what the loader derived from its definition. */
export interface Metric {
  /** What a spec calls it: `lead_time`, or `lead_time@1` for an older major version. */
  readonly name: string;
  readonly definition: AnswerableDefinition;
  /** Everything a measure of it may be aggregated by, component z-scores of a composite included (`spillover_z`). */
  readonly aggregates: readonly string[];
  /** Names of the dimensions it can be grouped by. */
  readonly dimensions: readonly string[];
  /** Names of all fields it can be filtered by: its dimensions and the filter-only fields. */
  readonly fields: readonly string[];
  /** sha256 of the definition without its tests. */
  readonly hash: string;
}

export type UnavailableMetric = Extract<MetricDefinition, { type: "unavailable" }>;

/** The versioned set of definitions that this server can answer from. Frozen; proven consistent when loaded. */
export interface Catalog {
  /** The `datasource` of every spec. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Semver of the whole catalog. */
  readonly version: string;
  /** sha256 over all definitions: part of every cache key. */
  readonly hash: string;
  readonly metrics: ReadonlyMap<string, Metric>;
  /** Other names of metrics → the metric's name. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly unavailable: ReadonlyMap<string, UnavailableMetric>;
  readonly dimensions: ReadonlyMap<string, DimensionDefinition>;
  readonly datasources: ReadonlyMap<string, DatasourceDefinition>;
  /** Columns each verified expression uses, by expression text. */
  readonly columnsOf: (expression: string) => readonly string[];
  /** The catalog's CHANGELOG.md. */
  readonly changelog: string;
}
