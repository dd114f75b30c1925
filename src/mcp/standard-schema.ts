import type { StandardSchemaWithJSON } from "@modelcontextprotocol/server";
import type { JsonSchema } from "./json-schema.ts";

export type PublishedSchema = StandardSchemaWithJSON<unknown, unknown>;

/**
 * Publishes `schema` word for word and lets every value through: what a value means is judged by the tool itself,
 * whose errors name every problem, its path, what is allowed and what was probably meant.
 */
export function standardSchema(schema: JsonSchema): PublishedSchema {
  const published = () => ({ ...schema });
  return {
    "~standard": {
      version: 1,
      vendor: "metricgate",
      validate: (value) => ({ value }),
      jsonSchema: { input: published, output: published },
    },
  };
}
