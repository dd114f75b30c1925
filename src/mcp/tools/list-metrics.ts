import { z } from "zod";
import type { Catalog, Metric, UnavailableMetric } from "../../catalog/catalog.ts";
import { AppError } from "../../errors.ts";
import { problem, quoted } from "../../spec/problems.ts";
import type { Answer } from "../answer.ts";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool } from "../define-tool.ts";
import { boundedText } from "../input.ts";
import { dimensionSets, metricDocument, unavailableDocument } from "../metric-docs.ts";

const MAX_NAMES = 10;

const input = zodInput(
  z.strictObject({
    search: boundedText(200).optional().describe("Words to look for"),
    names: z.array(boundedText(100)).max(MAX_NAMES).optional().describe("Metrics to define in full"),
  }),
);

/** What can be measured: a compact list, or full definitions. */
export function listMetrics(catalog: Catalog): Tool {
  return defineTool({
    name: "list_metrics",
    title: "List metrics",
    description:
      "What can be measured: metrics with unit, aggregates and dimensions. Start here. With names: meaning, formula and rules of each.",
    input,
    output: envelopeSchema("columns, rows, dimension_sets, unavailable; or definitions"),
    handle: async ({ search, names }) =>
      names === undefined || names.length === 0 ? listAnswer(catalog, search) : definitionsAnswer(catalog, names),
  });
}

function definitionsAnswer(catalog: Catalog, names: readonly string[]): Answer {
  const found = names.map((name) => definitionOf(catalog, name));
  const missing = names.filter((_, at) => found[at] === undefined);
  if (missing.length > 0) {
    const allowed = [...catalog.metrics.keys(), ...catalog.unavailable.keys()];
    throw new AppError("SPEC_INVALID", "Some metrics do not exist.", {
      problems: missing.map((name) =>
        problem("UNKNOWN_MEASURE", {
          path: `names[${names.indexOf(name)}]`,
          message: `there is no metric ${quoted(name)}`,
          allowed,
          wrote: name,
        }),
      ),
      next: "Call list_metrics with search, or with none of these names.",
    });
  }
  const definitions = found.filter((definition) => definition !== undefined);
  return {
    text: definitions.map((definition) => JSON.stringify(definition)).join("\n"),
    structured: { success: true, data: { definitions }, meta: { catalog_version: catalog.version } },
  };
}

function definitionOf(catalog: Catalog, name: string): Readonly<Record<string, unknown>> | undefined {
  const metric = catalog.metrics.get(name) ?? catalog.metrics.get(catalog.aliases.get(name) ?? "");
  if (metric !== undefined) return metricDocument(metric, catalog);
  const unavailable = catalog.unavailable.get(name);
  return unavailable === undefined ? undefined : unavailableDocument(unavailable);
}

function listAnswer(catalog: Catalog, search: string | undefined): Answer {
  const metrics = [...catalog.metrics.values()].filter((metric) => matches(metric.definition, search));
  const unavailable = [...catalog.unavailable.values()].filter((metric) => matches(metric, search));
  const nothing = metrics.length === 0 && unavailable.length === 0;
  const shown = nothing ? [...catalog.metrics.values()] : metrics;
  const { legend, letterOf } = dimensionSets(shown);
  const rows = shown.map((metric) => ({ metric, set: letterOf.get(metric.name) ?? "" }));
  return {
    text: [
      ...(nothing ? [`Nothing matches ${quoted(search ?? "")}; all metrics:`] : []),
      "name|unit|aggregates, default first|dimensions|title",
      ...rows.map(
        ({ metric, set }) => `${metric.name}|${metric.definition.unit}|${aggregatesOf(metric).join(" ")}|${set}|${titleOf(metric)}`,
      ),
      ...legend.map(([letter, text]) => `${letter} = ${text}`),
      ...reasonsOf(unavailable).map(({ names, reason }) => `unavailable: ${names.join(", ")}: ${reason}`),
      `catalog ${catalog.version}; datasource ${catalog.name}`,
    ].join("\n"),
    structured: {
      success: true,
      data: {
        ...(nothing ? { note: "Nothing matches the search; these are all metrics." } : {}),
        columns: ["name", "unit", "aggregates", "dimensions", "title"],
        rows: rows.map(({ metric, set }) => [metric.name, metric.definition.unit, aggregatesOf(metric).join(" "), set, titleOf(metric)]),
        dimension_sets: Object.fromEntries(legend),
        unavailable: reasonsOf(unavailable),
      },
      meta: { catalog_version: catalog.version, datasource: catalog.name },
    },
  };
}

/** Metrics that cannot be had for the same reason, together. */
function reasonsOf(metrics: readonly UnavailableMetric[]): readonly { readonly names: readonly string[]; readonly reason: string }[] {
  return [...Map.groupBy(metrics, (metric) => metric.reason)].map(([reason, group]) => ({
    names: group.map((metric) => metric.name),
    reason,
  }));
}

/** The default first. */
function aggregatesOf(metric: Metric): readonly string[] {
  const { default_aggregate } = metric.definition;
  return [default_aggregate, ...metric.aggregates.filter((aggregate) => aggregate !== default_aggregate)];
}

function titleOf({ definition: { title, aliases, deprecation } }: Metric): string {
  const also = aliases.length === 0 ? "" : ` (also ${aliases.join(", ")})`;
  return `${title}${also}${deprecation === null ? "" : ` [deprecated${deprecation.replaced_by === null ? "" : `, use ${deprecation.replaced_by}`}]`}`;
}

/** Every word of the search occurs somewhere in the definition's words. */
function matches(definition: Metric["definition"] | UnavailableMetric, search: string | undefined): boolean {
  if (search === undefined) return true;
  const text = [definition.name, definition.title, definition.description, definition.formula, definition.unit, ...definition.aliases]
    .join(" ")
    .replaceAll("_", " ")
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/[\s_]+/)
    .every((word) => text.includes(word));
}
