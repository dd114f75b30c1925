import { McpServer } from "@modelcontextprotocol/server";
import type { CacheHint, McpRequestContext, ServerOptions } from "@modelcontextprotocol/server";
import type { Catalog } from "../catalog/catalog.ts";
import { specJsonSchema } from "../spec/json-schema.ts";
import { registerSubscriptions } from "./announce.ts";
import { callTool } from "./call-tool.ts";
import { callerOf, principalOf } from "./callers.ts";
import { registerCompletions } from "./completions.ts";
import type { Tool } from "./define-tool.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { mayWatch } from "./job-watch.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { McpParts } from "./parts.ts";
import { readyPrompts, registerPrompts } from "./prompts.ts";
import { type CatalogResources, catalogResources, registerCatalogResources } from "./resources/catalog-resources.ts";
import { registerChartApp } from "./resources/chart-app.ts";
import { registerChartResources } from "./resources/chart-resources.ts";
import { registerJobResources } from "./resources/job-resources.ts";
import { registerResultResources } from "./resources/result-resources.ts";
import { standardSchema } from "./standard-schema.ts";
import { drillDown } from "./tools/drill-down.ts";
import { cancelJob } from "./tools/cancel-job.ts";
import { getJob } from "./tools/get-job.ts";
import { getResult } from "./tools/get-result.ts";
import { listMetrics } from "./tools/list-metrics.ts";
import { listValues } from "./tools/list-values.ts";
import { renderChart } from "./tools/render-chart.ts";
import { runAnalyticsSpec } from "./tools/run-analytics-spec.ts";
import { semanticSearch } from "./tools/semantic-search.ts";
import { startJob } from "./tools/start-job.ts";

/** Makes one server for one caller: for a connection, or for a single request of a transport without connections. */
export type ServerFactory = (context: Pick<McpRequestContext, "era" | "authInfo">) => McpServer;

/** What is added to every server: nothing in the product, the conformance fixtures in its tests. */
export interface Extension {
  readonly options?: ServerOptions;
  readonly register: (server: McpServer) => void;
}

const LISTS: CacheHint = { ttlMs: 300_000, cacheScope: "private" };
const MAX_INPUT_ELEMENTS = 10_000;

/** Everything that a catalog determines; a caller narrowed to some metrics has a smaller catalog. */
interface View {
  readonly catalog: Catalog;
  readonly tools: readonly { readonly tool: Tool; readonly config: ReturnType<typeof configOf> }[];
  readonly resources: CatalogResources;
}

/**
 * Returns what assembles servers for either protocol era. What a catalog determines is built once per catalog, not per
 * server, and goes when no caller has that catalog any more.
 */
export function serverFactory(parts: McpParts, extend?: Extension): ServerFactory {
  const { pipeline } = parts;
  const prompts = readyPrompts(parts.prompts, pipeline.catalog);
  const options: ServerOptions = { ...serverOptions(), ...extend?.options };
  const views = new WeakMap<Catalog, View>([[pipeline.catalog, viewOf(pipeline.catalog)]]);
  return ({ era, authInfo }) => {
    const caller = callerOf(authInfo);
    const catalog = caller === undefined ? pipeline.catalog : pipeline.catalogFor(caller);
    const view = views.get(catalog) ?? viewOf(catalog);
    views.set(catalog, view);
    const server = new McpServer(
      { name: "metricgate", title: "metricgate", version: parts.version },
      { ...options, maxToolInputElements: MAX_INPUT_ELEMENTS },
    );
    for (const { tool, config } of view.tools)
      server.registerTool(tool.name, config, (input, context) => callTool(tool, input, context, parts));
    registerCatalogResources(server, view.resources, catalog);
    registerResultResources(server, parts);
    registerJobResources(server, parts);
    registerChartResources(server, parts);
    registerChartApp(server);
    registerPrompts(server, prompts);
    registerCompletions(server, prompts, { parts, catalog });
    registerSubscriptions(server, era, async (uri, context) => mayWatch(uri, await principalOf(context, parts), pipeline));
    extend?.register(server);
    return server;
  };
}

function viewOf(catalog: Catalog): View {
  const specSchema = specJsonSchema(catalog);
  return {
    catalog,
    tools: toolsOf(catalog, specSchema).map((tool) => ({ tool, config: configOf(tool) })),
    resources: catalogResources(catalog, specSchema),
  };
}

/** The tools in the order in which a model should meet them. */
export function toolsOf(catalog: Catalog, specSchema: JsonSchema): readonly Tool[] {
  const reading = [
    listMetrics(catalog),
    listValues(),
    runAnalyticsSpec(specSchema),
    getResult(),
    drillDown(),
    semanticSearch(),
    renderChart(),
  ];
  return [...reading, startJob(), getJob(), cancelJob()];
}

function configOf(tool: Tool) {
  const { title, description, annotations, outputSchema, app } = tool;
  return {
    title,
    description,
    annotations,
    inputSchema: standardSchema(tool.inputSchema),
    ...(outputSchema === undefined ? {} : { outputSchema: standardSchema(outputSchema) }),
    ...(app === undefined ? {} : { _meta: { ui: { resourceUri: app } } }),
  };
}

function serverOptions(): ServerOptions {
  return {
    instructions: INSTRUCTIONS,
    capabilities: {
      tools: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      prompts: { listChanged: true },
      completions: {},
      logging: {},
    },
    cacheHints: {
      "tools/list": LISTS,
      "prompts/list": LISTS,
      "resources/list": LISTS,
      "resources/templates/list": LISTS,
      "server/discover": LISTS,
      "resources/read": LISTS,
    },
  };
}
