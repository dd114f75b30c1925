import { z } from "zod";
import type { Catalog } from "../catalog/catalog.ts";
import { MAX_DIMENSIONS, MAX_FILTERS, MAX_MEASURES } from "./shape.ts";
import { COMPARES, GRAINS, OPERATORS, RANGES } from "./spec.ts";

/** A JSON Schema in the subset that every LLM client takes: no combinators, references, constants or type arrays. */
export interface PortableSchema {
  readonly [keyword: string]: unknown;
  readonly type: string;
}

/**
 * The one place where a zod schema becomes JSON Schema. Leaves out `$schema`, at which some clients drop the whole tool.
 * Throws Error when the result is not portable: that is a mistake in our schema.
 */
export function toJsonSchema(schema: z.ZodType): PortableSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, { io: "input" });
  assertPortable(converted, "schema");
  return converted as PortableSchema;
}

const FORBIDDEN = ["oneOf", "anyOf", "allOf", "not", "if", "$ref", "$defs", "const", "propertyNames", "prefixItems"];

function assertPortable(node: unknown, path: string): void {
  if (Array.isArray(node)) return node.forEach((item, index) => assertPortable(item, `${path}[${index}]`));
  if (node === null || typeof node !== "object") return;
  const record = node as Record<string, unknown>;
  for (const keyword of FORBIDDEN)
    if (keyword in record && !path.endsWith(".properties")) throw new Error(`${path}: ${keyword} is not portable`);
  if (Array.isArray(record["type"])) throw new Error(`${path}: a list of types is not portable`);
  for (const [key, child] of Object.entries(record)) assertPortable(child, `${path}.${key}`);
}

/** The schema of an AnalyticsSpec, with the names this catalog has. Built once per catalog. */
export function specJsonSchema(catalog: Catalog): PortableSchema {
  const dimensions = [...catalog.dimensions.values()];
  const aggregates = [...new Set([...catalog.metrics.values()].flatMap((metric) => metric.aggregates))];
  const current = [...catalog.metrics.keys()].filter((name) => !name.includes("@"));
  const extra = dimensions.filter((dimension) => dimension.filter_only).map((dimension) => dimension.name);
  // A caller who may ask nothing has a schema that no spec satisfies, not a schema that is invalid.
  const oneOf = (names: readonly string[]) => z.enum(names.length === 0 ? ["(none)"] : (names as [string, ...string[]]));
  return toJsonSchema(
    z.strictObject({
      measures: z
        .array(
          z.strictObject({
            name: oneOf(current),
            agg: oneOf(aggregates).describe("default: the metric's own").optional(),
            as: z.string().describe("column name").optional(),
          }),
        )
        .min(1)
        .max(MAX_MEASURES),
      dimensions: z
        .array(oneOf(dimensions.filter((d) => !d.filter_only).map((d) => d.name)))
        .max(MAX_DIMENSIONS)
        .optional(),
      time: z
        .strictObject({
          grain: z.enum(GRAINS).optional(),
          range: z.enum(RANGES).optional(),
          from: z.string().describe("YYYY-MM-DD").optional(),
          to: z.string().describe("exclusive").optional(),
          field: z.string().describe("default canonical: each measure's own time; or a date field").optional(),
          compare: z.enum(COMPARES).optional(),
        })
        .describe("range or from/to, not both")
        .optional(),
      filters: z
        .array(
          z.strictObject({
            field: z.string().describe(`a dimension, ${extra.join(", ")}, or a requested measure (filters its value)`),
            op: z.enum(OPERATORS),
            values: z.array(z.string()).optional(),
          }),
        )
        .max(MAX_FILTERS)
        .describe("all must hold")
        .optional(),
      sort: z.array(z.strictObject({ field: z.string(), dir: z.enum(["asc", "desc"]).optional() })).optional(),
      limit: z.number().min(1).max(1000).describe("default 100").optional(),
      timezone: z.string().describe("IANA zone").optional(),
      totals: z.boolean().optional(),
      dry_run: z.boolean().describe("explain, do not run").optional(),
      datasource: oneOf([catalog.name]).optional(),
      chart: z
        .strictObject({ type: z.string().optional(), x: z.string().optional(), y: z.string().optional(), color: z.string().optional() })
        .optional(),
    }),
  );
}
