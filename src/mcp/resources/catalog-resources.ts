import { ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server";
import type { CacheHint, McpServer, ReadResourceResult } from "@modelcontextprotocol/server";
import type { Catalog } from "../../catalog/catalog.ts";
import type { JsonSchema } from "../json-schema.ts";
import { metricDocument, unavailableDocument } from "../metric-docs.ts";

interface Page {
  readonly uri: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
  readonly text: string;
}

/** The catalog as documents, written out once. */
export interface CatalogResources {
  readonly pages: readonly Page[];
  /** A metric's name → its document. */
  readonly metrics: ReadonlyMap<string, string>;
}

export const METRIC_TEMPLATE = "metricgate://catalog/metrics/{name}";
/** Parsed once: servers are made for single requests. */
const METRIC = new ResourceTemplate(METRIC_TEMPLATE, { list: undefined });
const CACHE: CacheHint = { ttlMs: 300_000, cacheScope: "private" };
const JSON_TYPE = "application/json";

export function catalogResources(catalog: Catalog, specSchema: JsonSchema): CatalogResources {
  const documents = [...catalog.metrics.values()].map((metric) => metricDocument(metric, catalog));
  const unavailable = [...catalog.unavailable.values()].map(unavailableDocument);
  const dimensions = [...catalog.dimensions.values()].map((dimension) => ({
    ...dimension,
    metrics: [...catalog.metrics.values()].filter((metric) => metric.fields.includes(dimension.name)).map((metric) => metric.name),
  }));
  return {
    pages: [
      {
        ...named("metrics", "Metrics", "Every metric's published definition"),
        mimeType: JSON_TYPE,
        text: JSON.stringify({ catalog_version: catalog.version, metrics: documents, unavailable }),
      },
      {
        ...named("dimensions", "Dimensions", "Fields to group by and to filter on, and the metrics that have them"),
        mimeType: JSON_TYPE,
        text: JSON.stringify({ catalog_version: catalog.version, dimensions }),
      },
      {
        ...named("spec-schema", "Spec schema", "JSON Schema of an AnalyticsSpec for this catalog"),
        mimeType: "application/schema+json",
        text: JSON.stringify(specSchema),
      },
      {
        ...named("changelog", "Catalog changes", "What changed from one catalog version to the next"),
        mimeType: "text/markdown",
        text: catalog.changelog,
      },
    ],
    metrics: new Map([...documents, ...unavailable].map((document) => [String(document["name"]), JSON.stringify(document)])),
  };
}

function named(path: string, title: string, description: string): Pick<Page, "uri" | "name" | "title" | "description"> {
  return { uri: `metricgate://catalog/${path}`, name: `catalog/${path}`, title, description };
}

export function registerCatalogResources(server: McpServer, { pages, metrics }: CatalogResources, catalog: Catalog): void {
  for (const { uri, name, title, description, mimeType, text } of pages) {
    server.registerResource(name, uri, { title, description, mimeType, cacheHint: CACHE }, (): ReadResourceResult => ({
      contents: [{ uri, mimeType, text }],
    }));
  }
  server.registerResource(
    "catalog/metric",
    METRIC,
    { title: "Metric", description: "One metric's published definition", mimeType: JSON_TYPE, cacheHint: CACHE },
    (url, { name }): ReadResourceResult => {
      const wanted = typeof name === "string" ? name : "";
      const text = metrics.get(catalog.aliases.get(wanted) ?? wanted);
      if (text === undefined) throw new ResourceNotFoundError(url.href);
      return { contents: [{ uri: url.href, mimeType: JSON_TYPE, text }] };
    },
  );
}
